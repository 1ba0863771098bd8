"""From a picture to what the network sees: the only place where pixels are cropped, resized or
made grey for a network.

Training, evaluation, export checks and recognition all come through `to_network_input`, so the
network sees at run time what it saw in training. Scaling to [0, 1] and normalising are layers
of the network; what is made here has values 0..255. Between a detector's box and a crop as the
training faces were framed stands a `CropGeometry`, measured per detector and framing (see
docs/crops.md). Faces are turned upright by all five landmarks; the eyes alone say less, and
enlarging what small faces' landmarks say of the angle cost accuracy on upright ones.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.results import Box, Point
from mien.samples import Image

TURN_FROM_DEG = 5.0
"""Faces that are turned by less are cut out as they are, at no cost."""

TURNED_SIDE_PX = 144
"""Larger faces are reduced to this while they are turned, so that it takes 0.1 ms a face."""


BATCH_BYTES = 1 << 30
"""What the maps of one batch may take, whatever the network and the size of its input."""

MAX_BATCH = 256
"""Faces that go through a network at a time at most; more of them gain nothing."""

_BYTES_PER_PIXEL = 1024
"""Maps that are held at a time, for each pixel of the input, where a graph lets go of those that
are used up: three float32 ones of 64 channels and the whole size, as VGG's first layers have."""


