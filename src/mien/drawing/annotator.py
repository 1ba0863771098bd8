"""Draw results onto pictures: boxes, labels and the distribution of each face."""

from dataclasses import dataclass

import cv2
import numpy as np

from mien.drawing.chart import draw_bars, panel_of
from mien.drawing.outline import draw_dashes, draw_outline
from mien.drawing.placement import (
    Rect,
    distance,
    place_chart,
    place_tag,
    shortest_line,
)
from mien.drawing.sprites import Sprite
from mien.drawing.style import BLACK, PANEL, Style, style_for
from mien.drawing.tags import face_color, tag_sprites
from mien.results import Face, FrameResult
from mien.samples import Image

_LARGEST_CHART = 2.0
"""Height of a chart in heights of its face; a larger one would seem to belong to others."""
_HIDDEN_FOR_S = 0.5
"""A chart that had to give way stays away for so long, so that it does not flicker."""
_FORGOTTEN_AFTER_S = 2.0
_ELBOW_ROOM = 4
"""Free space around a chart that comes back or moves, in line widths."""


@dataclass(slots=True)
class _Places:
    """Where a track's tag and chart stood."""

    seen_s: float
    tag: int | None = None
    chart: int | None = None
    hidden_s: float | None = None
    """When the chart had to give way; None while it is shown, or was never."""


@dataclass(slots=True)
class _Drawn:
    """One face of the frame that is being drawn."""

    face: Face
    rect: Rect
    places: _Places
    tag: tuple[Sprite, ...]
    tag_rect: Rect
    chart: Sprite | None = None
    chart_rect: Rect | None = None


class Annotator:
    """Draws the results of one video: tags and charts keep their places from frame to frame.

    Remembers where the tag and the chart of every track stood in the last two seconds. Used by
    one thread; for single pictures there is `annotate`.
    """

    def __init__(self) -> None:
        self._places: dict[int, _Places] = {}
        self._time_s = 0.0

    def annotate(self, image_rgb: Image, result: FrameResult) -> Image:
        """Draw a result onto a copy of its frame; arguments and errors as of `annotate`."""
        self._forget(result.time_s)
        return _annotated(image_rgb, result, self._places)

    def _forget(self, time_s: float) -> None:
        if time_s < self._time_s:
            self._places.clear()  # another video begins
        self._time_s = time_s
        for track, places in list(self._places.items()):
            if time_s - places.seen_s > _FORGOTTEN_AFTER_S:
                del self._places[track]


def annotate(image_rgb: Image, result: FrameResult) -> Image:
    """Draw a result onto a copy of its picture.

    Args:
        image_rgb: uint8 (H, W, 3) RGB, the picture that was recognised.
        result: its faces, of any number.

    Returns:
        uint8 (H, W, 3) RGB; the input is not changed.

    Raises:
        ValueError: the picture does not have the result's size.
    """
    return _annotated(image_rgb, result, {})


def _annotated(image_rgb: Image, result: FrameResult, remembered: dict[int, _Places]) -> Image:
    height, width = image_rgb.shape[:2]
    if (width, height) != (result.width_px, result.height_px):
        raise ValueError(
            f"expected a picture of {result.width_px} x {result.height_px}, got {width} x {height}"
        )
    drawn = np.array(image_rgb, np.uint8, order="C")
    if not result.faces:
        return drawn
    style = style_for(width, height)
    faces = _with_tags(result, style, remembered)
    _place_charts(faces, style, result, remembered)
    for item in faces:
        _draw_box(drawn, item, style)
    for item in faces:
        _draw_chart(drawn, item, style)
    for item in faces:
        left, top = item.tag_rect[:2]
        for sprite in item.tag:
            sprite.lay(drawn, left, top)
            left += sprite.width
    return drawn


def _with_tags(result: FrameResult, style: Style, remembered: dict[int, _Places]) -> list[_Drawn]:
    """The faces, and a place for the tag of each."""
    picture = (result.width_px, result.height_px)
    rects = [_rect(face) for face in result.faces]
    faces: list[_Drawn] = []
    tags: list[Rect] = []
    for number, face in enumerate(result.faces):
        places = _Places(result.time_s)
        if face.track is not None:
            places = remembered.setdefault(face.track, places)
            places.seen_s = result.time_s
        sprites = tag_sprites(face, style, result.width_px)
        extent = (sum(sprite.width for sprite in sprites), sprites[0].height)
        others = [*rects[:number], *rects[number + 1 :], *tags]
        places.tag, tag = place_tag(rects[number], extent, others, picture, style.gap, places.tag)
        tags.append(tag)
        faces.append(_Drawn(face, rects[number], places, sprites, tag))
    return faces


def _place_charts(
    faces: list[_Drawn], style: Style, result: FrameResult, remembered: dict[int, _Places]
) -> None:
    """Find a place for the chart of each face, where there is room."""
    taken = [rect for item in faces for rect in (item.rect, item.tag_rect)]
    panels: dict[int, Sprite] = {}  # by identity: hashing a label set takes as long as drawing
    for item in faces:
        places, expression = item.places, item.face.expression
        if expression is None:
            continue
        if places.hidden_s is not None and result.time_s - places.hidden_s < _HIDDEN_FOR_S:
            continue
        panel = panels.get(id(expression.label_set))
        if panel is None:
            panel = panels[id(expression.label_set)] = panel_of(expression.label_set, style)
        was_there = places.chart is not None
        known = was_there or places.hidden_s is not None
        largest = _LARGEST_CHART * (1.1 if was_there else 1.0) * (item.rect[3] - item.rect[1])
        found = None
        if panel.height <= largest:
            found = place_chart(
                item.rect,
                item.tag_rect,
                (panel.width, panel.height),
                taken,
                (result.width_px, result.height_px),
                2 * style.gap,
                before=places.chart,
                margin=_ELBOW_ROOM * style.line if known else 0,
            )
        if found is None:
            if was_there:
                places.chart, places.hidden_s = None, result.time_s
            continue
        places.chart, item.chart_rect = found
        item.chart, places.hidden_s = panel, None
        taken.append(item.chart_rect)


def _draw_box(image_rgb: Image, item: _Drawn, style: Style) -> None:
    line, radius = style.line, 4 * style.line
    color, expression = face_color(item.face), item.face.expression
    draw_outline(image_rgb, item.rect, color, line=line, rim=style.rim, radius=radius)
    if expression is not None and expression.is_uncertain:
        draw_dashes(image_rgb, item.rect, PANEL, line=line, radius=radius)


def _draw_chart(image_rgb: Image, item: _Drawn, style: Style) -> None:
    panel, expression = item.chart_rect, item.face.expression
    if panel is None or item.chart is None or expression is None:
        return
    color = face_color(item.face)
    if distance(panel, item.rect) > 4 * style.gap:
        nearest = min((item.rect, item.tag_rect), key=lambda rect: distance(panel, rect))
        start, end = shortest_line(panel, nearest)
        for ink, width in ((BLACK, style.line + 2 * style.rim), (color, style.line)):
            cv2.line(image_rgb, start, end, ink, width, cv2.LINE_AA)
    item.chart.lay(image_rgb, panel[0], panel[1])
    draw_outline(
        image_rgb, panel, color, line=max(1, style.line // 2), rim=0, radius=style.chart_pad
    )
    draw_bars(image_rgb, panel, expression, style)


def _rect(face: Face) -> Rect:
    """The box in whole pixels, one at least."""
    x, y, width, height = face.box_xywh_px
    left, top = round(x), round(y)
    return left, top, max(left + 1, round(x + width)), max(top + 1, round(y + height))
