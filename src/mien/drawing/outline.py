"""Frames around faces and panels: straight lines with round corners, set off from the picture."""

from functools import partial

import cv2

from mien.drawing.placement import Rect
from mien.drawing.sprites import Canvas, Rgb, Sprite, ring
from mien.drawing.style import BLACK, SPRITES, WHITE, luminance
from mien.samples import Image

_RIM_OPACITY = 0.45
_DASH = 4
"""Length of a dash in line widths."""
_DARK = 0.05
"""Relative luminance below which a colour is set off by white instead of black."""


def draw_outline(
    image_rgb: Image, rect: Rect, color: Rgb, *, line: int, rim: int, radius: int
) -> None:
    """Draw a line inside the edge of a rectangle, and a thin shade on both of its sides.

    The shade keeps the line visible on a background of its own colour.
    """
    left, top, right, bottom = rect
    radius = min(radius, (right - left) // 4, (bottom - top) // 4)
    band = line + rim
    reach = max(radius, band)  # what the corners' sprites take of each side
    if min(right - left, bottom - top) <= 2 * reach:
        cv2.rectangle(image_rgb, (left, top), (right - 1, bottom - 1), color, line)
        return
    if rim:
        across = slice(max(0, left + reach), max(0, right - reach))
        down = slice(max(0, top + reach), max(0, bottom - reach))
        shade = 0.0 if luminance(color) >= _DARK else 255.0
        for y in (top - rim, bottom - band):
            _shade(image_rgb[max(0, y) : max(0, y + band + rim), across], shade)
        for x in (left - rim, right - band):
            _shade(image_rgb[down, max(0, x) : max(0, x + band + rim)], shade)
    x1, x2, y1, y2 = left + reach, right - reach - 1, top + reach, bottom - reach - 1
    for corner, opposite in (
        ((x1, top), (x2, top + line - 1)),
        ((x1, bottom - line), (x2, bottom - 1)),
        ((left, y1), (left + line - 1, y2)),
        ((right - line, y1), (right - 1, y2)),
    ):
        cv2.rectangle(image_rgb, corner, opposite, color, cv2.FILLED)
    for number, sprite in enumerate(_corners(color, line, rim, radius, reach)):
        x = right - reach if number % 2 else left - rim
        y = bottom - reach if number // 2 else top - rim
        sprite.lay(image_rgb, x, y)


def draw_dashes(image_rgb: Image, rect: Rect, color: Rgb, *, line: int, radius: int) -> None:
    """Break a line that `draw_outline` drew: dashes of a second colour on its straight parts."""
    left, top, right, bottom = rect
    radius = max(line, min(radius, (right - left) // 4, (bottom - top) // 4))
    dash = _DASH * line
    for begin, end, is_across in (
        (left + radius, right - radius, True),
        (top + radius, bottom - radius, False),
    ):
        # Whole periods, so that both ends look alike.
        n_dashes = max(1, round((end - begin) / (2 * dash)))
        for number in range(n_dashes):
            at = begin + round((2 * number + 0.5) * (end - begin) / (2 * n_dashes))
            until = begin + round((2 * number + 1.5) * (end - begin) / (2 * n_dashes))
            along = slice(max(0, at), max(0, until))
            for edge in (top, bottom - line) if is_across else (left, right - line):
                across = slice(max(0, edge), max(0, edge + line))
                part = (across, along) if is_across else (along, across)
                image_rgb[part] = color


def _shade(strip: Image, value: float) -> None:
    if strip.size:
        cv2.convertScaleAbs(strip, strip, 1 - _RIM_OPACITY, _RIM_OPACITY * value)


def _corners(color: Rgb, line: int, rim: int, radius: int, reach: int) -> list[Sprite]:
    """Top left, top right, bottom left and bottom right corner."""
    shape = (color, line, rim, radius, reach)
    return [SPRITES.get((number, *shape), partial(_corner, number, *shape)) for number in range(4)]


def _corner(number: int, color: Rgb, line: int, rim: int, radius: int, reach: int) -> Sprite:
    side = 2 * (reach + rim)
    canvas = Canvas(side, side)
    if rim:
        shade = BLACK if luminance(color) >= _DARK else WHITE
        canvas.fill(ring(side, side, radius + rim, 0, line + 2 * rim), shade, _RIM_OPACITY)
    canvas.fill(ring(side, side, radius + rim, rim, rim + line), color)
    return canvas.sprite().quarter(*divmod(number, 2))
