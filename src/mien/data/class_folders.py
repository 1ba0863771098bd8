"""Folders and zip archives with one folder per class -> `Samples`, pictures decoded on access.

Only the list of files is read at first; a picture's bytes are read and decoded each time it is
looked at, so folders of hundreds of thousands stream. Folders and archives differ in nothing but
the function that reads the bytes of one picture. Nothing is written or unpacked.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.archives import Archive
from mien.data.layouts import arrange
from mien.errors import ImageError, SourceError
from mien.images import IMAGE_SUFFIXES, MAX_PIXELS, read_tile
from mien.samples import Image, Samples


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImages:
    """Pictures that are read and decoded each time they are looked at; an `ImageSequence`.

    Looking at one that is damaged or gone raises ImageError or DatasetError, which name it.
    """

    members: Sequence[str]
    """Relative paths."""
    read: Callable[[str], bytes]
    """Reads the bytes of one; thread-safe."""
    root: str
    """What error messages put before the relative path."""
    max_pixels: int = MAX_PIXELS
    """Width times height above which a picture is refused by its header."""

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> Image:
        name = f"{self.root}: {self.members[index]}"
        return read_tile(self.encoded(index), name=name, max_pixels=self.max_pixels)

    def encoded(self, index: int) -> bytes:
        """One picture's file as it is."""
        return self.read(self.members[index])

    def take(self, indices: NDArray[np.int64]) -> "EncodedImages":
        """The pictures at these positions, in this order, still not decoded."""
        return replace(self, members=[self.members[i] for i in indices.tolist()])


def read_folder(folder: Path, *, max_pixels: int = MAX_PIXELS) -> Samples:
    """Read a folder of class folders.

    Args:
        folder: the folder, in one of the layouts of `mien.data.layouts`. Hidden files and
            ``__MACOSX`` are ignored; links are followed.
        max_pixels: width times height above which a picture is refused by its header.

    Returns:
        The samples in the order of their paths.

    Raises:
        SourceError: the folder cannot be read.
        DatasetError: it has no class folders, or an unknown one or an empty one.
    """
    files, folders = _walk(folder)
    return _samples(files, folders, _reader(folder), str(folder), max_pixels, "")


def read_archive(path: Path, *, max_pixels: int = MAX_PIXELS) -> Samples:
    """Read a zip archive of class folders in place.

    Args:
        path: the archive, in one of the layouts of `mien.data.layouts`. Hidden files and
            ``__MACOSX`` are ignored.
        max_pixels: width times height above which a picture is refused by its header.

    Returns:
        The samples in the order of their paths.

    Raises:
        SourceError: there is no such file, or it may not be read.
        DatasetError: it has no class folders, or an unknown one or an empty one, or the archive
            is damaged or refused.
    """
    archive = Archive(path)
    return _samples(
        archive.members, archive.folders, archive.read, str(path), max_pixels, " in a zip"
    )


def pictures_of(path: Path, *, max_pixels: int = MAX_PIXELS) -> EncodedImages:
    """All pictures of a folder or zip archive, whatever its folders are called.

    Args:
        path: a folder, or a file, which must be a zip archive.
        max_pixels: width times height above which a picture is refused by its header.

    Returns:
        The pictures in the order of their paths; there may be none.

    Raises:
        SourceError: the source cannot be read.
        DatasetError: the archive is none, damaged or refused.
    """
    if path.is_dir():
        files, _ = _walk(path)
        return EncodedImages(_pictures(files), _reader(path), str(path), max_pixels)
    archive = Archive(path)
    return EncodedImages(_pictures(archive.members), archive.read, str(path), max_pixels)


def _reader(folder: Path) -> Callable[[str], bytes]:
    """What reads the bytes of a picture of a folder."""

    def read(member: str) -> bytes:
        try:
            with open(f"{folder}/{member}", "rb") as file:
                return file.read()
        except OSError as error:
            raise ImageError(f"cannot read {folder / member}: {error.strerror}") from error

    return read


def _pictures(files: Iterable[str]) -> list[str]:
    return sorted(f for f in files if os.path.splitext(f)[1].lower() in IMAGE_SUFFIXES)


def _samples(
    files: Iterable[str],
    folders: Iterable[str],
    read: Callable[[str], bytes],
    root: str,
    max_pixels: int,
    container: str,
) -> Samples:
    pictures = _pictures(files)
    found = arrange(pictures, folders, root)
    layout = found.layout + container
    if left_out := len(pictures) - len(found.pictures):
        layout += f", {left_out:,} pictures outside of them left out"
    return Samples(
        images=EncodedImages(found.pictures, read, root, max_pixels),
        labels=found.labels,
        splits=found.splits,
        label_set=found.label_set,
        names=found.pictures,
        source=root,
        layout=layout,
    )


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """Relative paths of all files and folders, without hidden ones and macOS's copies."""

    def fail(error: OSError) -> None:
        raise SourceError(f"cannot read {error.filename}: {error.strerror}") from error

    files: list[str] = []
    folders: list[str] = []
    seen: set[str] = set()
    for where, inner, names in os.walk(folder, onerror=fail, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:  # a link that leads back up
            inner.clear()
            continue
        seen.add(real)
        inner[:] = [name for name in inner if not name.startswith(".") and name != "__MACOSX"]
        below = Path(where).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        folders += [f"{prefix}{name}" for name in inner]
        files += [f"{prefix}{name}" for name in names if not name.startswith(".")]
    return files, folders
