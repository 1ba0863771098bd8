"""No detection: the picture is a face already, as the tiles of a data set are."""

from collections import defaultdict
from collections.abc import Mapping

from mien.preprocessing import CropGeometry
from mien.recognition.detectors.detector import check_picture
from mien.results import Detection
from mien.samples import Image


class Whole:
    """Takes every picture for one face: the largest square in its middle, framed as it is."""

    name = "whole"
    crops: Mapping[str, CropGeometry] = defaultdict(lambda: CropGeometry(1.0, 0.0, 0.0))

    @property
    def search_side_px(self) -> int | None:
        """None: nothing is searched; see `FaceDetector.search_side_px`."""
        return None

    def searching(self, search_side_px: int) -> "Whole":
        """Itself; see `FaceDetector.searching`."""
        return self

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        """The picture as one face with score 1; see `FaceDetector.detect`."""
        check_picture(image_rgb)
        height, width = image_rgb.shape[:2]
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return (Detection((float(left), float(top), float(side), float(side)), 1.0),)

    def minimum_face_px(self, width_px: int, height_px: int) -> float:
        """The one face's side; see `FaceDetector.minimum_face_px`."""
        return float(min(width_px, height_px))
