"""Pictures on their side: quarter turns that a camera did not note, found by the faces.

YuNet finds faces that lie on their side or stand on their head, too, but less surely, and their
crops are nonsense to the classifier. So where no face is found surely, the picture is searched in
all four directions, and the one with the most and the surest faces counts. Thresholds were chosen
on 120 composed pictures of FER-2013's faces, in four directions each: none that was upright was
turned, and 88 % of the others were turned upright.
"""

from typing import Literal, get_args

import cv2
import numpy as np

from mien.recognition.detectors.detector import FaceDetector
from mien.results import Detection
from mien.samples import Image

Turn = Literal[0, 90, 180, 270]
"""Degrees, clockwise."""
Rotate = Literal["auto", 0, 90, 180, 270]
"""How a picture is turned before its faces are searched; auto: as they stand upright."""
ROTATIONS: tuple[Rotate, ...] = get_args(Rotate)
"""The values of `Rotate`."""
TURNS: tuple[Turn, ...] = get_args(Turn)
"""The values of `Turn`."""

SURE = 0.91
"""A picture with a face of this score is upright; those that are not reach 0.90."""
_TURNED_SCORE = 0.85
"""No picture is turned for a face below this score."""
_TURNED_RATIO = 1.05
"""Nor for faces that are not by so much surer, in all, than those that were found without."""
_DOUBTFUL = 0.5
"""Score from which faces count, and how much more they have counts for them."""

NUMBERS = {
    "sure": SURE,
    "turned_score": _TURNED_SCORE,
    "turned_ratio": _TURNED_RATIO,
    "doubtful": _DOUBTFUL,
}
"""As of `mien.recognition.tracks.NUMBERS`."""

_CODES = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def turned(image_rgb: Image, turn_deg: Turn) -> Image:
    """A picture turned clockwise; itself where the turn is 0."""
    if turn_deg == 0:
        return image_rgb
    return np.asarray(cv2.rotate(image_rgb, _CODES[turn_deg]), np.uint8)


def turned_back(face: Detection, turn_deg: Turn, size_px: tuple[int, int]) -> Detection:
    """A face of a turned picture, in pixels of the picture as it was.

    Args:
        face: what was found in the turned picture.
        turn_deg: by how much that was turned.
        size_px: width and height of the picture as it was.
    """
    if turn_deg == 0:
        return face
    x, y, width, height = face.box_xywh_px
    corners = [_back((x, y), turn_deg, size_px), _back((x + width, y + height), turn_deg, size_px)]
    left, top = (min(values) for values in zip(*corners, strict=True))
    right, bottom = (max(values) for values in zip(*corners, strict=True))
    landmarks_px = tuple(_back(point, turn_deg, size_px) for point in face.landmarks_px)
    return Detection((left, top, right - left, bottom - top), face.score, landmarks_px)


def upright(image_rgb: Image, detector: FaceDetector) -> tuple[Turn, Image, tuple[Detection, ...]]:
    """Find the faces of a picture and the turn with which they stand upright.

    Args:
        image_rgb: uint8 (H, W, 3) RGB.
        detector: what finds them; it is asked once where it is sure of a face, else four times.

    Returns:
        Degrees, the picture turned by them, and the faces in its pixels. Where turning helps
        nothing, 0 and what was found without.
    """
    best: tuple[Turn, Image, tuple[Detection, ...]] = (0, image_rgb, detector.detect(image_rgb))
    if _surest(best[2]) >= SURE:
        return best
    most = _TURNED_RATIO * _evidence(best[2])
    for turn_deg in TURNS[1:]:
        image = turned(image_rgb, turn_deg)
        found = detector.detect(image)
        if _surest(found) >= _TURNED_SCORE and _evidence(found) > most:
            best, most = (turn_deg, image, found), _evidence(found)
    return best


def check_rotate(rotate: object) -> None:
    """Refuse what is no `Rotate`.

    Raises:
        ValueError: names those that there are.
    """
    if rotate not in ROTATIONS or isinstance(rotate, bool):
        raise ValueError(f"expected a rotate of {', '.join(map(str, ROTATIONS))}, got {rotate!r}")


def _back(
    point: tuple[float, float], turn_deg: Turn, size_px: tuple[int, int]
) -> tuple[float, float]:
    (x, y), (width, height) = point, size_px
    if turn_deg == 90:
        return y, height - x
    return (width - x, height - y) if turn_deg == 180 else (width - y, x)


def _surest(faces: tuple[Detection, ...]) -> float:
    return max((face.score for face in faces), default=0.0)


def _evidence(faces: tuple[Detection, ...]) -> float:
    return sum(max(0.0, face.score - _DOUBTFUL) for face in faces)
