"""A picture that Pillow has opened or decoded -> pixels: upright, 8 bits, transparency on white."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import PIL.Image

from mien.images.deep_pixels import to_eight_bits
from mien.images.metadata import orientation_in
from mien.samples import Image

_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its orientation in EXIF."""
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_MAXIMUM, _TIFF_MAXIMUM_OF_ANY_TYPE = 258, 262, 281, 341
_WHITE_IS_ZERO = 0
# What Pillow logs it raises, too; without a handler, Python prints it on stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_PILLOW = threading.Lock()
"""Held while Pillow's globals, and Python's warnings, are other than usual."""


def upright(picture: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    """A picture turned and mirrored by its orientation, as EXIF counts: 1 to 8."""
    turn = _TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


@contextmanager
def quietly() -> Iterator[None]:
    """Without Pillow's warnings about what is wrong around the pixels."""
    with _PILLOW, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def pixels_of(picture: PIL.Image.Image, keep_grey: bool, orientation: int | None = None) -> Image:
    """A picture that Pillow has opened, decoded and brought upright.

    Args:
        picture: of any mode; it is loaded here.
        keep_grey: whether a grey picture stays grey.
        orientation: as EXIF counts, 1 to 8; the picture's own where None.

    Returns:
        uint8 (H, W, 3) RGB, or (H, W).
    """
    is_deep = picture.mode.startswith("I;16") or picture.mode in ("I", "F")
    white, inverted = _range_told(picture) if is_deep else (None, False)
    # Pillow warns of what is odd in a TIFF while it loads it.
    with quietly() if picture.format == "TIFF" else nullcontext():
        picture.load()
    orientation = orientation or orientation_of(picture)
    if is_deep:
        grey = to_eight_bits(np.asarray(picture), white=white, inverted=inverted)
        picture = PIL.Image.fromarray(grey)
    return to_pixels(upright(picture, orientation), keep_grey=keep_grey)


def to_pixels(picture: PIL.Image.Image, *, keep_grey: bool = False) -> Image:
    """A loaded picture of 8 bits as it is stored, transparency laid on white.

    Returns:
        uint8 (H, W, 3) RGB; (H, W) where it is grey and may stay so.
    """
    has_alpha = picture.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    if has_alpha or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        picture = PIL.Image.alpha_composite(white, rgba)
    elif keep_grey and picture.mode == "L":
        return np.array(picture, dtype=np.uint8)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def orientation_of(picture: PIL.Image.Image) -> int:
    """How a picture lies, as EXIF counts: 1 to 8; 1 where it does not say."""
    block = picture.info.get("exif")
    told = orientation_in(block) if isinstance(block, bytes) else None
    if told is not None:
        return told
    try:  # where other formats have it: TIFF's tags, texts in PNG, XMP
        with quietly():
            value = picture.getexif().get(0x0112, 1)
    except MemoryError:
        raise
    except Exception:
        return 1
    return value if isinstance(value, int) else 1


def _range_told(picture: PIL.Image.Image) -> tuple[int | None, bool]:
    """The white of deep grey as the file tells it, None where it does not; and whether 0 is white.

    The largest value of the type tells nothing: many programs write it whatever they store.
    """
    if picture.format == "PPM":
        # Pillow scales the file's own maximum to 16 bits; it is gone once it has loaded.
        arguments = getattr(picture, "tile", [()])[0][-1]
        maximum = arguments[1] if isinstance(arguments, tuple) else 65535
        return (65535 if picture.mode == "I" and maximum < 65535 else None), False
    tags = getattr(picture, "tag_v2", None)
    if tags is None:
        return None, False
    bits = _whole_number(tags.get(_TIFF_BITS)) or 16
    told = [_whole_number(tags.get(tag)) for tag in (_TIFF_MAXIMUM, _TIFF_MAXIMUM_OF_ANY_TYPE)]
    usual = 2**bits - 1
    packed = usual if bits < 16 else None
    white = next((value for value in told if value and value != usual), packed)
    return white, tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO


def _whole_number(value: object) -> int | None:
    if isinstance(value, tuple) and value:
        value = value[0]
    return int(value) if isinstance(value, int | float) and value >= 1 else None
