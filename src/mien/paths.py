"""Where outputs may go: endings, and places that are not another's. Nothing is written here."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mien.errors import OutputError

VIDEO_SUFFIX = ".mp4"
"""The ending of videos that are written."""


def check_suffix(path: Path, suffixes: Sequence[str], what: str) -> None:
    """Refuse a path with another ending.

    Raises:
        OutputError: names the endings that are understood.
    """
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"cannot write a {what} as {path}; use one of {' '.join(suffixes)}")


def check_outputs(paths: Iterable[Path], sources: Iterable[Path | str] = ()) -> None:
    """Refuse outputs that would overwrite each other or a source, or that cannot be made.

    Nothing is written, so this can be told before the work begins. Names that differ only in
    case are one name: some file systems do not tell them apart.

    Args:
        paths: the files that will be written.
        sources: files, and addresses, which are no files, that will be read.

    Raises:
        OutputError: two outputs have one name or are one file, an output is a source, a folder
            is in the way, or the place cannot be written to.
    """
    paths = list(paths)
    inputs = {_identity(Path(source)) for source in sources} if paths else set()
    earlier: dict[object, Path] = {}
    for path in paths:
        # Two names, or two links to one file. A look-up each: there may be a copy of each of
        # thousands of pictures.
        identity = _identity(path)
        for known in (str(resolved(path)).casefold(), identity):
            if (other := earlier.setdefault(known, path)) is not path:
                raise OutputError(f"{path} and {other} are one file; name two")
        if identity in inputs:
            raise OutputError(f"{path} is a source and would be overwritten; name another place")
        _check_place(path)


def resolved(path: Path) -> Path:
    """Where a path leads; a loop of links, which leads nowhere, is left as it is."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise the latter
        return path.absolute()


def check_onnx_output(out: Path, sources: Iterable[Path] = ()) -> None:
    """Check that a bundle can be called so.

    Args:
        out: the file; it need not be there.
        sources: files that it is made of, which it must not replace.

    Raises:
        OutputError: it cannot be written, or would replace what it is made of.
    """
    if out.suffix.lower() != ".onnx":
        raise OutputError(f"cannot write {out}: the file must end in .onnx")
    if out.is_dir():
        raise OutputError(f"cannot write {out}: it is a folder; name a file")
    if any(out.exists() and out.samefile(source) for source in sources):
        raise OutputError(f"{out} is what the new file is made of; name another one with --out")
    there = next(parent for parent in out.absolute().parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise OutputError(f"cannot write {out}: name a place that you may write to")


_FILE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".svg", ".pdf", ".html", ".htm", ".md", ".txt", ".json", ".csv")
)
"""Endings with which people mean a file."""


def check_folder(out: Path, files: Sequence[str]) -> None:
    """Check that a folder of results can be written.

    Args:
        out: the folder; it need not be there.
        files: names of the files that may be in it, to be replaced.

    Raises:
        OutputError: ``out`` is a file, is called like one, or holds other files.
    """
    if out.suffix.lower() in _FILE_SUFFIXES and not out.is_dir():
        raise OutputError(f"{out} is to be a folder; name it without {out.suffix}")
    try:
        foreign = sorted({path.name for path in out.iterdir()} - set(files))
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise OutputError(f"{out} is a file; name another folder") from error
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror}") from error
    if foreign:
        raise OutputError(f"{out} holds other files ({foreign[0]}); name another folder")


def _identity(path: Path) -> tuple[int, int] | Path:
    """What tells a file from all others: quicker than comparing each with each."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return resolved(path)  # it is not there
    return (stat.st_dev, stat.st_ino)


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; name a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise OutputError(f"cannot write {path}: {above} is a file; name another place")
    blocked = path if path.exists() else above
    if not os.access(blocked, os.W_OK):
        raise OutputError(
            f"cannot write {path}: {blocked} is read-only; name a place that you may write to"
        )
