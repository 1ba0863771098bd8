"""Writing results so that nothing half-written is ever found.

A file or folder is prepared under a temporary name beside its destination and renamed when it
is complete. On any failure, a full disk or Ctrl-C included, the temporary one is removed and
what stood there before is still there.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import OutputError

_FULL, _FORBIDDEN = "free some space or name another place", "name a place that you may write to"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
}

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}(?:\.[^.]*)?", re.DOTALL)
"""Names that `tempfile` makes for a file of that name."""


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what processes that were killed had begun to write at these paths (`atomic_file`)."""
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(path.name)
    for folder, wanted in names.items():
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                found = _TEMPORARY.fullmatch(entry.name)
                if found is not None and found[1] in wanted:
                    with suppress(OSError):
                        os.unlink(entry.path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; what is written there replaces ``path`` when the block ends.

    Raises:
        OutputError: the file cannot be written; ``path`` is as it was.
    """
    with _explained(path), _parents(path):
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, replaceable: Collection[str] = ()) -> Iterator[Path]:
    """Yield a temporary folder; it becomes ``path`` when the block ends.

    An older ``path`` is replaced as a whole, but only where every file in it has the name of one
    that was written now, or may be replaced; anything else in it is not ours to delete.

    Args:
        path: the folder.
        replaceable: names of files that an older one may hold beside those written now.

    Raises:
        OutputError: the folder cannot be written, or holds other files; ``path`` is as it was.
    """
    with _explained(path), _parents(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            if path.exists():
                _replace_folder(temporary, path, replaceable)
            else:
                os.rename(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; names of files in it need not be valid text.

    Raises:
        OutputError: the file cannot be written; ``path`` is as it was.
    """
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def _replace_folder(temporary: Path, path: Path, replaceable: Collection[str]) -> None:
    if not path.is_dir():
        raise OutputError(f"{path} is a file; name another folder")
    ours = {*replaceable, *(p.name for p in temporary.iterdir())}
    foreign = sorted({p.name for p in path.iterdir()} - ours)
    if foreign:
        raise OutputError(f"{path} holds other files ({foreign[0]}); name another folder")
    older = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    os.rename(path, older / path.name)
    try:
        os.rename(temporary, path)
    except OSError:
        os.rename(older / path.name, path)
        raise
    finally:
        shutil.rmtree(older, ignore_errors=True)


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Make the folders above a path; where the block fails, remove those that were made."""
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # others may have put something there meanwhile
            for folder in missing:
                folder.rmdir()
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # of stdout, which callers may write to inside the block
    except OSError as error:
        raise write_error(path, error) from error


def write_error(
    path: Path, error: OSError, left: str = "nothing half-written was left"
) -> OutputError:
    """The one line about a file that cannot be written.

    Args:
        path: the file, as the person named it.
        error: what the system said.
        left: what is at the path now.
    """
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "name another place")
    return OutputError(f"cannot write {path}: {reason}; {left}; {remedy}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
