"""What pictures are compared by: a digest of the pixels, a thumbnail, and facts about them.

Every picture is decoded once, whatever is asked of it afterwards; a data set of any size is
reduced to about a kilobyte a picture.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import DatasetError, ImageError, ImageTooLargeError
from mien.samples import Image, Images

THUMBNAIL_PX = 32
"""Side of the thumbnails, in pixels."""

Progress = Callable[[int, int], None]
"""Called with how many pictures are done and how many there are."""

_DIGEST_BYTES = 16
_PROGRESS_EVERY = 500


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """One row per picture."""

    digests: NDArray[np.bytes_]
    """Equal for pictures of the same size, channels and pixels, (n,)."""
    sizes: NDArray[np.int64]
    """Width and height in pixels, (n, 2)."""
    constant: NDArray[np.bool_]
    """Whether all pixels are the same, (n,)."""
    thumbnails: NDArray[np.uint8]
    """The pictures in grey, resized to (n, 32, 32) without regard to their shape."""
    damage: Mapping[int, str]
    """What is wrong with the pictures that could not be read, by position. They have the size
    0 x 0 and a digest of their own."""


def fingerprint(images: Images, *, progress: Progress | None = None) -> Fingerprints:
    """Look at every picture once.

    Args:
        images: uint8 (n, H, W), (n, H, W, 3) RGB, or pictures decoded on access.
        progress: called now and then with how many are done and how many there are.

    Returns:
        The fingerprints; pictures that are damaged or refused are told in ``damage``.
    """
    n = len(images)
    found = np.zeros(n, dtype=f"S{_DIGEST_BYTES}")
    sizes = np.zeros((n, 2), dtype=np.int64)
    constant = np.zeros(n, dtype=np.bool_)
    thumbnails = np.zeros((n, THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    damage: dict[int, str] = {}
    for index in range(n):
        if progress is not None and (index % _PROGRESS_EVERY == 0 or index == n - 1):
            progress(index + 1, n)
        try:
            image = images[index]
        except (ImageError, ImageTooLargeError, DatasetError) as error:
            damage[index] = str(error)
            found[index] = _digest(np.array([[index]], dtype=np.int64).view(np.uint8))
            continue
        found[index] = _digest(image)
        sizes[index] = image.shape[1], image.shape[0]
        constant[index] = bool((image == image[0, 0]).all())
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        thumbnails[index] = cv2.resize(
            grey, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA
        )
    return Fingerprints(found, sizes, constant, thumbnails, damage)


def digests(images: Images) -> NDArray[np.bytes_]:
    """The digests alone, (n,); two rows agree where size, channels and pixels do.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    found = np.zeros(len(images), dtype=f"S{_DIGEST_BYTES}")
    for index in range(len(images)):
        found[index] = _digest(images[index])
    return found


def _digest(image: Image) -> bytes:
    shape = repr(image.shape).encode()
    return hashlib.blake2b(
        np.ascontiguousarray(image).data, digest_size=_DIGEST_BYTES, person=shape[:16]
    ).digest()
