"""The interface of face detectors: RGB picture in, boxes out.

Implementations lie in `mien.recognition.detectors`, one file each; `load_detector` there chooses
by name. A new one has to pass tests/conformance/test_detectors.py and to say, per framing of
training faces, which square around its box a network should see (benchmark/crop_geometry.py
measures it).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from mien.preprocessing import CropGeometry
from mien.results import Box, Detection
from mien.samples import Image

SMALLEST_SEARCH_SIDE_PX = 64
"""What pictures can be reduced to at most."""


class FaceDetector(Protocol):
    """Finds faces in pictures. The same picture gives the same faces."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in results."""
        ...

    @property
    def crops(self) -> Mapping[str, CropGeometry]:
        """From the detector's box to the crop, per framing of the training faces."""
        ...

    @property
    def search_side_px(self) -> int | None:
        """Longest side to which pictures are reduced for the search; None: as photos deserve."""
        ...

    def searching(self, search_side_px: int) -> "FaceDetector":
        """The same detector at another search size; this one is as it was.

        Args:
            search_side_px: pictures are reduced to at most this longest side, as video needs it.
                Detectors that search nothing do not heed it.

        Raises:
            ValueError: below `SMALLEST_SEARCH_SIDE_PX`.
        """
        ...

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        """Find the faces of a picture.

        Args:
            image_rgb: uint8 (H, W, 3) RGB, of any size from 1 x 1.

        Returns:
            The faces from left to right, then from top to bottom, boxes clipped to the picture;
            empty where there are none.

        Raises:
            ValueError: the picture is not uint8 (H, W, 3).
        """
        ...

    def minimum_face_px(self, width_px: int, height_px: int) -> float:
        """Width of the smallest box that is found reliably in pictures of a size.

        Args:
            width_px: width of the pictures.
            height_px: height of the pictures.

        Returns:
            Pixels of the picture. Smaller faces may be found, but need not be.
        """
        ...


@runtime_checkable
class LooksAgain(Protocol):
    """A detector that can find the landmarks of tilted faces better than at first."""

    @property
    def search_side_px(self) -> int | None:
        """As of `FaceDetector`."""
        ...

    def look_again(
        self, image_rgb: Image, faces: Sequence[Detection], *, from_deg: float = ...
    ) -> tuple[Detection, ...]:
        """Faces with better landmarks; boxes and scores stay.

        Args:
            image_rgb: uint8 (H, W, 3) RGB.
            faces: what was found in it.
            from_deg: faces that seem to be tilted by less are taken as they were found; where it
                is not given, what photos deserve.

        Returns:
            As many, in the same order.
        """
        ...


def check_picture(image_rgb: Image) -> None:
    """Refuse what is not a picture.

    Raises:
        ValueError: not uint8 (H, W, 3) with at least one pixel.
    """
    shape = image_rgb.shape
    if image_rgb.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"expected uint8 (H, W, 3) RGB, got {image_rgb.dtype} {shape}")


def resized_to(image: Image, longest_side_px: float) -> tuple[Image, float]:
    """A picture at another size.

    Args:
        image: uint8 (H, W, 3) or (H, W).
        longest_side_px: what its longest side becomes.

    Returns:
        The picture, and by how much its coordinates were multiplied.
    """
    height, width = image.shape[:2]
    scale = longest_side_px / max(height, width)
    if scale == 1.0:
        return image, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8), scale


def reduced_to(image: Image, longest_side_px: int) -> Image:
    """A picture at no more than this size, quickly: for detection in video.

    Large pictures go through a linear step to twice the size, then areas of four pixels are
    averaged: 0.35 ms for 1920 x 1080 on one core, where averaging all areas takes 1.7.

    Args:
        image: uint8 (H, W, 3) or (H, W).
        longest_side_px: what its longest side becomes where it is longer.

    Returns:
        uint8 (h, w, 3) or (h, w), the picture itself where it is small enough.
    """
    height, width = image.shape[:2]
    scale = longest_side_px / max(height, width)
    if scale >= 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 0.5:
        twice = (2 * size[0], 2 * size[1])
        image = np.asarray(cv2.resize(image, twice, interpolation=cv2.INTER_LINEAR), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def check_search_side(search_side_px: int | None) -> None:
    """Refuse to search at a size where no face is left.

    Raises:
        ValueError: below `SMALLEST_SEARCH_SIDE_PX`.
    """
    if search_side_px is not None and search_side_px < SMALLEST_SEARCH_SIDE_PX:
        raise ValueError(
            f"expected a search_side_px of at least {SMALLEST_SEARCH_SIDE_PX}, got {search_side_px}"
        )


def clipped(box_xywh_px: Box, image: Image) -> Box | None:
    """The part of a box inside the picture; None where its centre lies outside."""
    x, y, width, height = box_xywh_px
    rows, columns = image.shape[:2]
    if not (0 <= x + width / 2 <= columns and 0 <= y + height / 2 <= rows):
        return None
    left, top = max(0.0, x), max(0.0, y)
    width, height = min(x + width, columns) - left, min(y + height, rows) - top
    return (left, top, width, height) if width > 0 and height > 0 else None


def in_reading_order(detections: Iterable[Detection]) -> tuple[Detection, ...]:
    """Detections from left to right, then from top to bottom."""
    return tuple(sorted(detections, key=lambda found: found.box_xywh_px))
