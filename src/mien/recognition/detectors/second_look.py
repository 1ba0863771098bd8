"""A second look at tilted faces: YuNet's landmarks follow a tilt only in part.

Of faces that were turned by up to 30 degrees, the landmarks of one search turn with 0.5 of the
angle where the face is 110 pixels wide in the searched picture, and with 0.8 at 175: the network
has learned upright faces. Cut out large, turned upright by what the first search said, they are
right; see docs/head_pose.md. It takes about 3 ms a face, so it is for photos, for the faces that
are tilted, and now and then for those of videos (`mien.recognition.tilts`). Faces are cut out by
the first landmarks: by the better ones they are classified no better (LOG.md).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.preprocessing import CropGeometry
from mien.recognition.detectors.yunet_network import YuNetNetwork
from mien.results import Detection
from mien.samples import Image

LOOK_FROM_DEG = 4.0
"""Faces that seem to be tilted by less are taken as they were found."""
SIDE_PX = 320
"""Of the square that is looked at."""
FACE_SHARE = 0.7
"""Width of the face's box in a share of it."""

_MOST_LOOKS = 2
_STRAIGHT_DEG = 10.0
"""What is tilted by less in the square needs no further look."""
_MOST_FACES = 20
"""The widest so many are looked at, so that crowds take no longer."""
_THRESHOLD = 0.3
_FARTHEST = 0.2
_LANDMARKS = slice(4, 14)

NUMBERS = {
    "look_from_deg": LOOK_FROM_DEG,
    "side_px": SIDE_PX,
    "face_share": FACE_SHARE,
    "most_looks": _MOST_LOOKS,
    "straight_deg": _STRAIGHT_DEG,
    "most_faces": _MOST_FACES,
    "threshold": _THRESHOLD,
    "farthest": _FARTHEST,
}
"""As of `mien.recognition.tracks.NUMBERS`."""


def looked_at_again(
    network: YuNetNetwork,
    image_rgb: Image,
    faces: Sequence[Detection],
    geometry: CropGeometry,
    from_deg: float = LOOK_FROM_DEG,
) -> tuple[Detection, ...]:
    """Faces with better landmarks where they are tilted; boxes and scores stay.

    Args:
        network: what finds them.
        image_rgb: uint8 (H, W, 3) RGB.
        faces: in its pixels, with YuNet's landmarks.
        geometry: where the landmarks of an upright face lie.
        from_deg: faces that seem to be tilted by less are taken as they were found.

    Returns:
        As many, in the same order.
    """
    seen = list(faces)
    widest = sorted(range(len(seen)), key=lambda at: -seen[at].box_xywh_px[2])
    for at in widest[:_MOST_FACES]:
        turn_deg = geometry.turn_deg(seen[at].landmarks_px, from_deg=0.0)
        for _ in range(_MOST_LOOKS):
            if abs(turn_deg) < from_deg:
                break
            found = _look(network, image_rgb, seen[at], turn_deg)
            if found is None:
                break
            before_deg = turn_deg
            points = tuple((x, y) for x, y in found.tolist())
            seen[at] = replace(seen[at], landmarks_px=points)
            turn_deg = geometry.turn_deg(points, from_deg=0.0)
            if abs(turn_deg - before_deg) < _STRAIGHT_DEG:
                break
    return tuple(seen)


def _look(
    network: YuNetNetwork, image_rgb: Image, face: Detection, turn_deg: float
) -> NDArray[np.float64] | None:
    """Landmarks of one face in pixels of the picture, (5, 2); None where it is not found again."""
    width = face.box_xywh_px[2]
    center = np.array(face.landmarks_px, np.float64).mean(axis=0)
    scale = FACE_SHARE * SIDE_PX / width
    turn = math.radians(-turn_deg)
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    offset = SIDE_PX / 2 - linear @ center
    square = cv2.warpAffine(
        image_rgb,
        np.column_stack([linear, offset]),
        (SIDE_PX, SIDE_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    found = network.find(np.asarray(square, np.uint8), _THRESHOLD)
    if not len(found):
        return None
    points = found[:, _LANDMARKS].astype(np.float64).reshape(-1, 5, 2)
    away = np.linalg.norm(points.mean(axis=1) - SIDE_PX / 2, axis=1)
    best = int(away.argmin())
    is_same = 0.5 < found[best, 2] / (FACE_SHARE * SIDE_PX) < 2.0
    if away[best] > _FARTHEST * SIDE_PX or not is_same:
        return None
    return np.asarray((points[best] - offset) @ np.linalg.inv(linear).T)
