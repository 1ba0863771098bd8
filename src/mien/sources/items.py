"""What a large job is made of: pictures, videos and archives by name, and how they are read.

An item names one thing: a file, a member of a zip archive (``photos.zip/a/b.jpg``), a tar archive,
which is read from its beginning to its end, or an address that fsspec knows.
"""

import os
import tarfile
import zipfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, Literal, Self

from mien.errors import ImageTooLargeError, SourceError
from mien.images import IMAGE_SUFFIXES
from mien.sources.addresses import is_address, masked
from mien.sources.remote import open_address

ItemKind = Literal["picture", "video", "tar"]
"""What an item is."""

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Endings of tar archives, lower case."""
MAX_FILE_BYTES = 512 << 20
"""Largest picture's file that is read: five times what the largest picture takes as PNG."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to recognise."""

    source: str
    """Path or address; of a member, the archive's with the member's name behind it."""
    kind: ItemKind
    """What it is."""
    container: str = ""
    """Path or address of the zip archive that it lies in."""

    @property
    def member(self) -> str:
        """Its name in the archive."""
        return self.source[len(self.container) + 1 :] if self.container else ""


class ItemReader:
    """Reads the bytes of items; archives stay open from one to the next. For one thread."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._container = ""
        self._zip: zipfile.ZipFile | None = None

    def read(self, item: Item) -> bytes:
        """The content of a picture's file.

        Raises:
            SourceError: it cannot be read.
            ImageTooLargeError: it is larger than `MAX_FILE_BYTES`.
        """
        with readable(item.source):
            if not item.container:
                with open_file(item.source) as file:
                    return _bounded(file, item.source)
            archive = self._open_zip(item.container)
            try:
                info = archive.getinfo(item.member)
            except KeyError as error:
                raise SourceError(f"no such file: {item.source}") from error
            if info.file_size > MAX_FILE_BYTES:
                raise _too_large(item.source)
            with archive.open(info) as member:
                return _bounded(member, item.source)

    def _open_zip(self, container: str) -> zipfile.ZipFile:
        if self._container != container or self._zip is None:
            self.close()
            file = self._stack.enter_context(open_file(container))
            self._zip = self._stack.enter_context(zipfile.ZipFile(file))
            self._container = container
        return self._zip

    def close(self) -> None:
        """Close what is open; may be called twice."""
        self._stack.close()
        self._zip = None

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close what is open."""
        self.close()


def tar_pictures(source: str) -> Generator[tuple[str, bytes | SourceError]]:
    """The pictures of a tar archive, in its order, as WebDataset writes them.

    It is read once, from the beginning to the end, so that it may be packed or lie elsewhere;
    other members, links and devices are passed over.

    Args:
        source: its path or address.

    Yields:
        Name and content of each picture, or why it is not read.

    Raises:
        SourceError: it is no tar archive, or breaks off; what came before was given.
    """
    with readable(source), open_file(source) as file, tarfile.open(fileobj=file, mode="r|*") as tar:
        for info in tar:
            if not info.isreg() or not is_picture_name(info.name):
                continue
            name = f"{source}/{info.name}"
            if info.size > MAX_FILE_BYTES:
                yield name, _too_large(name)
                continue
            member = tar.extractfile(info)
            content = b"" if member is None else member.read()
            if len(content) < info.size:
                raise SourceError(f"{source} breaks off; get a complete copy")
            yield name, content


def zip_pictures(source: str) -> list[str]:
    """Names of the pictures in a zip archive, in order.

    Raises:
        SourceError: it is no zip archive, or cannot be read.
    """
    with readable(source), open_file(source) as file, zipfile.ZipFile(file) as archive:
        names = {info.filename for info in archive.infolist() if not info.flag_bits & 1}
        return sorted(name for name in names if is_picture_name(name))


def is_picture_name(name: str) -> bool:
    """Whether a member of an archive is a picture, by its name; hidden ones are none."""
    parts = PurePosixPath(name).parts
    is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not is_hidden and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def open_file(source: str) -> IO[bytes]:
    """Open a path or an address.

    Raises:
        SourceError: fsspec does not know the address.
        OSError: it cannot be opened.
        MissingExtraError: a library for it is not installed.
    """
    if is_address(source):
        return open_address(source)
    return open(source, "rb")


@contextmanager
def readable(source: str) -> Generator[None]:
    """Turn what reading raises into a `SourceError` that names the source."""
    name = masked(source)
    try:
        yield
    except FileNotFoundError as error:
        where = " (the link leads nowhere)" if os.path.islink(source) else ""
        raise SourceError(f"no such file: {name}{where}") from error
    except IsADirectoryError as error:
        raise SourceError(f"cannot read {name}: it is a folder; name a picture") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        reason = str(error) or type(error).__name__
        raise SourceError(f"{name} is damaged ({reason}); get a complete copy") from error
    except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(f"cannot read {name}: {masked(reason)}") from error


def _bounded(file: IO[bytes], name: str) -> bytes:
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(name)
    return content


def _too_large(name: str) -> ImageTooLargeError:
    return ImageTooLargeError(f"{masked(name)} has more than {MAX_FILE_BYTES >> 20} MB")
