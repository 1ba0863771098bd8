"""The Haar cascade that comes with OpenCV (Viola and Jones, 2001): always there, frontal faces.

It is slow on large pictures and sees faces in patterns; the score, a squashed margin of the
cascade's last stage, drops the most doubtful ones. Equalising the histogram first was tried and
left out: it found a sixth fewer of FER-2013's faces.
"""

import math
import threading
from collections.abc import Mapping
from pathlib import Path

import cv2

from mien.errors import DetectorError
from mien.preprocessing import CropGeometry, to_grey
from mien.recognition.detectors.detector import (
    check_picture,
    check_search_side,
    clipped,
    in_reading_order,
    reduced_to,
    resized_to,
)
from mien.results import Detection
from mien.samples import Image

LONGEST_SIDE_PX = 1000
"""Larger pictures are reduced to this: 0.17 s on 2 cores."""

_CASCADE = "haarcascade_frontalface_default.xml"
_EVEN_MARGIN = 3.0


class Haar:
    """OpenCV's ``detectMultiScale``. May be shared by threads.

    Args:
        score_threshold: faces below it are dropped, in [0, 1]. The score is
            ``1 / (1 + exp(3 - m))`` of the last stage's margin m: on FER-2013 tiles 95 % of the
            faces score above 0.47, and 98 % above the default.
        minimum_side_px: smallest face, in pixels of the reduced picture; the cascade's own
            window has 24.
        scale_factor: step between the sizes that are searched, above 1.
        minimum_neighbors: how many overlapping windows must agree.
        search_side_px: reduce pictures to at most this longest side, as video needs it; None:
            to 1000.

    Raises:
        ValueError: a ``search_side_px`` below 64.
        DetectorError: this build of OpenCV has no cascades.
    """

    name = "haar"
    # Measured with: python benchmark/crop_geometry.py pixels.png haar
    crops: Mapping[str, CropGeometry] = {"fer2013": CropGeometry(1.02, 0.0, 0.0)}

    def __init__(
        self,
        *,
        score_threshold: float = 0.25,
        minimum_side_px: int = 24,
        scale_factor: float = 1.1,
        minimum_neighbors: int = 5,
        search_side_px: int | None = None,
    ) -> None:
        check_search_side(search_side_px)
        self._search_side_px = search_side_px
        self._score_threshold = score_threshold
        self._minimum_side_px = minimum_side_px
        self._scale_factor = scale_factor
        self._minimum_neighbors = minimum_neighbors
        self._lock = threading.Lock()
        path = Path(cv2.__file__).parent / "data" / _CASCADE
        if not path.is_file() or not hasattr(cv2, "CascadeClassifier"):
            raise DetectorError(
                "this build of OpenCV has no Haar cascades; "
                "install opencv-python-headless below 5, or use YuNet: mien fetch yunet"
            )
        self._cascade = cv2.CascadeClassifier(str(path))

    @property
    def search_side_px(self) -> int | None:
        """What it was made with; see `FaceDetector.search_side_px`."""
        return self._search_side_px

    def searching(self, search_side_px: int) -> "Haar":
        """The same at another search size; see `FaceDetector.searching`."""
        if self._search_side_px == search_side_px:
            return self
        return Haar(
            score_threshold=self._score_threshold,
            minimum_side_px=self._minimum_side_px,
            scale_factor=self._scale_factor,
            minimum_neighbors=self._minimum_neighbors,
            search_side_px=search_side_px,
        )

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        """Find the faces of a picture; see `FaceDetector.detect`."""
        check_picture(image_rgb)
        if self._search_side_px is None:
            side = min(max(image_rgb.shape[:2]), LONGEST_SIDE_PX)
            grey, scale = resized_to(to_grey(image_rgb), side)
        else:
            grey = to_grey(reduced_to(image_rgb, self._search_side_px))
            scale = max(grey.shape) / max(image_rgb.shape[:2])
        if min(grey.shape) < self._minimum_side_px:
            return ()
        with self._lock:
            boxes, _, margins = self._cascade.detectMultiScale3(
                grey,
                scaleFactor=self._scale_factor,
                minNeighbors=self._minimum_neighbors,
                minSize=(self._minimum_side_px, self._minimum_side_px),
                outputRejectLevels=True,
            )
        found = []
        for xywh, margin in zip(boxes, margins, strict=True):
            x, y, width, height = (float(value) for value in xywh)
            score = 1.0 / (1.0 + math.exp(_EVEN_MARGIN - float(margin)))
            box = clipped((x / scale, y / scale, width / scale, height / scale), image_rgb)
            if score >= self._score_threshold and box is not None:
                found.append(Detection(box, score))
        return in_reading_order(found)

    def minimum_face_px(self, width_px: int, height_px: int) -> float:
        """Side of the cascade's smallest window; see `FaceDetector.minimum_face_px`.

        The cascade misses some faces at any size.
        """
        longest = max(width_px, height_px)
        return (
            self._minimum_side_px * longest / min(longest, self._search_side_px or LONGEST_SIDE_PX)
        )
