"""Faces without labels: any folder or zip archive of pictures, decoded on access.

Only networks that are asked about each picture can teach with them. They belong to no split and
have no class; folders within a source mean nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.class_folders import EncodedImages, pictures_of
from mien.errors import DatasetError, SourceError
from mien.images import MAX_PIXELS
from mien.samples import Image, ImageSequence, file_hashes


@dataclass(frozen=True, slots=True)
class UnlabelledSource:
    """One folder or archive of faces."""

    source: str
    """Its name, without folders."""
    n: int
    """Pictures."""
    sha256: str
    """Hash of the pictures' files in the order of their paths: a folder and a zip of the same
    files agree."""


@dataclass(frozen=True, slots=True, eq=False)
class Unlabelled:
    """Faces without labels of one or more sources."""

    images: ImageSequence
    """The pictures, those of one source after the other."""
    sources: tuple[UnlabelledSource, ...]
    """Where they come from."""
    names: Sequence[str]
    """Relative path of each picture within its source."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """Several sequences as one; an `ImageSequence`."""

    parts: Sequence[EncodedImages]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def _find(self, index: int) -> tuple[EncodedImages, int]:
        row = int(self.rows[index])
        part = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.parts[part], row - int(self.starts[part])

    def __getitem__(self, index: int) -> Image:
        part, row = self._find(index)
        return part[row]

    def encoded(self, index: int) -> bytes:
        """One picture's file as it is."""
        part, row = self._find(index)
        return part.encoded(row)

    def take(self, indices: NDArray[np.int64]) -> "_Joined":
        """The pictures at these positions, in this order, still not decoded."""
        return _Joined(self.parts, self.starts, self.rows[indices])


def read_unlabelled(sources: Sequence[Path | str], *, max_pixels: int = MAX_PIXELS) -> Unlabelled:
    """Read faces without labels.

    Args:
        sources: folders or zip archives of pictures, at least one; other files in them, hidden
            ones and ``__MACOSX`` are ignored.
        max_pixels: width times height above which a picture is refused by its header.

    Returns:
        The faces. Every file is read once, for the hash; damaged pictures raise ImageError when
        they are looked at.

    Raises:
        SourceError: a source is not there, is named twice, or may not be read.
        DatasetError: it holds no pictures, or is a damaged or refused archive.
    """
    paths = [Path(source).expanduser() for source in sources]
    parts: list[EncodedImages] = []
    described: list[UnlabelledSource] = []
    for path in paths:
        if not path.exists():
            raise SourceError(f"no such file or folder: {path}; give a folder or zip of pictures")
        found = pictures_of(path, max_pixels=max_pixels)
        if not len(found):
            raise DatasetError(f"{path} holds no pictures; give a folder or zip of faces")
        digest = hashlib.sha256()
        for hashes in file_hashes(found):
            digest.update(hashes)
        facts = UnlabelledSource(path.resolve().name, len(found), digest.hexdigest())
        if facts.sha256 in {each.sha256 for each in described}:
            raise SourceError(f"{path} has the same pictures as another source; name each once")
        parts.append(found)
        described.append(facts)
    starts = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
    return Unlabelled(
        _Joined(parts, starts[:-1], np.arange(starts[-1])),
        tuple(described),
        [name for part in parts for name in part.members],
    )
