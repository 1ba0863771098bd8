"""Draw results onto pictures: boxes, labels and the distribution of each face.

Everything scales with the picture, so that it reads alike at 360p and at 4K, and stands on
panels of its own, so that it reads on light and on dark. Tags and charts are placed one after
another where they cover neither faces nor each other, and they never leave the picture.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from mien.results import Face, FrameResult
from mien.samples import Image

_Rect = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""
_Rgb = tuple[int, int, int]

_PANEL = (20, 22, 26, 205)
_TRACK = (255, 255, 255, 40)
_WHITE = (255, 255, 255)
_BLACK = (0, 0, 0)
_SMALLEST_BAR = 0.005
"""Probability below which a bar would be a sliver that says 0 %."""
_UNCLASSIFIED = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class _Style:
    """Sizes in pixels, all derived from the picture's size."""

    line: float
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    small: ImageFont.FreeTypeFont | ImageFont.ImageFont
    text: float
    small_text: float


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
    height, width = image_rgb.shape[:2]
    if (width, height) != (result.width_px, result.height_px):
        raise ValueError(
            f"expected a picture of {result.width_px} x {result.height_px}, got {width} x {height}"
        )
    if not result.faces:
        return image_rgb.copy()
    picture = PillowImage.fromarray(image_rgb.copy())
    draw = ImageDraw.Draw(picture, "RGBA")  # blends what is drawn half transparent
    style = _style_for(width, height)
    for face in result.faces:
        _draw_box(draw, face, style)
    taken = [_rect(face) for face in result.faces]
    tags = []
    for face in result.faces:
        tags.append(_draw_tag(draw, face, style, taken, (width, height)))
        taken.append(tags[-1])
    for face, tag in zip(result.faces, tags, strict=True):
        chart = _draw_chart(draw, face, tag, style, taken, (width, height))
        if chart is not None:
            taken.append(chart)
    return np.array(picture, np.uint8)


def _style_for(width_px: int, height_px: int) -> _Style:
    # The geometric mean, so that a panorama's text is not as large as its long side asks for.
    size = float(np.sqrt(width_px * height_px))
    text, small_text = max(11.0, size / 38), max(9.5, size / 54)
    return _Style(
        line=max(1.0, size / 320),
        font=ImageFont.load_default(text),
        small=ImageFont.load_default(small_text),
        text=text,
        small_text=small_text,
    )


def _whole(length_px: float) -> int:
    """A length that can be drawn: whole pixels, at least 1."""
    return max(1, round(length_px))


def _rect(face: Face) -> _Rect:
    x, y, width, height = face.box_xywh_px
    return x, y, x + width, y + height


def _color(face: Face) -> _Rgb:
    return _UNCLASSIFIED if face.expression is None else face.expression.label.color_rgb


def _ink_on(color: _Rgb) -> _Rgb:
    """Black or white, whichever reads better on a colour (ITU-R 601 luma)."""
    luma = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    return _BLACK if luma > 140 else _WHITE


def _draw_box(draw: ImageDraw.ImageDraw, face: Face, style: _Style) -> None:
    left, top, right, bottom = _rect(face)
    radius = min(4 * style.line, (right - left) / 4, (bottom - top) / 4)
    # A dark rim under the coloured line keeps it visible on a background of its own colour.
    rim = _whole(style.line / 2)
    for grown, color, line in ((rim, (0, 0, 0, 110), 2 * rim), (0, (*_color(face), 255), 0)):
        draw.rounded_rectangle(
            (left - grown, top - grown, right - 1 + grown, bottom - 1 + grown),
            radius=radius + grown,
            outline=color,
            width=_whole(style.line) + line,
        )


def _draw_tag(
    draw: ImageDraw.ImageDraw,
    face: Face,
    style: _Style,
    taken: list[_Rect],
    size: tuple[int, int],
) -> _Rect:
    """Label and confidence on a filled tag; returns its place."""
    if face.expression is None:
        words = "face"
    else:
        words = f"{face.expression.label.display_name} {face.expression.confidence:.0%}"
    if face.track is not None:
        words = f"#{face.track} {words}"
    pad = style.text * 0.3
    width = draw.textlength(words, font=style.font) + 2 * pad
    height = style.text + 2 * pad
    left, top, right, bottom = _rect(face)
    gap = style.line
    places = [
        (left, top - height - gap),
        (right - width, top - height - gap),
        (left, bottom + gap),
        (right - width, bottom + gap),
        (left - width - gap, top),
        (right + gap, top),
        (left, top + gap),
        (left, bottom - height - gap),
    ]
    others = [rect for rect in taken if rect != _rect(face)]
    place = _least_covered(places, (width, height), others, size)
    color = _color(face)
    draw.rounded_rectangle(place, radius=_whole(pad), fill=color)
    center = (place[0] + pad, (place[1] + place[3]) / 2)
    draw.text(center, words, font=style.font, fill=_ink_on(color), anchor="lm")
    return place


