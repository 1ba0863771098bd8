"""Folders and zip archives with one folder per class -> `Samples`, pictures decoded on access.

Only the list of files is read at first; a picture's bytes are read and decoded each time it is
looked at, so folders of hundreds of thousands stream. Folders and archives differ in nothing but
the function that reads the bytes of one picture. Nothing is written or unpacked.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.archives import Archive
from mien.data.layouts import arrange
from mien.errors import ImageError, SourceError
from mien.finding import Tree, left_out, walk
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
    tree = _whole_tree(folder)
    others = partial(left_out, hidden=tree.hidden, repeated=tree.repeated)
    return _samples(tree.files, tree.folders, _reader(folder), str(folder), max_pixels, "", others)


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
        archive.members,
        archive.folders,
        archive.read,
        str(path),
        max_pixels,
        " in a zip",
        partial(left_out, hidden=archive.hidden, same_names=archive.same_names),
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
        return EncodedImages(
            _pictures(_whole_tree(path).files), _reader(path), str(path), max_pixels
        )
    archive = Archive(path)
    return EncodedImages(_pictures(archive.members), archive.read, str(path), max_pixels)


def _whole_tree(folder: Path) -> Tree:
    """The files of a folder, none of which is out of reach."""
    tree = walk(folder)
    for below, reason in tree.unreadable:
        raise SourceError(f"cannot read {folder / below}: {reason}; its faces would be missing")
    return tree


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
    files: Sequence[str],
    folders: Iterable[str],
    read: Callable[[str], bytes],
    root: str,
    max_pixels: int,
    container: str,
    left_out_of: Callable[..., str],
) -> Samples:
    is_picture = [os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES for name in files]
    pictures = sorted(compress(files, is_picture))
    found = arrange(pictures, folders, root)
    others = [name for name, is_one in zip(files, is_picture, strict=True) if not is_one]
    outside = len(pictures) - len(found.pictures)
    told = left_out_of(others, outside=outside)
    return Samples(
        images=EncodedImages(found.pictures, read, root, max_pixels),
        labels=found.labels,
        splits=found.splits,
        label_set=found.label_set,
        names=found.pictures,
        source=root,
        layout=f"{found.layout}{container}{told and f', {told}'}",
    )
