"""Labelled faces in memory: what data sources produce and training and evaluation consume.

`Samples` is a table: one picture, label and split per row. Pictures stay uint8 from the moment
they are decoded. Those of a csv are one array; those of folders and archives are an
`ImageSequence` that decodes on access, so that a large folder is streamed and never loaded
whole.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.labels import LabelSet

Image = NDArray[np.uint8]
"""uint8 (H, W, 3) RGB or (H, W) grey."""


class Split(StrEnum):
    """What a row is for. Training never sees VALIDATION; nothing is chosen on TEST."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class ImageSequence(Protocol):
    """Pictures in files, which are decoded on access."""

    def __len__(self) -> int:
        """Number of pictures."""
        ...

    def __getitem__(self, index: int) -> Image:
        """Decode one picture."""
        ...

    def encoded(self, index: int) -> bytes:
        """One picture's file as it is, not decoded; called by several threads."""
        ...

    def take(self, indices: NDArray[np.int64]) -> "ImageSequence":
        """The pictures at these positions, in this order, still not decoded."""
        ...


Images = NDArray[np.uint8] | ImageSequence
"""uint8 (n, H, W) or (n, H, W, 3), or pictures decoded on access, whose sizes may differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Labelled faces, one row each.

    Raises:
        ValueError: the columns have different lengths or a label is not in the label set.
    """

    images: Images
    """The pictures."""
    labels: NDArray[np.int64]
    """Class index per row in ``label_set``, (n,)."""
    splits: NDArray[np.str_]
    """A `Split` value per row, (n,)."""
    label_set: LabelSet
    """The classes, in order."""
    names: Sequence[str]
    """Where each row comes from: ``row 17`` of a csv (the header is row 1), or a relative path."""
    source: str
    """Where the samples come from, as the user named it."""
    votes: NDArray[np.int64] | None = None
    """FER+ votes per row in the file's column order, (n, 10); a row of zeros has none."""
    layout: str = ""
    """In words, where the rows were found and how they came into their splits."""

    def __post_init__(self) -> None:
        n = len(self.images)
        lengths = [n, len(self.labels), len(self.splits), len(self.names)]
        if self.votes is not None:
            lengths.append(len(self.votes))
        if len(set(lengths)) != 1:
            raise ValueError(f"expected columns of one length, got {lengths}")
        if n and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.label_set):
            raise ValueError(f"expected labels below {len(self.label_set)}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        """What they are, on one line; never the rows themselves."""
        parts = ", ".join(f"{split} {rows.sum():,}" for split, rows in self.counts().items())
        classes = ", ".join(self.label_set.keys)
        return f"Samples({len(self):,} faces of {self.source}: {parts or 'none'}; {classes})"

    def take(self, indices: NDArray[np.int64]) -> "Samples":
        """The rows at these positions, in this order."""
        if isinstance(self.images, np.ndarray):
            images: Images = self.images[indices]
        else:
            images = self.images.take(indices)
        return replace(
            self,
            images=images,
            labels=self.labels[indices],
            splits=self.splits[indices],
            names=[self.names[i] for i in indices.tolist()],
            votes=None if self.votes is None else self.votes[indices],
        )

    def of(self, split: Split) -> "Samples":
        """The rows of one split, in order."""
        return self.take(np.flatnonzero(self.splits == split.value))

    def counts(self) -> dict[Split, NDArray[np.int64]]:
        """Rows per class, (classes,), for every split that has rows."""
        return {
            split: np.bincount(self.labels[mask], minlength=len(self.label_set))
            for split in Split
            if (mask := self.splits == split.value).any()
        }

    def split_words(self) -> str:
        """The splits that have rows, and how many, such as ``train (28,709), test (3,589)``."""
        return ", ".join(f"{split} ({int(n.sum()):,})" for split, n in self.counts().items())

    def iter_images(self) -> Iterator[Image]:
        """The pictures one by one."""
        for index in range(len(self)):
            yield self.images[index]

    def sha256(self) -> str:
        """Hash of the rows: labels in order, then every picture.

        Pictures in memory count by shape and pixels, so a csv and its .gz agree. Pictures in
        files count by the bytes of their files, and nothing is decoded: a folder and a zip of
        the same files agree, a csv of the same pictures does not.

        Raises:
            SourceError, DatasetError: a picture's file cannot be read.
        """
        digest = hashlib.sha256("\n".join(self.label_set.keys).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        if not isinstance(self.images, np.ndarray):
            for hashes in file_hashes(self.images):
                digest.update(hashes)
            return digest.hexdigest()
        for image in self.iter_images():
            digest.update(repr(image.shape).encode())
            digest.update(np.ascontiguousarray(image).tobytes())
        return digest.hexdigest()


_READERS = 4
_FILES_PER_TASK = 256


def file_hashes(images: ImageSequence) -> Iterator[bytes]:
    """SHA-256 of the pictures' files as they are, 32 bytes each, in order, some at a time.

    Raises:
        SourceError, DatasetError: a picture's file cannot be read.
    """

    def hashes(first: int) -> bytes:
        rows = range(first, min(first + _FILES_PER_TASK, len(images)))
        return b"".join(hashlib.sha256(images.encoded(row)).digest() for row in rows)

    # Reading and hashing leave the interpreter free, so threads help also on a fast disk.
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(hashes, range(0, len(images), _FILES_PER_TASK))
