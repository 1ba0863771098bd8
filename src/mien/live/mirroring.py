"""Pictures and results as a mirror shows them; texts are drawn afterwards and stay readable."""

from dataclasses import replace

import cv2
import numpy as np

from mien.results import Face, FrameResult
from mien.samples import Image


def mirrored(image_rgb: Image, result: FrameResult) -> tuple[Image, FrameResult]:
    """Swap left and right of a picture and of the faces in it.

    Args:
        image_rgb: uint8 (H, W, 3) RGB; not changed.
        result: its faces.

    Returns:
        Both mirrored; the faces from left to right again, turned the other way. Landmarks keep
        their order, in which the right eye is the person's own.
    """
    faces = [_mirrored_face(face, result.width_px) for face in reversed(result.faces)]
    return np.asarray(cv2.flip(image_rgb, 1), np.uint8), replace(result, faces=tuple(faces))


def _mirrored_face(face: Face, width_px: int) -> Face:
    x, y, width, height = face.box_xywh_px
    pose = face.pose
    return replace(
        face,
        box_xywh_px=(width_px - x - width, y, width, height),
        landmarks_px=tuple((width_px - 1 - at_x, at_y) for at_x, at_y in face.landmarks_px),
        pose=None
        if pose is None
        else replace(pose, roll_deg=-pose.roll_deg, yaw_deg=-pose.yaw_deg),
    )
