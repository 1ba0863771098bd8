"""YuNet, a small convolutional face detector (Wu et al., 2023).

It finds faces of about 60 to 450 pixels best, measured on upsampled FER-2013 tiles: 98 % at 160
pixels, 71 % at 640, 6 % at 1280. So a picture is searched twice: at 640 to 1280 pixels, to which
it is enlarged or reduced, for the small faces, and at 320 at most for those that fill it. Of
faces of 96 pixels in pictures of 320, 99 % are found so, in place of 92 % at their own size; of
faces of 48 pixels, 96 % in place of 58 % (see benchmark/chain.py). For video the search can be
limited to one pass at a smaller size.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.model.sessions import ExecutionProvider
from mien.preprocessing import CropGeometry
from mien.recognition.detectors.detector import (
    check_picture,
    check_search_side,
    clipped,
    in_reading_order,
    reduced_to,
    resized_to,
)
from mien.recognition.detectors.second_look import LOOK_FROM_DEG, looked_at_again
from mien.recognition.detectors.yunet_network import NUMBERS as NETWORK_NUMBERS
from mien.recognition.detectors.yunet_network import YuNetNetwork, suppressed
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

MINIMUM_SIDE_PX = 10.0
"""Faces narrower than this, in pixels of the picture, are dropped."""

_COARSE_SIDE_PX = 320
_SMALLEST_SIDE_PX = 160

_LARGE_PX = 400
"""Faces that are wider than this in the picture of the fine search fall apart in it."""
_PART = 0.5
"""Share of its area with which a box lies in another one."""
_SAME_FACE_IOU = 0.5
"""Boxes of the two searches that share more than this of their union show the same face."""

NUMBERS = {
    **NETWORK_NUMBERS,
    "threshold": THRESHOLD,
    "video_threshold": VIDEO_THRESHOLD,
    "longest_side_px": LONGEST_SIDE_PX,
    "enlarged_side_px": ENLARGED_SIDE_PX,
    "coarse_side_px": _COARSE_SIDE_PX,
    "smallest_side_px": _SMALLEST_SIDE_PX,
    "smallest_face_px": SMALLEST_FACE_PX,
    "minimum_side_px": MINIMUM_SIDE_PX,
    "large_px": _LARGE_PX,
    "part": _PART,
    "same_face_iou": _SAME_FACE_IOU,
}
"""As of `mien.recognition.tracks.NUMBERS`."""


class YuNet:
    """Faces of pictures, with five landmarks each. May be shared by threads.

    Args:
        model: the pinned ONNX file, from ``mien.model.store.find("yunet")``, or its content.
        score_threshold: faces below it are dropped, in [0, 1]; where None, `THRESHOLD`, or
            `VIDEO_THRESHOLD` for a search in one pass.
        minimum_side_px: faces narrower than this, in pixels of the picture, are dropped.
        search_side_px: search once, in a picture reduced to at most this longest side, as video
            needs it; None: as said above, which finds the smallest and the largest faces.
        thoroughly: search as said above, with ``search_side_px`` in place of `LONGEST_SIDE_PX`.
        threads: processor threads for one picture; 2, or 1 where this process may use a single
            processor, where None. 1 is best where several threads call `detect`.
        provider: what computes the network.

    Raises:
        ValueError: a ``search_side_px`` below 64.
        MissingExtraError: the installed ONNX Runtime does not have that provider.
        DetectorError: the file is not there or not a YuNet network.
    """

    name = "yunet"
    # Measured with: python benchmark/crop_geometry.py pixels.png yunet --model FILE
    crops: Mapping[str, CropGeometry] = {
        "fer2013": CropGeometry(
            side_per_width=1.23,
            shift_x=0.0,
            shift_y=0.01,
            landmarks=((-0.18, -0.115), (0.18, -0.115), (0.0, 0.1), (-0.15, 0.265), (0.15, 0.265)),
        )
    }

    def __init__(
        self,
        model: Path | bytes,
        *,
        score_threshold: float | None = None,
        minimum_side_px: float = MINIMUM_SIDE_PX,
        search_side_px: int | None = None,
        thoroughly: bool = False,
        threads: int | None = None,
        provider: ExecutionProvider = "cpu",
    ) -> None:
        check_search_side(search_side_px)
        self._asked_threshold = score_threshold
        self._search_side_px = search_side_px
        is_thorough = thoroughly or search_side_px is None
        self._single_side_px = None if is_thorough else search_side_px
        self._fine_side_px = search_side_px or LONGEST_SIDE_PX
        self._minimum_side_px = minimum_side_px
        if score_threshold is None:
            score_threshold = THRESHOLD if is_thorough else VIDEO_THRESHOLD
        self._score_threshold = score_threshold
        try:
            content = model if isinstance(model, bytes) else model.read_bytes()
            self._network = YuNetNetwork(content, threads=threads, provider=provider)
        except (OSError, DetectorError) as error:
            reason = getattr(error, "strerror", None) or error
            name = "the file of YuNet" if isinstance(model, bytes) else model
            raise DetectorError(
                f"cannot use {name}: {reason}; get a good copy with: mien fetch yunet"
            ) from error

    @property
    def search_side_px(self) -> int | None:
        """What it was made with; see `FaceDetector.search_side_px`."""
        return self._search_side_px

    def searching(self, search_side_px: int) -> "YuNet":
        """The same at another search size; see `FaceDetector.searching`."""
        check_search_side(search_side_px)
        if self._single_side_px == search_side_px:
            return self
        other = copy(self)  # they share the network
        other._search_side_px = other._single_side_px = search_side_px
        if self._asked_threshold is None:
            other._score_threshold = VIDEO_THRESHOLD
        return other

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        """Find the faces of a picture; see `FaceDetector.detect`."""
        check_picture(image_rgb)
        if self._single_side_px is None:
            rows = self._search_thoroughly(image_rgb)
        else:
            rows = self._search_once(image_rgb, self._single_side_px)
        found = (self._detection(row, image_rgb) for row in rows.astype(np.float64))
        return in_reading_order(face for face in found if face is not None)

    def look_again(
        self,
        image_rgb: Image,
        faces: Sequence[Detection],
        *,
        from_deg: float = LOOK_FROM_DEG,
    ) -> tuple[Detection, ...]:
        """Faces of a picture with better landmarks where they are tilted; see `LooksAgain`."""
        return looked_at_again(self._network, image_rgb, faces, self.crops["fer2013"], from_deg)

    def rest(self) -> None:
        """Give back the memory that large pictures took; what is found later is the same."""
        self._network.rest()

    def minimum_face_px(self, width_px: int, height_px: int) -> float:
        """Width of the smallest box that is found; see `FaceDetector.minimum_face_px`."""
        longest = max(width_px, height_px)
        if self._single_side_px is None:
            side = self._fine_side(longest)
        else:
            side = min(max(longest, _SMALLEST_SIDE_PX), self._single_side_px)
        return max(SMALLEST_FACE_PX * longest / side, self._minimum_side_px)

    def _fine_side(self, longest_side_px: int) -> int:
        """Longest side of the picture that is searched for small faces."""
        return min(max(longest_side_px, ENLARGED_SIDE_PX), self._fine_side_px)

    def _search_once(self, image_rgb: Image, side_px: int) -> NDArray[np.float32]:
        reduced = reduced_to(image_rgb, side_px)
        rows = self._search(reduced, min(max(max(reduced.shape[:2]), _SMALLEST_SIDE_PX), side_px))
        rows[:, :14] *= max(image_rgb.shape[:2]) / max(reduced.shape[:2])
        return rows

    def _search_thoroughly(self, image_rgb: Image) -> NDArray[np.float32]:
        """For small faces, and again for large ones."""
        longest = max(image_rgb.shape[:2])
        fine = self._fine_side(longest)
        coarse = min(max(longest, _SMALLEST_SIDE_PX), _COARSE_SIDE_PX)
        if fine <= coarse:
            return self._search(image_rgb, fine)
        fine_rows, coarse_rows = (self._search(image_rgb, side) for side in (fine, coarse))
        rows = np.concatenate([fine_rows, coarse_rows])
        rows = suppressed(rows, rows[:, :4].astype(np.float64))
        return rows[~_are_parts(rows, coarse_rows, fine / longest, coarse / longest)]

    def _search(self, image_rgb: Image, longest_side_px: int) -> NDArray[np.float32]:
        """Rows of x, y, width, height, ten landmark coordinates and the score, (n, 15)."""
        resized, scale = resized_to(image_rgb, longest_side_px)
        rows = self._network.find(resized, self._score_threshold)
        rows[:, :14] /= scale
        return rows

    def _detection(self, row: NDArray[np.float64], image_rgb: Image) -> Detection | None:
        values = row.tolist()
        box = clipped((values[0], values[1], values[2], values[3]), image_rgb)
        if box is None or values[2] < self._minimum_side_px:
            return None
        landmarks = tuple((values[i], values[i + 1]) for i in range(4, 14, 2))
        return Detection(box, min(1.0, max(0.0, values[14])), landmarks)


def _are_parts(
    rows: NDArray[np.float32],
    coarse_rows: NDArray[np.float32],
    fine_scale: float,
    coarse_scale: float,
) -> NDArray[np.bool_]:
    """Which boxes show a part of a larger face, as an eye and a cheek, (n,).

    The fine search takes halves of very large faces for faces. The coarse one does not: of 1,242
    such boxes in eleven people's close-ups it found none. A child before its mother's face is found
    by both.

    Args:
        rows: all faces, (n, 15).
        coarse_rows: those of the coarse search, (m, 15).
        fine_scale: pixels of the fine search per pixel of the picture.
        coarse_scale: likewise.
    """
    areas, scores, widths = rows[:, 2] * rows[:, 3], rows[:, 14], rows[:, 2]
    contains = _shared_areas(rows, rows) >= _PART * areas[:, np.newaxis]
    contains &= (areas > areas[:, np.newaxis]) & (scores > scores[:, np.newaxis])
    contains &= widths * fine_scale > _LARGE_PX
    shared = _shared_areas(rows, coarse_rows)
    union = np.add.outer(areas, coarse_rows[:, 2] * coarse_rows[:, 3]) - shared
    is_face = (shared > _SAME_FACE_IOU * union).any(axis=1)
    # Those that are too small for the coarse search have to be certain.
    is_face |= (widths * coarse_scale < SMALLEST_FACE_PX) & (scores >= VIDEO_THRESHOLD)
    return np.asarray(contains.any(axis=1) & ~is_face)


def _shared_areas(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Areas that boxes have in common, (n, m)."""
    one, other = first[:, np.newaxis, :4], second[np.newaxis, :, :4]
    corner = np.maximum(one[..., :2], other[..., :2])
    sides = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:]) - corner
    return np.asarray(np.maximum(sides, 0.0).prod(axis=-1))
