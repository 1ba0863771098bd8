"""Small pictures that are drawn once and then laid onto many frames.

A sprite is kept as the two numbers that blending needs for every pixel: how much of the frame
stays, and what is added to it. Laying it down is one multiplication and one addition of its
rectangle, so a frame is never converted as a whole. Edges are smooth: how much of a pixel a shape
covers comes from the distance to its outline.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.samples import Image

Rgb = tuple[int, int, int]
Mask = NDArray[np.float32]
"""float32 (H, W): the share of each pixel that is covered, 0 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A picture with transparency, ready to be laid onto frames."""

    keep: Image
    """uint8 (H, W, 3): how much of the frame shows through, 255 for all."""
    paint: Image
    """uint8 (H, W, 3): what is added."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.paint.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.paint.shape[0])

    def quarter(self, row: int, column: int) -> "Sprite":
        """One of the four quarters: row and column 0 or 1."""
        height, width = self.height // 2, self.width // 2
        part = np.s_[row * height : (row + 1) * height, column * width : (column + 1) * width]
        return Sprite(self.keep[part].copy(), self.paint[part].copy())

    def lay(self, image_rgb: Image, left: int, top: int) -> None:
        """Blend the sprite into a picture in place; what lies outside of it is cut off."""
        keep, paint = self.keep, self.paint
        bottom, right = top + paint.shape[0], left + paint.shape[1]
        if left < 0 or top < 0 or right > image_rgb.shape[1] or bottom > image_rgb.shape[0]:
            keep, paint = (
                keep[max(0, -top) :, max(0, -left) :],
                paint[max(0, -top) :, max(0, -left) :],
            )
            left, top = max(0, left), max(0, top)
            height, width = image_rgb.shape[0] - top, image_rgb.shape[1] - left
            if height <= 0 or width <= 0 or paint.size == 0:
                return
            keep, paint = keep[:height, :width], paint[:height, :width]
            bottom, right = top + paint.shape[0], left + paint.shape[1]
        region = image_rgb[top:bottom, left:right]
        cv2.multiply(region, keep, region, 1 / 255)
        cv2.add(region, paint, region)


class Canvas:
    """A transparent picture to draw a sprite on."""

    def __init__(self, width: int, height: int) -> None:
        self._paint = np.zeros((height, width, 3), np.float32)
        self._cover = np.zeros((height, width, 1), np.float32)

    def fill(
        self, mask: Mask, color: Rgb, opacity: float = 1.0, *, left: int = 0, top: int = 0
    ) -> None:
        """Lay one colour over what is there, where and as far as the mask says."""
        over = mask[:, :, None] * np.float32(opacity)
        part = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
        # The paint is kept multiplied with its cover, so both move towards their goal alike.
        self._paint[part] += (np.array(color, np.float32) - self._paint[part]) * over
        self._cover[part] += (1 - self._cover[part]) * over

    def sprite(self) -> Sprite:
        """What was drawn."""
        keep = np.rint(255 * (1 - self._cover)).astype(np.uint8)
        return Sprite(np.repeat(keep, 3, axis=2), np.rint(self._paint).astype(np.uint8))


class SpriteCache:
    """The sprites that were used last, up to a number of bytes. May be shared by threads.

    Args:
        capacity_bytes: what the kept sprites may take together.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Sprite] = OrderedDict()
        self.n_bytes = 0
        """What the kept sprites take."""

    def get(self, key: Hashable, draw: Callable[[], Sprite]) -> Sprite:
        """The sprite of a key, drawn where it is not kept."""
        with self._lock:
            sprite = self._kept.get(key)
            if sprite is not None:
                self._kept.move_to_end(key)
                return sprite
        sprite = draw()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = sprite
                self.n_bytes += _n_bytes(sprite)
            while self.n_bytes > self._capacity and len(self._kept) > 1:
                self.n_bytes -= _n_bytes(self._kept.popitem(last=False)[1])
        return sprite


def rounded(
    width: int, height: int, radius: float, *, inset: float = 0.0, corners: str = "lr"
) -> Mask:
    """A rectangle with round corners that fills a mask.

    Args:
        width: of the mask, in pixels.
        height: of the mask, in pixels.
        radius: of the corners, in pixels.
        inset: how far the rectangle stays inside the mask on every side; negative where it
            goes beyond.
        corners: ``l`` rounds those on the left, ``r`` those on the right.
    """
    distance = _distance(width, height, radius, corners)
    return np.asarray(np.clip(0.5 - inset - distance, 0, 1), np.float32)


def ring(width: int, height: int, radius: float, outer: float, inner: float) -> Mask:
    """The band between two insets of a rectangle with round corners; see `rounded`."""
    distance = _distance(width, height, radius, "lr")
    band = np.clip(0.5 - outer - distance, 0, 1) - np.clip(0.5 - inner - distance, 0, 1)
    return np.asarray(band, np.float32)


def _distance(width: int, height: int, radius: float, corners: str) -> NDArray[np.float32]:
    """Signed distance of every pixel's centre to the rectangle's outline, negative inside."""
    x = np.arange(width, dtype=np.float32) + 0.5
    y = np.arange(height, dtype=np.float32) + 0.5
    beyond_x = np.maximum(
        radius - x if "l" in corners else np.full_like(x, -np.inf),
        x - (width - radius) if "r" in corners else np.full_like(x, -np.inf),
    )
    beyond_y = np.maximum(radius - y, y - (height - radius))
    far_x, far_y = np.meshgrid(beyond_x, beyond_y)
    # https://iquilezles.org/articles/distfunctions2d/, the box with round corners.
    outside = np.hypot(np.maximum(far_x, 0), np.maximum(far_y, 0))
    return np.asarray(outside + np.minimum(np.maximum(far_x, far_y), 0) - radius, np.float32)


def _n_bytes(sprite: Sprite) -> int:
    return int(sprite.keep.nbytes + sprite.paint.nbytes)
