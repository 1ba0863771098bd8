"""What pictures are compared by: a digest of the pixels, a thumbnail, and facts about them.

Every picture is decoded once, whatever is asked of it afterwards; a data set of any size is
reduced to about a kilobyte a picture.
"""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.samples import Image, Images

THUMBNAIL_PX = 32
"""Side of the thumbnails, in pixels."""

_DIGEST_BYTES = 16


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


def fingerprint(images: Images) -> Fingerprints:
    """Look at every picture once.

    Args:
        images: uint8 (n, H, W), (n, H, W, 3) RGB, or pictures decoded on access.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    n = len(images)
    found = np.zeros(n, dtype=f"S{_DIGEST_BYTES}")
    sizes = np.zeros((n, 2), dtype=np.int64)
    constant = np.zeros(n, dtype=np.bool_)
    thumbnails = np.zeros((n, THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)
    for index in range(n):
        image = images[index]
        found[index] = _digest(image)
        sizes[index] = image.shape[1], image.shape[0]
        constant[index] = bool((image == image[0, 0]).all())
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        thumbnails[index] = cv2.resize(
            grey, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA
        )
    return Fingerprints(found, sizes, constant, thumbnails)


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
        np.ascontiguousarray(image), digest_size=_DIGEST_BYTES, person=shape[:16]
    ).digest()
