"""Looking at paths and folders: what lies there, and what of it is left out and why.

A folder that somebody names holds more than what is meant: sidecar files, links that lead back
up, folders that may not be looked into. Nothing of that stops the rest, and nothing of it is
passed over in silence: whoever looks gets a line about it.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mien.errors import SourceError

Kind = Literal["file", "folder", "other", "nothing"]
"""What lies at a path; ``other`` is a device, pipe or socket."""

_KINDS_SHOWN = 3
"""Endings of files of other kinds that a line names."""


def look_at(path: Path | str) -> Kind:
    """What lies at a path; links are followed.

    Raises:
        SourceError: it may not be looked at, or is no path (too long, a zero byte in it).
    """
    text = str(path)
    try:
        if os.path.isdir(path):
            return "folder"
        if os.path.isfile(path):
            return "file"
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot read {text}: {reason}; name a file or folder") from error
    return "other"


@dataclass(slots=True)
class Tree:
    """What a folder holds, as `walk` found it; all paths below it, with forward slashes."""

    files: list[str] = field(default_factory=list)
    """Files, in the order of their names; links to files, and links to nothing."""
    folders: list[str] = field(default_factory=list)
    """Folders, those that are linked included."""
    repeated: list[str] = field(default_factory=list)
    """Links to folders whose files are among these already: links back up, or to a neighbour."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Inner folders that could not be read, and why."""
    hidden: int = 0
    """Hidden files; those in hidden folders are not counted."""


def walk(folder: Path) -> Tree:
    """Go through a folder and all below it; links to folders are followed, each folder once.

    Hidden files and folders (a dot before the name) and ``__MACOSX``, which repeats the names of
    all others, are left out.

    Raises:
        SourceError: the folder itself cannot be read.
    """
    tree = Tree()
    seen: set[tuple[int, int]] = set()
    waiting = [""]
    linked: list[str] = []  # after all others, so that files go by their own folders' names
    while waiting or linked:
        below = waiting.pop() if waiting else linked.pop(0)
        where = folder / below
        try:
            stat = os.stat(where)
            if (stat.st_dev, stat.st_ino) in seen:
                tree.repeated.append(below)
                continue
            with os.scandir(where) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not below:
                raise SourceError(f"cannot read {folder}: {error.strerror}") from error
            tree.unreadable.append((below, error.strerror or str(error)))
            continue
        seen.add((stat.st_dev, stat.st_ino))
        if below:
            tree.folders.append(below)
        inner = []
        for entry in found:
            path = f"{below}/{entry.name}" if below else entry.name
            is_folder = _is_folder(entry)
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                tree.hidden += not is_folder
            elif not is_folder:
                tree.files.append(path)
            elif entry.is_symlink():
                linked.append(path)
            else:
                inner.append(path)
        waiting.extend(reversed(inner))
    tree.files.sort()
    return tree


def left_out(
    others: Iterable[str],
    *,
    outside: int = 0,
    devices: int = 0,
    hidden: int = 0,
    repeated: Collection[str] = (),
    same_names: int = 0,
) -> str:
    """What of a folder or archive is not looked at, in words; empty where that is nothing.

    Args:
        others: names of files of other kinds.
        outside: pictures outside of the folders that are meant.
        devices: pipes, sockets and devices with the name of a picture or video.
        hidden: hidden files.
        repeated: links to folders that are read already.
        same_names: files in an archive whose name another one has.

    Returns:
        For example ``3 files of other kinds (.txt, .xmp), 1 hidden file left out``.
    """
    endings = Counter(os.path.splitext(name)[1].lower() or "without an ending" for name in others)
    parts = []
    if outside:
        parts.append(f"{_count(outside, 'picture')} outside of them")
    if endings:
        names = [ending for ending, _ in endings.most_common(_KINDS_SHOWN)]
        names += ["..."] * (len(endings) > _KINDS_SHOWN)
        parts.append(f"{_count(endings.total(), 'file')} of other kinds ({', '.join(names)})")
    if devices:
        parts.append(_count(devices, "pipe or device", "pipes or devices"))
    if hidden:
        parts.append(_count(hidden, "hidden file"))
    if repeated:
        what = _count(len(repeated), "link")
        parts.append(f"{what} to folders that are read already ({min(repeated)})")
    if same_names:
        parts.append(f"{_count(same_names, 'file')} whose name another one has")
    return f"{', '.join(parts)} left out" if parts else ""


def find_by_suffix(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files of a folder and of those in it, in the order of their names; hidden ones not.

    Args:
        folder: where to look.
        suffixes: endings of the files that are meant, lower case.

    Raises:
        SourceError: the folder, or one in it, cannot be read.
    """
    tree = walk(folder)
    for below, reason in tree.unreadable:
        raise SourceError(f"cannot read {folder / below}: {reason}")
    return sorted(
        path
        for name in tree.files
        if (path := folder / name).suffix.lower() in suffixes and is_file_or_broken(path)
    )


def is_file_or_broken(path: Path) -> bool:
    """Whether a path is a file, or a link that leads nowhere, which reading it will tell."""
    try:
        return path.is_file() or not path.exists()
    except OSError:
        return True


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _count(n: int, what: str, many: str = "") -> str:
    return f"{n:,} {what if n == 1 else many or what + 's'}"
