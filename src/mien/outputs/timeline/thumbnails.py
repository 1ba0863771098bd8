"""Small pictures of a track's face, taken where its expressions are at their peaks.

A run is a stretch in which one expression is shown; where a face is uncertain there is none. Of
each, the picture of its greatest confidence is kept; of many runs, the longest one of every
expression and then the longest ones.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mien.results import Box, Expression, Face
from mien.samples import Image

SIDE_PX = 112
"""Width and height of a thumbnail."""
MOST = 8
"""Thumbnails of a track, beside its portrait."""

_MARGIN = 1.35
"""Side of the picture in longer sides of the face's box."""
_LARGER = 1.25
_JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A face at one moment."""

    jpeg: bytes
    """A picture of `SIDE_PX` pixels a side."""
    time_s: float
    """When it was taken."""
    label: int
    """Class index of what was shown."""
    confidence: float
    """Probability of that class."""


@dataclass(slots=True, eq=False)
class _Run:
    """A stretch in which one expression is shown."""

    label: int
    start_s: float
    confidence: float
    time_s: float
    image_rgb: Image


class Thumbnails:
    """Collects the thumbnails of one track."""

    def __init__(self) -> None:
        self._run: _Run | None = None
        self._kept: list[tuple[float, Thumbnail]] = []
        self._portrait: Image | None = None
        self._portrait_worth = 0.0

    def add(self, image_rgb: Image, face: Face, expression: Expression, time_s: float) -> None:
        """Take the picture of a face, where it is better than what there is."""
        if expression.is_uncertain:
            self.end_run(time_s)
        else:
            self._follow(image_rgb, face, expression, time_s)
        worth = face.detection_score * face.box_xywh_px[2] * face.box_xywh_px[3]
        if worth > _LARGER * self._portrait_worth:
            self._portrait, self._portrait_worth = _cut(image_rgb, face.box_xywh_px), worth

    def end_run(self, time_s: float) -> None:
        """The expression that was shown is no longer, or the face is away."""
        if self._run is None:
            return
        self._kept.append((time_s - self._run.start_s, _thumbnail(self._run)))
        self._run = None
        if len(self._kept) > MOST:
            self._kept.remove(min(self._kept, key=self._worth))

    def shown(self) -> tuple[Thumbnail, ...]:
        """The thumbnails in the order of their times, with that of the run that goes on."""
        last = [] if self._run is None else [_thumbnail(self._run)]
        kept = [thumbnail for _, thumbnail in self._kept]
        return tuple(sorted([*kept, *last], key=lambda thumbnail: thumbnail.time_s))

    def portrait(self) -> bytes | None:
        """JPEG of the face where it was large and clear; None before the first picture."""
        return None if self._portrait is None else _jpeg(self._portrait)

    def _follow(self, image_rgb: Image, face: Face, expression: Expression, time_s: float) -> None:
        """Go on with a run, or begin one."""
        label, confidence = expression.index, expression.confidence
        run = self._run
        if run is None or run.label != label:
            self.end_run(time_s)
            cut = _cut(image_rgb, face.box_xywh_px)
            self._run = _Run(label, time_s, confidence, time_s, cut)
        elif confidence > run.confidence:
            run.confidence, run.time_s = confidence, time_s
            run.image_rgb = _cut(image_rgb, face.box_xywh_px)

    def _worth(self, entry: tuple[float, Thumbnail]) -> tuple[bool, float]:
        length_s, thumbnail = entry
        same = [length for length, other in self._kept if other.label == thumbnail.label]
        return length_s >= max(same), length_s


def _thumbnail(run: _Run) -> Thumbnail:
    return Thumbnail(_jpeg(run.image_rgb), run.time_s, run.label, run.confidence)


def _cut(image_rgb: Image, box_xywh_px: Box) -> Image:
    """A square around a face, moved into the picture."""
    x, y, width, height = box_xywh_px
    side = min(max(4, round(_MARGIN * max(width, height))), *image_rgb.shape[:2])
    left = min(max(0, round(x + (width - side) / 2)), image_rgb.shape[1] - side)
    top = min(max(0, round(y + (height - side) / 2)), image_rgb.shape[0] - side)
    square = image_rgb[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=method), np.uint8)


def _jpeg(image_rgb: Image) -> bytes:
    bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
