"""What a live window says beside the picture, drawn: the line of status and the help of keys.

Pillow draws, as in the overlay, so that names of files may be in any script and no window is
needed to look at the result.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from mien.clock import clock
from mien.drawing.fonts import Font, built_in_font, font_for
from mien.samples import Image

KEYS = (
    ("q, Esc", "quit"),
    ("r", "record, stop recording"),
    ("s", "snapshot"),
    ("m", "mirror"),
    ("space", "freeze, go on"),
    ("h", "this help"),
)
"""Every key of the window and what it does."""

_BACKGROUND = (20, 22, 26)
_TEXT = (235, 236, 238)
_FAINT = (150, 154, 162)
_RECORDING = (255, 82, 70)
_FROZEN = (120, 190, 255)


@dataclass(frozen=True, slots=True)
class Status:
    """What the line says; times in seconds."""

    frame_rate_hz: float | None = None
    """Frames shown per second; None before there are enough to tell."""
    latency_s: float | None = None
    """Time from a frame's capture to its display."""
    n_dropped: int = 0
    """Frames that were never shown, because a newer one was there."""
    recording_s: float | None = None
    """Length of the recording so far; None while nothing is recorded."""
    is_frozen: bool = False
    """Whether the picture stands still."""
    message: str = ""
    """What just happened."""


def status_height_px(window_height_px: int) -> int:
    """Height of the line of status in a window of some height."""
    return round(_text_px(window_height_px) * 1.9)


def draw_status(status: Status, width_px: int, window_height_px: int) -> Image:
    """The line of status.

    Args:
        status: what it says.
        width_px: width of the line; what does not fit is cut off, the message first.
        window_height_px: height of the whole window, which the text's size follows.

    Returns:
        uint8 (status_height_px(window_height_px), width_px, 3) RGB.
    """
    height_px = status_height_px(window_height_px)
    picture = PillowImage.new("RGB", (width_px, height_px), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    size_px = _text_px(window_height_px)
    font, gap, x = built_in_font(size_px), size_px * 1.2, size_px * 0.6
    for text, color in _parts(status):
        if color == _RECORDING:
            radius = size_px * 0.36
            draw.ellipse(_disc(x + radius, height_px / 2, radius), fill=color)
            x += radius * 2 + size_px * 0.35
        draw.text((x, height_px / 2), text, fill=color, font=font, anchor="lm")
        x += font.getlength(text) + gap
    room_px = width_px - x - size_px * 0.6
    message_font = font_for(status.message, size_px) or font
    message = _shortened(status.message, message_font, room_px)
    place = (width_px - size_px * 0.6, height_px / 2)
    draw.text(place, message, fill=_TEXT, font=message_font, anchor="rm")
    return np.array(picture, np.uint8)


def draw_help(window_height_px: int) -> NDArray[np.uint8]:
    """The keys and what they do, on a panel that lets the picture through.

    Args:
        window_height_px: height of the whole window, which the text's size follows.

    Returns:
        uint8 (H, W, 4) RGBA.
    """
    size_px = _text_px(window_height_px)
    font, pad, line = built_in_font(size_px), size_px * 0.8, size_px * 1.6
    left = max(font.getlength(keys) for keys, _ in KEYS)
    right = max(font.getlength(what) for _, what in KEYS)
    size = round(left + right + size_px + 2 * pad), round(line * len(KEYS) + 2 * pad)
    picture = PillowImage.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    edge = (0, 0, size[0] - 1, size[1] - 1)
    draw.rounded_rectangle(edge, round(size_px * 0.5), fill=(*_BACKGROUND, 215))
    for row, (keys, what) in enumerate(KEYS):
        y = pad + line * (row + 0.5)
        draw.text((pad, y), keys, fill=_TEXT, font=font, anchor="lm")
        draw.text((pad + left + size_px, y), what, fill=_FAINT, font=font, anchor="lm")
    return np.array(picture, np.uint8)


def _parts(status: Status) -> list[tuple[str, tuple[int, int, int]]]:
    """The fixed texts of the line, from left to right, with their colours."""
    parts = []
    if status.recording_s is not None:
        parts.append((f"REC {clock(status.recording_s, rounded=False)}", _RECORDING))
    if status.is_frozen:
        parts.append(("FROZEN", _FROZEN))
    if status.frame_rate_hz is not None:
        parts.append((f"{status.frame_rate_hz:.1f} fps", _TEXT))
    if status.latency_s is not None:
        parts.append((f"{status.latency_s * 1000:.0f} ms", _TEXT))
    parts.append((f"{status.n_dropped} dropped", _TEXT if status.n_dropped else _FAINT))
    return parts


def _shortened(text: str, font: Font, room_px: float) -> str:
    """A text that fits, its beginning kept; empty where not even a few letters do."""
    if font.getlength(text) <= room_px:
        return text
    while len(text) > 3 and font.getlength(f"{text}…") > room_px:
        text = text[:-1]
    return f"{text}…" if len(text) > 3 else ""


def _text_px(window_height_px: int) -> float:
    return min(48.0, max(14.0, window_height_px / 42))


def _disc(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius
