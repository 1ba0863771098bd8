"""Lines of text as masks, in any script, and what is said where no font has the letters."""

import logging
import math
import unicodedata
from functools import lru_cache

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from mien.drawing.fonts import Font, built_in_font, font_for
from mien.drawing.sprites import Mask
from mien.labels import Label

_log = logging.getLogger(__name__)

_CHECKED_AT_PX = 16.0
_SMALLEST_PX = 6.0
_WIDEST = 14.0
"""Width at which a name is cut, in font sizes."""
_CUT = "..."


@lru_cache(maxsize=256)
def shown_name(label: Label, index: int) -> str:
    """What the overlay calls a class: its display name where a font has the letters.

    Else the name without its emoji, else the label's key, else ``class`` and its index, so that
    no box ever stands for a letter; one line is logged that says so.
    """
    wanted = one_line(label.display_name)
    candidates = (wanted, _without_symbols(wanted), one_line(label.key))
    fitting = (name for name in candidates if name and font_for(name, _CHECKED_AT_PX))
    name = next(fitting, f"class {index}")
    if name != wanted:
        _log.warning("no font on this machine has all letters of %r; pictures say %r", wanted, name)
    return name


def one_line(text: str) -> str:
    """A text in composed letters, without line breaks and control characters."""
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(letter for letter in composed if unicodedata.category(letter) not in _UNSEEN)


def _without_symbols(text: str) -> str:
    return one_line("".join(letter for letter in text if unicodedata.category(letter) != "So"))


_UNSEEN = ("Cc", "Cs", "Co", "Cn")


def text_width(text: str, size_px: float) -> float:
    """Width of a line in pixels."""
    return _font(text, size_px).getlength(text)


@lru_cache(maxsize=256)
def shortened(text: str, size_px: float) -> str:
    """A name, cut where it is too long to stand beside a face."""
    if text_width(text, size_px) <= _WIDEST * size_px:
        return text
    while len(text) > 1 and text_width(text + _CUT, size_px) > _WIDEST * size_px:
        text = text[:-1]
    return text.rstrip() + _CUT


def text_mask(text: str, size_px: float, width: int, height: int, left: float) -> Mask:
    """One line of text, the middle of its capitals at half the height.

    Args:
        text: whose letters a font has, see `shown_names`.
        size_px: font size; smaller where the letters of a script are higher than the mask.
        width: of the mask, in pixels.
        height: of the mask, in pixels.
        left: where the line begins, in pixels.
    """
    font = _font(text, size_px)
    _, top, _, bottom = font.getbbox(text, anchor="ls")
    while bottom - top > height and size_px > _SMALLEST_PX:
        size_px *= 0.9
        font = _font(text, size_px)
        _, top, _, bottom = font.getbbox(text, anchor="ls")
    baseline = round((height + cap_height(size_px)) / 2)
    baseline = max(math.ceil(-top), min(baseline, math.floor(height - bottom)))
    picture = PillowImage.new("L", (width, height))
    ImageDraw.Draw(picture).text((left, baseline), text, fill=255, font=font, anchor="ls")
    return np.asarray(picture, np.float32) / np.float32(255)


@lru_cache(maxsize=64)
def cap_height(size_px: float) -> float:
    """Height of a capital letter of the built-in font, in pixels."""
    return -built_in_font(size_px).getbbox("H", anchor="ls")[1]


def _font(text: str, size_px: float) -> Font:
    return font_for(text, size_px) or built_in_font(size_px)
