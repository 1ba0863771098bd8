"""Zip archives that are read in place and never believed.

An archive's table of contents is checked before anything is read: names that leave the archive,
encrypted members, and sizes or compression ratios that no picture has are refused by name.
Reading is bounded by the declared size, so a lying table cannot fill the memory either. Nothing
is ever extracted to disk.
"""

import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from mien.errors import DatasetError, MienError, SourceError

MAX_MEMBER_BYTES = 256 << 20
"""Largest member other than a csv, unpacked."""
MAX_CSV_BYTES = 2 << 30
"""Largest csv in an archive or .gz, unpacked: nearly eight times FER-2013's."""
MAX_TOTAL_BYTES = 64 << 30
"""Largest sum of an archive's members, unpacked."""
MAX_RATIO = 200
"""Unpacked over packed size above which a member of more than a mebibyte is a bomb."""
MAX_CSV_RATIO = 50
"""The same for a csv; numbers as text pack about 1:3."""


class Archive:
    """A zip archive whose members have been checked; reading is thread-safe.

    Raises:
        SourceError: there is no such file, or it may not be read.
        DatasetError: the file is no zip archive or a damaged one, or a member is refused.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with explained(path):
            self._zip = zipfile.ZipFile(path)
        infos = self._zip.infolist()
        self._check(infos)
        named = [(_slashed(info.filename), info) for info in infos]
        shown = [(name, info) for name, info in named if not _hidden(name)]
        files = [(name, info) for name, info in shown if name and not name.endswith("/")]
        self._infos = dict(files)
        self.folders = tuple(name for name, _ in shown if name.endswith("/"))
        """Names of the folders that have an entry of their own."""
        self.hidden = sum(
            not name.endswith("/") and "__MACOSX" not in name for name, _ in named if _hidden(name)
        )
        """Hidden files."""
        self.same_names = len(files) - len(self._infos)
        """Files whose name another file in the archive has, too; the last of a name counts."""

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the files in the archive, without hidden ones and macOS's copies."""
        return tuple(self._infos)

    def read(self, member: str) -> bytes:
        """All bytes of a member.

        Raises:
            DatasetError: the member is damaged or longer than its table says.
        """
        info = self._infos[member]
        limit = info.file_size
        with self._lock, explained(self.path, member), self._zip.open(info) as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise DatasetError(f"{self.path}: {member} is larger than its archive declares")
        return content

    @contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        """Open a member for reading as a stream, which the caller bounds."""
        with explained(self.path, member), self._zip.open(self._infos[member]) as stream:
            yield stream

    def _check(self, infos: list[zipfile.ZipInfo]) -> None:
        for info in infos:
            where = f"{self.path}: {info.filename}"
            name = PurePosixPath(_slashed(info.filename))
            if name.is_absolute() or ".." in name.parts or ":" in "".join(name.parts[:1]):
                raise DatasetError(
                    f"{where} points outside the archive; do not unpack it, get another copy"
                )
            if info.flag_bits & 1:
                raise DatasetError(f"{where} is encrypted; unpack the archive with its password")
            is_csv = name.suffix.lower() == ".csv"
            limit = MAX_CSV_BYTES if is_csv else MAX_MEMBER_BYTES
            if info.file_size > limit:
                raise DatasetError(
                    f"{where} unpacks to {info.file_size:,} bytes, more than the limit of "
                    f"{limit:,}; unpack it yourself if you trust it"
                )
            ratio = MAX_CSV_RATIO if is_csv else MAX_RATIO
            if info.file_size > max(1 << 20, ratio * info.compress_size):
                raise DatasetError(
                    f"{where} unpacks to {info.file_size:,} bytes from {info.compress_size:,}, "
                    "as a zip bomb does; unpack it yourself if you trust it"
                )
        total = sum(info.file_size for info in infos)
        if total > MAX_TOTAL_BYTES:
            raise DatasetError(
                f"{self.path} unpacks to {total:,} bytes, more than the limit of "
                f"{MAX_TOTAL_BYTES:,}; unpack it yourself if you trust it"
            )


@contextmanager
def explained(path: Path, member: str | None = None) -> Iterator[None]:
    """Turn what reading a compressed file can raise into errors that name it.

    Args:
        path: the file.
        member: the archive's member that is being read, if any.

    Raises:
        SourceError: there is no such file, or it may not be read.
        DatasetError: the file is damaged or ends too early.
    """
    where = f"{path}: {member}" if member else str(path)
    try:
        yield
    except (MienError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}") from error
    except Exception as error:
        # A list of what damaged files raise would never be whole.
        if isinstance(error, OSError) and error.errno is not None and error.strerror:
            raise SourceError(f"cannot read {where}: {error.strerror}") from error
        reason = str(error).split("\n")[0] or "it ends too early"
        raise DatasetError(f"{where} is damaged ({reason}); get a complete copy") from error


def _slashed(name: str) -> str:
    """The name as the format demands it; some programs write backslashes."""
    return name.replace("\\", "/")


def _hidden(member: str) -> bool:
    parts = PurePosixPath(member).parts
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts)