def _draw_chart(
    draw: ImageDraw.ImageDraw,
    face: Face,
    tag: _Rect,
    style: _Style,
    taken: list[_Rect],
    size: tuple[int, int],
) -> _Rect | None:
    """Bars of all classes on a panel beside or below the face; None where there is no room."""
    expression = face.expression
    if expression is None:
        return None
    pad, row = style.small_text * 0.5, style.small_text * 1.35
    names = [label.display_name for label in expression.label_set]
    name_width = max(draw.textlength(name, font=style.small) for name in names)
    bar_width = style.small_text * 4.5
    width = name_width + bar_width + 3 * pad
    height = row * len(names) + 2 * pad
    left, top, right, bottom = _rect(face)
    gap = 2 * style.line
    places = [
        (right + gap, top),
        (left - width - gap, top),
        (right + gap, bottom - height),
        (left - width - gap, bottom - height),
        ((left + right - width) / 2, max(bottom, tag[3]) + gap),
        ((left + right - width) / 2, min(top, tag[1]) - height - gap),
    ]
    place = _least_covered(places, (width, height), taken, size)
    too_large = width > size[0] or height > size[1] or height > 2 * (bottom - top)
    if too_large or _covered(place, taken) > 0:
        return None
    if _gap(place, _rect(face)) > 2 * gap:
        nearest = min((_rect(face), tag), key=lambda rect: _gap(place, rect))
        _draw_leader(draw, place, nearest, face, style)
    draw.rounded_rectangle(place, radius=_whole(pad), fill=_PANEL)
    draw.rounded_rectangle(
        place, radius=_whole(pad), outline=_color(face), width=_whole(style.line / 2)
    )
    for number, label in enumerate(expression.label_set):
        middle = place[1] + pad + row * (number + 0.5)
        draw.text(
            (place[0] + pad, middle), names[number], font=style.small, fill=_WHITE, anchor="lm"
        )
        start = place[0] + 2 * pad + name_width
        half = row * 0.3
        draw.rectangle((start, middle - half, start + bar_width, middle + half), fill=_TRACK)
        if expression.probabilities[number] < _SMALLEST_BAR:
            continue
        end = start + bar_width * expression.probabilities[number]
        draw.rectangle((start, middle - half, end, middle + half), fill=(*label.color_rgb, 255))
    return place


def _draw_leader(
    draw: ImageDraw.ImageDraw, panel: _Rect, end: _Rect, face: Face, style: _Style
) -> None:
    """A line from a panel that stands away from its face to the face or its tag."""
    (x, to_x), (y, to_y) = (_facing(panel, end, axis) for axis in (0, 1))
    for color, width in ((_BLACK, style.line + 2), (_color(face), style.line)):
        draw.line((x, y, to_x, to_y), fill=(*color, 255), width=_whole(width))


def _facing(a: _Rect, b: _Rect, axis: int) -> tuple[float, float]:
    """Where the shortest line between two rectangles begins and ends on an axis."""
    if a[axis + 2] < b[axis]:
        return a[axis + 2], b[axis]
    if b[axis + 2] < a[axis]:
        return a[axis], b[axis + 2]
    middle = (max(a[axis], b[axis]) + min(a[axis + 2], b[axis + 2])) / 2
    return middle, middle


def _gap(a: _Rect, b: _Rect) -> float:
    """Shortest distance between two rectangles, in pixels."""
    (x, to_x), (y, to_y) = (_facing(a, b, axis) for axis in (0, 1))
    return float(np.hypot(to_x - x, to_y - y))


def _least_covered(
    places: list[tuple[float, float]],
    extent: tuple[float, float],
    taken: list[_Rect],
    size: tuple[int, int],
) -> _Rect:
    """The first of the places, moved into the picture, that covers least of what is taken."""
    # Whole pixels: Pillow's rounded corners overlap themselves on fractions.
    width, height = round(extent[0]), round(extent[1])
    rects = []
    for x, y in places:
        left = max(0, min(round(x), size[0] - 1 - width))
        top = max(0, min(round(y), size[1] - 1 - height))
        rects.append((left, top, left + width, top + height))
    return min(rects, key=lambda rect: _covered(rect, taken))


def _covered(rect: _Rect, taken: list[_Rect]) -> float:
    """Area in pixels of what is taken under a rectangle."""
    return sum(
        max(0.0, min(rect[2], other[2]) - max(rect[0], other[0]))
        * max(0.0, min(rect[3], other[3]) - max(rect[1], other[1]))
        for other in taken
    )
