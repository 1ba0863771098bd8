"""Sizes of the overlay, derived from the size of the picture, and the colours of its panels.

The colours of the expressions, in boxes, tags and charts, are those of `mien.labels`
(`Label.color_rgb`): timelines and plots show the same.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from mien.drawing.sprites import Rgb, SpriteCache

PANEL: Rgb = (20, 22, 26)
WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (0, 0, 0)
UNCLASSIFIED: Rgb = (128, 128, 128)
"""Of a face without an expression."""

_DARKEST = 0.06
"""Relative luminance below which a colour would be lost on the panel."""

SPRITES = SpriteCache(20_000_000)
"""Everything that was drawn for the frames before; a tag takes 10 kB at 360p, 90 kB at 1080p."""


@dataclass(frozen=True, slots=True)
class Style:
    """Sizes in pixels for one size of picture."""

    line: int
    """Thickness of the lines of boxes."""
    rim: int
    """Thickness of what sets off those lines from the picture."""
    text: float
    """Font size of tags."""
    small: float
    """Font size of charts."""

    @property
    def gap(self) -> int:
        """Between a face and its tag."""
        return self.line

    @property
    def tag_pad(self) -> int:
        """Around the text of a tag."""
        return max(2, round(0.35 * self.text))

    @property
    def tag_height(self) -> int:
        """Height of a tag."""
        return round(1.55 * self.text)

    @property
    def chart_pad(self) -> int:
        """Around the rows of a chart and between its columns."""
        return max(2, round(0.5 * self.small))

    @property
    def chart_row(self) -> int:
        """Height of a row of a chart."""
        return round(1.4 * self.small)


@lru_cache(maxsize=32)
def style_for(width_px: int, height_px: int) -> Style:
    """The style for a picture: everything grows with it."""
    # The geometric mean, so that a panorama's text is not as large as its long side asks for.
    size = math.sqrt(width_px * height_px)
    line = max(1, round(size / 320))
    return Style(line, max(1, line // 2), max(11.0, size / 38), max(9.5, size / 52))


@lru_cache(maxsize=256)
def luminance(color: Rgb) -> float:
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2)."""
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (value / 255 for value in color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(color: Rgb) -> Rgb:
    """Black or white, whichever has the higher contrast on a colour (WCAG 2.2)."""
    return BLACK if (luminance(color) + 0.05) ** 2 > 0.05 * 1.05 else WHITE


@lru_cache(maxsize=256)
def on_panel(color: Rgb) -> Rgb:
    """A colour as it is drawn on the dark panel: lighter where it would be lost."""
    if luminance(color) >= _DARKEST:
        return color
    red, green, blue = (round(value + 0.4 * (255 - value)) for value in color)
    return red, green, blue
