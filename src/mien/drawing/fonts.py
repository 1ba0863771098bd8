"""A font for any script: the built-in one, else the first on this machine that has the letters.

Pillow brings one font, of Latin letters, and draws a box for every letter that a font lacks. So
every text is checked first, by drawing its letters. Fonts of the machine are looked for only when
a text needs them. Arabic, Hebrew and the scripts of India are joined and ordered by Pillow's raqm,
which its wheels bring; without it no font is given for them, because they would be mangled.
"""

import os
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import cast

from PIL import ImageFont, features

Font = ImageFont.FreeTypeFont

_CHECKED_AT_PX = 24
_NOT_A_CHARACTER = "\U0010ffff"
"""Unicode promises that this one is never assigned: every font draws its box for missing ones."""
_MOST_FILES = 4000
_SUFFIXES = (".ttf", ".otf", ".ttc")
_LAST = ("bold", "black", "heavy", "thin", "light", "italic", "oblique", "mono", "condensed")
"""Words in names of files whose letters are harder to read when small, or shout."""
_PLACEHOLDERS = ("lastresort", "adobeblank", "notdef")
"""Fonts that claim every letter and draw none."""


@lru_cache(maxsize=256)
def font_for(text: str, size_px: float) -> Font | None:
    """A font that has every letter of a text.

    Args:
        text: one line, in any script.
        size_px: size of the font in pixels.

    Returns:
        The built-in font where it suffices, else one of this machine's; None where none has all
        letters, or where the script needs shaping and Pillow was built without raqm.
    """
    if covers(built_in_font(_CHECKED_AT_PX), text):
        return built_in_font(size_px)
    if _needs_shaping(text) and not _can_shape():
        return None
    path = _file_for(frozenset(text))
    return None if path is None else _open(path, size_px, shaped=_can_shape())


@lru_cache(maxsize=64)
def built_in_font(size_px: float) -> Font:
    """Pillow's own font, Aileron Regular: Latin letters, digits and signs."""
    return cast(Font, ImageFont.load_default(size_px))


def covers(font: Font, text: str) -> bool:
    """Whether a font has every letter of a text; blanks and invisible signs are not asked for."""
    if font.layout_engine != ImageFont.Layout.BASIC:
        # Shaping may put one letter in the place of several.
        font = font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    missing = _drawn(font, _NOT_A_CHARACTER)
    return all(
        _drawn(font, letter) != missing
        for letter in set(text)
        if unicodedata.category(letter)[0] not in "ZC" and not _selects_a_variant(letter)
    )


def system_font_files() -> tuple[Path, ...]:
    """Font files of this machine: plain sans-serif ones first, the same order every time."""
    files: set[Path] = set()
    for folder in _folders():
        for path in _files_below(folder):
            if path.suffix.lower() in _SUFFIXES:
                files.add(path)
            if len(files) >= _MOST_FILES:
                break
    return tuple(sorted(files, key=_rank))


@lru_cache(maxsize=1)
def _known_files() -> tuple[Path, ...]:
    return system_font_files()


@lru_cache(maxsize=256)
def _file_for(letters: frozenset[str]) -> Path | None:
    """The first font file of this machine that has the letters."""
    text = "".join(sorted(letters))
    for path in _known_files():
        font = _open(path, _CHECKED_AT_PX, shaped=False)
        if font is not None and covers(font, text):
            return path
    return None


def _open(path: Path, size_px: float, *, shaped: bool) -> Font | None:
    layout = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    try:
        return ImageFont.truetype(path, size_px, layout_engine=layout)
    except (OSError, ValueError):
        return None  # broken, or pictures of one size instead of outlines


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _can_shape() -> bool:
    return bool(features.check("raqm"))


def _needs_shaping(text: str) -> bool:
    """Whether letters change with their neighbours, or run from right to left."""
    return any(
        unicodedata.bidirectional(letter) in ("R", "AL")
        or unicodedata.category(letter) in ("Mn", "Mc")
        for letter in text
    )


def _selects_a_variant(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f"


def _rank(path: Path) -> tuple[int, int, str]:
    name = path.name.lower()
    return sum(word in name for word in _LAST), "sans" not in name, str(path)


def _folders() -> tuple[Path, ...]:
    home = Path.home()
    if sys.platform == "win32":
        windows = Path(os.environ.get("SYSTEMROOT", "C:/Windows"))
        return windows / "Fonts", home / "AppData/Local/Microsoft/Windows/Fonts"
    if sys.platform == "darwin":
        return Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"
    return (
        *(Path("/usr/share/fonts"), Path("/usr/local/share/fonts")),
        *(home / ".local/share/fonts", home / ".fonts"),
    )


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):  # folders that may not be read are left out
        for name in names:
            if not any(word in name.lower() for word in _PLACEHOLDERS):
                yield Path(parent, name)
