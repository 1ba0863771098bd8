"""Stand-ins for tests, the package's own and yours: no model file, known results."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mien.preprocessing import CropGeometry
from mien.recognition.detectors.detector import check_picture, clipped, in_reading_order
from mien.results import Box, Detection
from mien.samples import Image


class FixedFaces:
    """A detector that finds the same boxes in every picture.

    Args:
        boxes_xywh_px: left, top, width and height of each, in pixels; clipped to the picture,
            and dropped where their centre lies outside of it.
        score: the score of each.
    """

    name = "fixed"
    crops: Mapping[str, CropGeometry] = defaultdict(lambda: CropGeometry(1.0, 0.0, 0.0))

    def __init__(self, boxes_xywh_px: Sequence[Box], *, score: float = 1.0) -> None:
        self._boxes_xywh_px = tuple(boxes_xywh_px)
        self._score = score

    @property
    def search_side_px(self) -> int | None:
        """None: nothing is searched; see `FaceDetector.search_side_px`."""
        return None

    def searching(self, search_side_px: int) -> "FixedFaces":
        """Itself; see `FaceDetector.searching`."""
        return self

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        """The fixed boxes; see `FaceDetector.detect`."""
        check_picture(image_rgb)
        boxes = (clipped(box, image_rgb) for box in self._boxes_xywh_px)
        return in_reading_order(Detection(box, self._score) for box in boxes if box is not None)

    def minimum_face_px(self, width_px: int, height_px: int) -> float:
        """1, whatever the size; see `FaceDetector.minimum_face_px`."""
        return 1.0
