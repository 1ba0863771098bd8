"""Whether a detector finds the face in pictures that are cut out faces already.

A network can be fair and the chain unfair: whose face the detector misses gets no answer at all.
Tiles are tight, and detectors look beyond the face, so a tile is enlarged and its edge repeated
around it, as in benchmark/crop_geometry.py. Searching once and quickly finds seven of eight; the
others are searched as photos are.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.recognition.detectors.detector import FaceDetector
from mien.samples import Image, Images

TILE_SIDE_PX = 96
"""To this, the longest side of smaller pictures is enlarged."""
BORDER = 0.25
"""Width of the repeated edge, as a part of that side."""

_LARGE_PX = 2 * TILE_SIDE_PX


def as_picture(tile: Image) -> Image:
    """A tile as a small photo of it, uint8 (h, w, 3) RGB; a large picture as it is, in RGB.

    Args:
        tile: uint8 (H, W, 3) RGB or (H, W) grey.
    """
    picture = tile
    longest = max(tile.shape[:2])
    if longest < _LARGE_PX:
        scale = TILE_SIDE_PX / longest
        size = max(1, round(tile.shape[1] * scale)), max(1, round(tile.shape[0] * scale))
        enlarged = cv2.resize(tile, size, interpolation=cv2.INTER_CUBIC)
        edge = round(BORDER * TILE_SIDE_PX)
        picture = np.asarray(
            cv2.copyMakeBorder(enlarged, edge, edge, edge, edge, cv2.BORDER_REPLICATE), np.uint8
        )
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return picture


def has_face(
    images: Images, detector: FaceDetector, progress: Callable[[int, int], None] | None = None
) -> NDArray[np.bool_]:
    """Whether a face is found in each picture, (n,).

    Args:
        images: uint8 (H, W, 3) RGB or (H, W) grey each.
        detector: as loaded for photos.
        progress: called with (pictures done, pictures in all).

    Raises:
        ImageError, DatasetError: a picture's file is damaged.
    """
    quick = detector.searching(round(TILE_SIDE_PX * (1 + 2 * BORDER)))
    found = np.zeros(len(images), bool)
    for index in range(len(images)):
        picture = as_picture(images[index])
        found[index] = bool(quick.detect(picture)) or bool(detector.detect(picture))
        if progress is not None and (index % 64 == 63 or index + 1 == len(images)):
            progress(index + 1, len(images))
    return found
