"""Pictures and results as a mirror shows them; texts are drawn afterwards and stay readable."""

from dataclasses import replace

import cv2
import numpy as np

from mien.results import Face, FrameResult
from mien.samples import Image

_OTHER_SIDE = (1, 0, 2, 4, 3)
"""Of each of `mien.results.LANDMARKS`, its like on the other side of the face."""


def mirrored(image_rgb: Image, result: FrameResult) -> tuple[Image, FrameResult]:
    """Swap left and right of a picture and of the faces in it.

    Args:
        image_rgb: uint8 (H, W, 3) RGB; not changed.
        result: its faces.

    Returns:
        Both mirrored; the faces from left to right again. Landmarks change sides, as in any picture
        of a face: what looks like the person's right eye comes first.
    """
    faces = [_mirrored_face(face, result.width_px) for face in reversed(result.faces)]
    return np.asarray(cv2.flip(image_rgb, 1), np.uint8), replace(result, faces=tuple(faces))


def _mirrored_face(face: Face, width_px: int) -> Face:
    x, y, width, height = face.box_xywh_px
    points = [(width_px - 1 - at_x, at_y) for at_x, at_y in face.landmarks_px]
    return replace(
        face,
        box_xywh_px=(width_px - x - width, y, width, height),
        landmarks_px=tuple(points[at] for at in _OTHER_SIDE if at < len(points)),
    )
