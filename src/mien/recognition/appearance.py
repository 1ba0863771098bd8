"""What a face looks like, in few numbers: enough to tell two people in one shot apart.

A crop becomes a colour thumbnail of 6 x 6, its mean taken off, of length 1; two crops are as far
apart as their correlation falls short of 1. It ignores brightness and contrast, keeps skin, hair
and what is around them, and costs 10 us a face. It recognises nobody: after some seconds, or in
other light, the same person looks different. Larger thumbnails and grey ones separate less well,
and colour histograms change with the light (LOG.md).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.samples import Image

_SIDE = 6
SIZE = 3 * _SIDE * _SIDE
"""Numbers per face."""

_SAMPLES = 4
"""Pixels that are averaged along each side of a thumbnail's pixel, at least."""
_PLAIN = 1e-3


def describe(crops: Sequence[Image]) -> NDArray[np.float32]:
    """Describe cropped faces.

    Args:
        crops: uint8 (H, W, 3) RGB each, of any size.

    Returns:
        float32 (n, `SIZE`), rows of length 1, or of zeros for a crop of one plain colour.
    """
    thumbnails = np.empty((len(crops), _SIDE, _SIDE, 3), np.float32)
    for row, crop in zip(thumbnails, crops, strict=True):
        # Averaging all pixels would take 0.2 ms a face.
        step = max(1, min(crop.shape[:2]) // (_SAMPLES * _SIDE))
        sparse = np.ascontiguousarray(crop[::step, ::step])
        row[...] = cv2.resize(sparse, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return normalised(thumbnails.reshape(len(crops), SIZE))


def normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (n, size) with their mean taken off and divided by their length; plain ones: zeros."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.einsum("ij,ij->i", centred, centred))[:, np.newaxis]
    return np.asarray(
        np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > _PLAIN), np.float32
    )


def distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """How different described faces look.

    Args:
        first: float32 (n, `SIZE`) as `describe` gives them.
        second: float32 (m, `SIZE`).

    Returns:
        float32 (n, m): 0 alike, 1 unrelated, 2 opposite; 0 where one of the two is plain, for
        it says nothing.
    """
    informative = np.logical_and.outer(first.any(axis=1), second.any(axis=1))
    return np.where(informative, 1.0 - first @ second.T, 0.0).astype(np.float32)