def faces_at_once(face_bytes: int) -> int:
    """How many faces may go through a network in one batch, 1 to `MAX_BATCH`.

    Args:
        face_bytes: what the maps of one face take while they are held, above 0.
    """
    return max(1, min(MAX_BATCH, BATCH_BYTES // face_bytes))


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a network takes: float32 (n, height_px, width_px, channels), values 0..255.

    Raises:
        ValueError: a size below 1, or channels other than 1 (grey) and 3 (RGB).
    """

    height_px: int
    """Rows."""
    width_px: int
    """Columns."""
    channels: int
    """1: grey, ITU-R 601 luma; 3: RGB."""

    def __post_init__(self) -> None:
        if self.height_px < 1 or self.width_px < 1 or self.channels not in (1, 3):
            raise ValueError(f"expected a size and 1 or 3 channels, got {self}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height_px, self.width_px, self.channels

    @property
    def batch_faces(self) -> int:
        """Faces that go through a graph at a time: 256 up to 64 x 64 pixels, 20 of 224 x 224."""
        return faces_at_once(self.height_px * self.width_px * _BYTES_PER_PIXEL)


@dataclass(frozen=True, slots=True)
class CropGeometry:
    """How a detector's box becomes the square that the training faces were framed by."""

    side_per_width: float
    """Side of the square as a multiple of the box's width."""
    shift_x: float
    """How far the square's centre lies right of the box's, as a fraction of the side."""
    shift_y: float
    """How far the square's centre lies below the box's, as a fraction of the side."""
    landmarks: tuple[Point, ...] = ()
    """Where the detector's landmarks lie in the square of an upright face: right of its centre and
    below it, as fractions of the side; empty: the detector has none, so faces are not turned."""

    def square(self, box_xywh_px: Box) -> tuple[float, float, float]:
        """Left, top and side of the crop, in pixels; it may reach beyond the picture."""
        x, y, width, height = box_xywh_px
        side = self.side_per_width * width
        center_x = x + width / 2 + self.shift_x * side
        center_y = y + height / 2 + self.shift_y * side
        return center_x - side / 2, center_y - side / 2, side

    def turn_deg(self, landmarks_px: Sequence[Point], *, from_deg: float = TURN_FROM_DEG) -> float:
        """By how much a face is turned, clockwise as seen, in degrees.

        The rotation that, with a shift and a scale, brings the upright landmarks closest to those
        found (least squares; Kabsch, 1976).

        Args:
            landmarks_px: the face's landmarks, in the order of `landmarks`; may be empty.
            from_deg: smallest angle that counts.

        Returns:
            An angle in [-180, 180]; 0 below ``from_deg`` and without landmarks.

        Raises:
            ValueError: there are other than as many landmarks as in `landmarks`.
        """
        if not self.landmarks or not landmarks_px:
            return 0.0
        middle_x = sum(x for x, _ in self.landmarks) / len(self.landmarks)
        middle_y = sum(y for _, y in self.landmarks) / len(self.landmarks)
        along = across = 0.0
        for (x, y), (found_x, found_y) in zip(self.landmarks, landmarks_px, strict=True):
            along += (x - middle_x) * found_x + (y - middle_y) * found_y
            across += (x - middle_x) * found_y - (y - middle_y) * found_x
        angle = math.degrees(math.atan2(across, along))
        return angle if abs(angle) >= from_deg else 0.0


def crop_square(
    image: Image, left_px: float, top_px: float, side_px: float, turn_deg: float = 0.0
) -> Image:
    """Cut a square out of a picture; beyond the edge the edge is repeated.

    An upright square is cut to whole pixels. A turned one is interpolated linearly.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        left_px: left edge of the square, before it is turned; may be negative.
        top_px: top edge of the square, before it is turned; may be negative.
        side_px: side of the square, above 0.
        turn_deg: the square is turned about its centre by this angle, clockwise as seen; what is
            turned like it in the picture is upright in the crop.

    Returns:
        uint8 (side, side, 3) or (side, side), side at least 1, and at most `TURNED_SIDE_PX` where
        the square is turned.
    """
    if turn_deg:
        return _crop_turned(image, left_px, top_px, side_px, math.radians(turn_deg))
    side = max(1, round(side_px))
    left, top = round(left_px), round(top_px)
    height, width = image.shape[:2]
    # Clamped, so that a square that misses the picture repeats its nearest edge.
    first_x, last_x = min(max(left, 0), width - 1), min(max(left + side, 1), width)
    first_y, last_y = min(max(top, 0), height - 1), min(max(top + side, 1), height)
    inside = image[first_y:last_y, first_x:last_x]
    if inside.shape[:2] == (side, side):
        return inside
    before_x = min(max(0, -left), side - inside.shape[1])
    before_y = min(max(0, -top), side - inside.shape[0])
    bordered = cv2.copyMakeBorder(
        inside,
        before_y,
        side - inside.shape[0] - before_y,
        before_x,
        side - inside.shape[1] - before_x,
        cv2.BORDER_REPLICATE,
    )
    return np.asarray(bordered, np.uint8)


def crop_face(
    image: Image,
    box_xywh_px: Box,
    geometry: CropGeometry,
    landmarks_px: Sequence[Point] = (),
) -> Image:
    """Cut a face out of a picture, upright, as the training faces were framed.

    Args:
        image: uint8 (H, W, 3) RGB or (H, W) grey.
        box_xywh_px: the detector's box.
        geometry: the detector's geometry for the network's framing.
        landmarks_px: the detector's landmarks; without any the face stays turned as it is.

    Returns:
        uint8 (side, side, 3) or (side, side).
    """
    return crop_square(image, *geometry.square(box_xywh_px), geometry.turn_deg(landmarks_px))


def to_network_input(faces: Iterable[Image], spec: InputSpec) -> NDArray[np.float32]:
    """Make cropped faces of any size and colour into one batch of network input.

    A grey face of the network's own size passes unchanged. Shrinking averages areas, so that
    fine detail does not alias; enlarging interpolates linearly.

    Args:
        faces: uint8 (H, W, 3) RGB or (H, W) or (H, W, 1) grey each; an array (n, ...) will do.
        spec: what the network takes.

    Returns:
        float32 (n, height, width, channels), values 0..255; n may be 0.

    Raises:
        ValueError: a face is not uint8 or has another shape.
    """
    prepared = [_fit(face, spec) for face in faces]
    batch = np.empty((len(prepared), *spec.shape), np.float32)
    for row, face in zip(batch, prepared, strict=True):
        row[...] = face
    return batch


def to_grey(image: Image) -> Image:
    """Grey copy of a picture, uint8 (H, W), ITU-R 601 luma; a grey one is returned as it is."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _crop_turned(image: Image, left: float, top: float, side: float, angle: float) -> Image:
    cosine, sine = math.cos(angle), math.sin(angle)
    # The upright square around the turned one, with a pixel to interpolate from.
    reach = side / 2 * (abs(cosine) + abs(sine)) + 1
    around_left, around_top = round(left + side / 2 - reach), round(top + side / 2 - reach)
    around = crop_square(image, around_left, around_top, math.ceil(2 * reach))
    size = min(len(around), max(1, round(len(around) * 2 * TURNED_SIDE_PX / side)))
    scale = size / len(around)
    if scale < 1.0:
        # To twice the size, in one quick step; the turn then samples every second pixel.
        around = np.asarray(
            cv2.resize(around, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
        )
    target = min(TURNED_SIDE_PX, max(1, round(side)))
    step = side * scale / target
    linear = step * np.array([[cosine, -sine], [sine, cosine]])
    center = scale * np.array([left + side / 2 - around_left, top + side / 2 - around_top])
    # From the crop's pixel indices to those of what is around it.
    offset = center - 0.5 - linear @ np.full(2, target / 2 - 0.5)
    turned = cv2.warpAffine(
        around,
        np.column_stack([linear, offset]),
        (target, target),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(turned, dtype=np.uint8)


def _fit(face: Image, spec: InputSpec) -> Image:
    if face.ndim == 3 and face.shape[2] == 1:
        face = face[..., 0]
    if face.dtype != np.uint8 or face.ndim not in (2, 3) or (face.ndim == 3 and face.shape[2] != 3):
        raise ValueError(f"expected uint8 (H, W) or (H, W, 3), got {face.dtype} {face.shape}")
    if spec.channels == 1:
        face = to_grey(face)
    height, width = face.shape[:2]
    if (height, width) != (spec.height_px, spec.width_px):
        shrinks = height * width > spec.height_px * spec.width_px
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        face = np.asarray(
            cv2.resize(face, (spec.width_px, spec.height_px), interpolation=interpolation),
            dtype=np.uint8,
        )
    return face[..., np.newaxis] if face.ndim == 2 else face
