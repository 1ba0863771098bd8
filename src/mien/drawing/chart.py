"""Charts: a bar for every class on a dark panel."""

import math

import cv2

from mien.drawing.placement import Rect
from mien.drawing.sprites import Canvas, Sprite, rounded
from mien.drawing.style import PANEL, SPRITES, WHITE, Style, on_panel
from mien.drawing.texts import shortened, shown_name, text_mask, text_width
from mien.labels import UNCERTAIN, LabelSet
from mien.results import Expression
from mien.samples import Image

_PANEL_OPACITY = 0.8
_TRACK_OPACITY = 0.16
_SMALLEST_BAR = 0.005
"""Probability below which a bar would be a sliver that says 0 %."""


def panel_of(label_set: LabelSet, style: Style) -> Sprite:
    """The panel with the names of the classes and the room for their bars."""
    return SPRITES.get(("panel", label_set, style.small), lambda: _drawn(label_set, style))


def draw_bars(image_rgb: Image, panel: Rect, expression: Expression, style: Style) -> None:
    """Draw the bars onto a panel that lies on the picture."""
    length = _bar_length(style)
    left = panel[2] - style.chart_pad - length
    half = _half_bar(style)
    for number, label in enumerate(expression.label_set):
        probability = expression.probabilities[number]
        if probability < _SMALLEST_BAR:
            continue
        middle = panel[1] + style.chart_pad + style.chart_row * number + style.chart_row // 2
        end = left + max(1, round(length * probability)) - 1
        color = on_panel(label.color_rgb)
        cv2.rectangle(image_rgb, (left, middle - half), (end, middle + half), color, cv2.FILLED)
    if expression.min_confidence:
        _draw_threshold(image_rgb, panel, left + round(length * expression.min_confidence), style)


def _draw_threshold(image_rgb: Image, panel: Rect, x: int, style: Style) -> None:
    """A thin line that a bar has to reach for its class to be shown."""
    width = max(1, style.line // 2)
    top, bottom = panel[1] + style.chart_pad // 2, panel[3] - style.chart_pad // 2 - 1
    start, end = (x - width, top), (x - 1, bottom)
    cv2.rectangle(image_rgb, start, end, UNCERTAIN.color_rgb, cv2.FILLED)


def _bar_length(style: Style) -> int:
    return round(4.5 * style.small)


def _half_bar(style: Style) -> int:
    return max(1, round(0.28 * style.chart_row))


def _drawn(label_set: LabelSet, style: Style) -> Sprite:
    names = [
        shortened(shown_name(label, index), style.small) for index, label in enumerate(label_set)
    ]
    pad, row, length = style.chart_pad, style.chart_row, _bar_length(style)
    name_width = math.ceil(max(text_width(name, style.small) for name in names))
    width, height = 3 * pad + name_width + length, 2 * pad + row * len(names)
    canvas = Canvas(width, height)
    canvas.fill(rounded(width, height, pad), PANEL, _PANEL_OPACITY)
    half = _half_bar(style)
    track = rounded(length, 2 * half + 1, 0)
    for number, name in enumerate(names):
        top = pad + row * number
        canvas.fill(text_mask(name, style.small, width, row, pad), WHITE, top=top)
        left, top = width - pad - length, top + row // 2 - half
        canvas.fill(track, WHITE, _TRACK_OPACITY, left=left, top=top)
    return canvas.sprite()
