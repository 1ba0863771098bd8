"""Which way a face is turned, from its five landmarks: roll, yaw and pitch.

Method: the landmarks are turned upright (least squares; Kabsch, 1976), then ``cv2.solvePnP``
finds the turn that brings the points of `MODEL_MM`, an average head, onto them. The camera is not
known, so one is assumed that looks straight at the face from `DISTANCE_MM`: angles are those
between the face and the line from it to the camera, whatever its place in the picture.

One average head stands for all, and expressions move the corners of the mouth, so yaw and pitch
are coarse: they tell who is turned away, not where a person looks. Errors: docs/head_pose.md.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.results import LANDMARKS, HeadPose, Point

MODEL_MM: tuple[tuple[float, float, float], ...] = (
    (-31.5, -18.0, 0.0),
    (31.5, -18.0, 0.0),
    (0.0, 17.0, -36.0),
    (-26.0, 53.0, -8.0),
    (26.0, 53.0, -8.0),
)
"""Landmarks of an average head that looks into the camera, in their order: to the right of the
picture, down, and away from the camera, in millimetres. The eyes are 63 mm apart, as adults' are;
the rest was chosen for YuNet's landmarks on half of the people of benchmark/head_pose.py."""

DISTANCE_MM = 1000.0
"""From the camera to the face; from 500 on it hardly matters."""

NUMBERS = {"model_mm": MODEL_MM, "distance_mm": DISTANCE_MM}
"""As of `mien.recognition.tracks.NUMBERS`."""

_MODEL = np.array(MODEL_MM)
_MODEL_CENTER = _MODEL.mean(axis=0)
_POINTS = _MODEL - _MODEL_CENTER
_FLAT = _POINTS[:, :2]
_SIZE_MM = float(np.sqrt((_FLAT**2).sum()))
_CAMERA = np.diag([DISTANCE_MM, DISTANCE_MM, 1.0])


def head_pose(landmarks_px: Sequence[Point]) -> HeadPose | None:
    """Which way a face is turned.

    Args:
        landmarks_px: five points in the order of `mien.results.LANDMARKS`, in pixels; a picture
            on its side need not be turned.

    Returns:
        Angles; None where there are other than five landmarks, or they lie on one spot.
    """
    if len(landmarks_px) != len(LANDMARKS):
        return None
    found = np.array(landmarks_px, np.float64)
    if not np.isfinite(found).all():
        return None
    found -= found.mean(axis=0)
    size_px = float(np.sqrt((found**2).sum()))
    if not size_px > 0.0:
        return None
    # Upright first: a search that begins with a face looking into the camera then never ends
    # in the mirrored turn.
    along = float((_FLAT * found).sum())
    across = float((_FLAT[:, 0] * found[:, 1] - _FLAT[:, 1] * found[:, 0]).sum())
    turn = math.atan2(across, along)
    upright = found @ _turn_2d(turn) * (_SIZE_MM / size_px)
    start = np.array([0.0, 0.0, DISTANCE_MM]).reshape(3, 1)
    is_found, rotation, _ = cv2.solvePnP(
        _POINTS,
        upright,
        _CAMERA,
        None,
        np.zeros((3, 1)),
        start,
        useExtrinsicGuess=True,
        flags=cv2.SOLVEPNP_ITERATIVE,
    )
    if not is_found or not np.isfinite(rotation).all():
        return None
    matrix = np.asarray(cv2.Rodrigues(rotation)[0], np.float64)
    whole = np.eye(3)
    whole[:2, :2] = _turn_2d(turn)
    return _angles(whole @ matrix)


def rotation_of(pose: HeadPose) -> NDArray[np.float64]:
    """The rotation with these angles, float64 (3, 3), in the axes of `MODEL_MM`.

    The face is turned up first, then to the side, then in the plane of the picture: so roll is the
    angle of the line through the eyes, and yaw and pitch are those of the upright picture.
    """
    roll, yaw, pitch = (
        math.radians(angle) for angle in (pose.roll_deg, -pose.yaw_deg, -pose.pitch_deg)
    )
    (a, b), (c, d), (e, f) = ((math.cos(x), math.sin(x)) for x in (roll, yaw, pitch))
    about_z = np.array([[a, -b, 0.0], [b, a, 0.0], [0.0, 0.0, 1.0]])
    about_y = np.array([[c, 0.0, d], [0.0, 1.0, 0.0], [-d, 0.0, c]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, e, -f], [0.0, f, e]])
    return np.asarray(about_z @ about_y @ about_x)


def _angles(rotation: NDArray[np.float64]) -> HeadPose:
    """The inverse of `rotation_of`."""
    across = rotation[:, 0]
    return HeadPose(
        math.degrees(math.atan2(across[1], across[0])),
        math.degrees(math.asin(min(1.0, max(-1.0, across[2])))),
        -math.degrees(math.atan2(rotation[2, 1], rotation[2, 2])),
    )


def _turn_2d(angle: float) -> NDArray[np.float64]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])
