"""YuNet, a small convolutional face detector (Wu et al., 2023), through OpenCV.

It finds faces of about 60 to 450 pixels best, measured on upsampled FER-2013 tiles: 98 % at 160
pixels, 71 % at 640, 6 % at 1280. So a picture is searched twice: at 640 to 1280 pixels, to which
it is enlarged or reduced, for the small faces, and at 320 at most for those that fill it. Of
faces of 96 pixels in pictures of 320, 99 % are found so, in place of 92 % at their own size; of
faces of 48 pixels, 96 % in place of 58 % (see benchmark/chain.py). For video the search can be
limited to one pass at a smaller size.
"""

import threading
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.preprocessing import CropGeometry
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

LONGEST_SIDE_PX = 1280
"""Larger pictures are reduced to this: 50 ms on 2 cores, where 2560 takes 270."""

ENLARGED_SIDE_PX = 640
"""Smaller pictures are enlarged to this: 14 ms on 2 cores."""

THRESHOLD, VIDEO_THRESHOLD = 0.5, 0.7
"""Scores from which a face counts. Of 3,589 composed pictures 0.3 % showed a false face with 0.5
and with 0.6, but 98.7 in place of 97.9 % their face. In a video a false face would come and go."""

SMALLEST_FACE_PX = 24
"""Narrowest box that is found reliably, in pixels of the searched picture. Measured with
benchmark/face_sizes.py: faces with their shoulders are all found from 12 pixels on; of one that
fills its frame, shrunk onto a plain ground, 92 % from 24 and all from 30."""

_COARSE_SIDE_PX = 320
_SMALLEST_SIDE_PX = 160
_NMS_IOU = 0.3


class YuNet:
    """OpenCV's ``FaceDetectorYN``, with five landmarks per face. May be shared by threads.

    Args:
        model: the ONNX file, e.g. from ``mien.model.store.find("yunet")``.
        score_threshold: faces below it are dropped, in [0, 1]; where None, `THRESHOLD`, or
            `VIDEO_THRESHOLD` with a ``search_side_px``.
        minimum_side_px: faces narrower than this, in pixels of the picture, are dropped.
        search_side_px: search once, in a picture reduced to at most this longest side, as video
            needs it; None: as said above, which finds the smallest and the largest faces.

    Raises:
        ValueError: a ``search_side_px`` below 64.
        DetectorError: the file is not there or not a YuNet network.
    """

    name = "yunet"
    # Measured with: python benchmark/crop_geometry.py pixels.png yunet --model FILE
    crops: Mapping[str, CropGeometry] = {
        "fer2013": CropGeometry(
            1.23,
            0.0,
            0.01,
            landmarks=((-0.18, -0.115), (0.18, -0.115), (0.0, 0.1), (-0.15, 0.265), (0.15, 0.265)),
        )
    }

    def __init__(
        self,
        model: Path,
        *,
        score_threshold: float | None = None,
        minimum_side_px: float = 10.0,
        search_side_px: int | None = None,
    ) -> None:
        check_search_side(search_side_px)
        self._model = model
        self._asked_threshold = score_threshold
        self._search_side_px = search_side_px
        self._minimum_side_px = minimum_side_px
        if score_threshold is None:
            score_threshold = THRESHOLD if search_side_px is None else VIDEO_THRESHOLD
        self._lock = threading.Lock()  # input size and detection belong together
        try:
            # Bytes, so that OpenCV neither opens paths itself nor complains of them on stderr.
            content = np.frombuffer(model.read_bytes(), np.uint8)
            self._network = cv2.FaceDetectorYN.create(
                "onnx", content, np.empty(0, np.uint8), (320, 320), score_threshold, _NMS_IOU
            )
        except (OSError, cv2.error) as error:
            raise DetectorError(
                f"{model} is not a YuNet model; get a good copy with: mien fetch yunet"
            ) from error

    @property
    def search_side_px(self) -> int | None:
        """What it was made with; see `FaceDetector.search_side_px`."""
        return self._search_side_px

    def searching(self, search_side_px: int) -> "YuNet":
        """The same at another search size; see `FaceDetector.searching`."""
        return YuNet(
            self._model,
            score_threshold=self._asked_threshold,
            minimum_side_px=self._minimum_side_px,
            search_side_px=search_side_px,
        )

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        """Find the faces of a picture; see `FaceDetector.detect`."""
        check_picture(image_rgb)
        if self._search_side_px is None:
            rows = self._search_thoroughly(image_rgb)
        else:
            rows = self._search_once(image_rgb, self._search_side_px)
        found = (self._detection(row, image_rgb) for row in rows.astype(np.float64))
        return in_reading_order(face for face in found if face is not None)

    def minimum_face_px(self, width_px: int, height_px: int) -> float:
        """Width of the smallest box that is found; see `FaceDetector.minimum_face_px`."""
        longest = max(width_px, height_px)
        if self._search_side_px is None:
            side = min(max(longest, ENLARGED_SIDE_PX), LONGEST_SIDE_PX)
        else:
            side = min(max(longest, _SMALLEST_SIDE_PX), self._search_side_px)
        return max(SMALLEST_FACE_PX * longest / side, self._minimum_side_px)

    def _search_once(self, image_rgb: Image, side_px: int) -> NDArray[np.float32]:
        reduced = reduced_to(image_rgb, side_px)
        rows = self._search(reduced, min(max(max(reduced.shape[:2]), _SMALLEST_SIDE_PX), side_px))
        rows[:, :14] *= max(image_rgb.shape[:2]) / max(reduced.shape[:2])
        return rows

    def _search_thoroughly(self, image_rgb: Image) -> NDArray[np.float32]:
        """For small faces, and again for large ones."""
        longest = max(image_rgb.shape[:2])
        fine = min(max(longest, ENLARGED_SIDE_PX), LONGEST_SIDE_PX)
        coarse = min(max(longest, _SMALLEST_SIDE_PX), _COARSE_SIDE_PX)
        rows = np.concatenate([self._search(image_rgb, side) for side in (fine, coarse)])
        if len(rows):
            keep = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), 0.0, _NMS_IOU)
            rows = rows[np.asarray(keep, np.int64)]
        return rows

    def _search(self, image_rgb: Image, longest_side_px: int) -> NDArray[np.float32]:
        """Rows of x, y, width, height, ten landmark coordinates and the score, (n, 15)."""
        resized, scale = resized_to(image_rgb, longest_side_px)
        bgr = cv2.cvtColor(resized, cv2.COLOR_RGB2BGR)
        with self._lock:
            self._network.setInputSize((bgr.shape[1], bgr.shape[0]))
            found = self._network.detect(bgr)[1]
        rows = np.array([] if found is None else found, np.float32).reshape(-1, 15)
        rows[:, :14] /= scale
        return rows

    def _detection(self, row: NDArray[np.float64], image_rgb: Image) -> Detection | None:
        values = row.tolist()
        box = clipped((values[0], values[1], values[2], values[3]), image_rgb)
        if box is None or values[2] < self._minimum_side_px:
            return None
        landmarks = tuple((values[i], values[i + 1]) for i in range(4, 14, 2))
        return Detection(box, min(1.0, max(0.0, values[14])), landmarks)
