"""Test-time augmentation: a face is classified from more than one view of it.

Evaluation and recognition share this one function, so what was measured is what is used. Only the
mirror image is there; ten crops, as published for FER-2013, would take five times as long again.
"""

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.results import TTA_KINDS, Tta
from mien.samples import Image


def averaged(
    probabilities_of: Callable[[Iterable[Image]], NDArray[np.float64]],
    faces: Sequence[Image],
    tta: Tta,
) -> NDArray[np.float64]:
    """Probabilities of faces, averaged over the views that the augmentation makes of each.

    Args:
        probabilities_of: takes faces, gives float (n, classes). It is called once, with the faces
            and, for ``"flip"``, their mirror images after them, so that one run does both.
        faces: uint8 (H, W, 3) or (H, W) each.
        tta: ``"none"``, or ``"flip"``: the mean of a face's and its mirror image's.

    Returns:
        float (n, classes), a row per face.

    Raises:
        ModelError: other than one row per face came back.
    """
    if tta == "none":
        return probabilities_of(faces)
    both = probabilities_of([*faces, *map(mirrored, faces)])
    if len(both) != 2 * len(faces):
        raise ModelError(
            f"the model returned {both.shape} for {2 * len(faces)} faces; its card does not fit "
            "its network"
        )
    return np.asarray((both[: len(faces)] + both[len(faces) :]) / 2)


def check_tta(tta: str) -> None:
    """Refuse what is no augmentation.

    Raises:
        ValueError: names those that there are.
    """
    if tta not in TTA_KINDS:
        raise ValueError(f"expected a tta of {', '.join(TTA_KINDS)}, got {tta!r}")


def mirrored(face: Image) -> Image:
    """The mirror image of a face, uint8 (H, W) or (H, W, 3), left to right."""
    # OpenCV turns colour pictures round 20 times as fast as NumPy; it drops a last axis of 1.
    return np.asarray(cv2.flip(face, 1), np.uint8).reshape(face.shape)
