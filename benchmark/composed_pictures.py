"""Pictures with one face whose place is known: a tile of a data set, laid into a larger frame.

A tile of FER-2013 is a tight crop: hair, ears and chin touch its border. Around it the border is
repeated outwards, blurred strongly within a pixel or two, and faded into its mean within one
tile's width. So bright goes on bright and dark goes on dark, as hair, neck and walls do out of
focus, and nothing outside looks like a second face, as mirrored surroundings do. Of 240 faces at
2x, YuNet finds 92 % so, as many as on a plain ground; 87 to 91 % with streaks, mirrored
surroundings, or a blur that grows slowly. Then the tile with its surroundings is scaled, turned
and moved in one cubic interpolation, and the whole picture blurred.

Coordinates are continuous: a pixel's centre lies at its index plus a half, so a tile of 48 pixels
reaches from 0 to 48.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.results import Point
from mien.samples import Image

FRAME_SIDE_PX = 320
"""Width and height of the pictures."""

# Distance from the tile, in tile widths, at which a blur of this deviation holds alone.
_BLURS = ((0.03, 0.3), (0.5, 0.5))


@dataclass(frozen=True, slots=True)
class Condition:
    """What is done to a tile on its way into the picture."""

    scale: float = 1.0
    """Pixels of the picture per pixel of the tile."""
    roll_deg: float = 0.0
    """Turned by this angle, clockwise as seen."""
    blur_px: float = 0.0
    """Deviation of the Gaussian blur, in pixels of the tile."""

    def __str__(self) -> str:
        return f"{self.scale:g}x, {self.roll_deg:+g} deg, blur {self.blur_px:g}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tile lies in its picture."""

    center_px: Point
    """Its centre, x and y."""
    side_px: float
    """Its side."""
    roll_deg: float
    """Its angle, clockwise as seen."""

    @property
    def square(self) -> tuple[float, float, float]:
        """Left, top and side of the upright square with the same centre and side."""
        (x, y), side = self.center_px, self.side_px
        return x - side / 2, y - side / 2, side

    def matrix(self, tile_side_px: int) -> NDArray[np.float64]:
        """The map from the tile's to the picture's pixel indices, (2, 3)."""
        scale, angle = self.side_px / tile_side_px, math.radians(self.roll_deg)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]])
        offset = np.array(self.center_px) - 0.5 - linear @ np.full(2, tile_side_px / 2 - 0.5)
        return np.column_stack([linear, offset])


def place_of(row: int, condition: Condition, tile_side_px: int, seed: int = 0) -> Place:
    """Where a row's tile lies: anywhere, but whole. The same draw decides for all conditions.

    Args:
        row: number of the row.
        condition: scale and angle.
        tile_side_px: side of the tile.
        seed: of the draw.

    Raises:
        ValueError: the tile does not fit into the picture.
    """
    side, angle = condition.scale * tile_side_px, math.radians(condition.roll_deg)
    half = side / 2 * (abs(math.cos(angle)) + abs(math.sin(angle)))
    room = FRAME_SIDE_PX - 2 * half
    if room < 0:
        raise ValueError(
            f"a tile of {side:g} pixels at {condition.roll_deg:g} degrees is too large"
        )
    x, y = (half + room * np.random.default_rng((seed, row)).random(2)).tolist()
    return Place((x, y), side, condition.roll_deg)


def compose(tile: Image, place: Place, blur_px: float = 0.0) -> Image:
    """Lay a tile into a picture.

    Args:
        tile: uint8 (side, side) grey.
        place: where.
        blur_px: as in `Condition`.

    Returns:
        uint8 (`FRAME_SIDE_PX`, `FRAME_SIDE_PX`, 3), grey as RGB.
    """
    side = len(tile)
    extended, ground = _extended(tile)
    matrix = place.matrix(side)
    matrix[:, 2] -= matrix[:, :2] @ np.full(2, float(side))  # the tile begins at (side, side)
    frame = cv2.warpAffine(
        extended,
        matrix,
        (FRAME_SIDE_PX, FRAME_SIDE_PX),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=ground,
    )
    if blur_px:
        frame = cv2.GaussianBlur(frame, (0, 0), blur_px * place.side_px / side)
    grey = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def composed(
    tiles: Image, rows: NDArray[np.int64], condition: Condition, seed: int = 0
) -> Iterator[tuple[Image, Place]]:
    """The picture of each row and where its tile lies.

    Args:
        tiles: uint8 (n, side, side) grey.
        rows: positions in ``tiles``.
        condition: what is done to them.
        seed: of the places.
    """
    for row in rows.tolist():
        place = place_of(row, condition, tiles.shape[1], seed)
        yield compose(tiles[row], place, condition.blur_px), place


def _extended(tile: Image) -> tuple[NDArray[np.float32], float]:
    """The tile, surrounded by its own width of what might be there, and the ground beyond."""
    side = len(tile)
    repeated = np.pad(tile, side, mode="edge").astype(np.float32)
    border = np.concatenate([tile[0], tile[-1], tile[1:-1, 0], tile[1:-1, -1]])
    ground = float(border.mean())
    outside = np.maximum(0, np.abs(np.arange(3 * side) - 1.5 * side + 0.5) - (side - 1) / 2)
    distance = np.hypot(outside[:, np.newaxis], outside) / side
    layers = [(0.0, repeated)]
    layers += [(at, cv2.GaussianBlur(repeated, (0, 0), width * side)) for at, width in _BLURS]
    layers.append((1.0, np.full_like(repeated, ground)))
    result = repeated.copy()
    for (near, inner), (far, outer) in pairwise(layers):
        weight = np.clip((distance - near) / (far - near), 0.0, 1.0).astype(np.float32)
        result = np.where(distance > near, inner + weight * (outer - inner), result)
    return result, ground
