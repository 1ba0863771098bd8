"""Pixels of more than 8 bits -> 8 bits: which values the file means by black and white.

Scientific cameras store 10, 12 or 14 bits in 16, and programs write floats of 0 to 1. Taken for
the whole range of their type, such pictures are nearly black, and show other expressions or no
face at all. Where the file tells its range, that holds; else the range is the smallest usual one
that holds the largest value. Stretching every picture to its own extremes was rejected: the same
scene would get another brightness with every lamp in it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.samples import Image

USUAL_BITS = (8, 10, 12, 14, 16, 20, 24, 31, 32)
"""Depths that whole numbers are taken for, where the file does not tell; 31 with a sign."""
_USUAL_WHITES = (1.0, 255.0, *(2.0**bits - 1 for bits in USUAL_BITS[1:]))
"""The same for floats, which have 0 to 1 before all others."""
_ROUNDING = 1e-3
"""How far over its white a float may be, as a part of it: filters overshoot."""


def to_eight_bits(
    values: NDArray[Any], *, white: int | None = None, inverted: bool = False
) -> Image:
    """Scale deep values to 0..255.

    Args:
        values: whole numbers or floats, (H, W) or (H, W, c). Values below 0 shift the range: the
            lowest is black, or -1 where floats lie within -1 to 1 and span more than 1. What is no
            number is black.
        white: the value that the file tells to be white; from the data where None, or where
            the data goes beyond it.
        inverted: whether the file tells that 0 is white.

    Returns:
        uint8 of the same shape. Whole numbers lose their lowest bits, so 8 bits that another
        program stored in more come back exactly, whether they were shifted or repeated.
    """
    from_values = _from_floats if values.dtype.kind == "f" else _from_whole
    eight = from_values(values, white)
    return np.asarray(255 - eight if inverted else eight, dtype=np.uint8)


def _from_whole(values: NDArray[Any], white: int | None) -> Image:
    lowest, highest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if lowest < 0:
        values, highest = values.astype(np.int64) - lowest, highest - lowest
    if white is not None and highest <= white:
        n_bits = white.bit_length()
        if white != 2**n_bits - 1 or n_bits < 8:
            return np.asarray(values.astype(np.int64) * 255 // max(white, 1), dtype=np.uint8)
    else:
        n_bits = next((bits for bits in USUAL_BITS if highest < 2**bits), 64)
    eight: Image = (values >> (n_bits - 8)).astype(np.uint8)
    return eight


def _from_floats(values: NDArray[Any], white: int | None) -> Image:
    with np.errstate(invalid="ignore"):  # which some of what is no number is even as it is copied
        values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    lowest, highest = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if lowest < -_ROUNDING * max(highest, 1.0):
        if max(-lowest, highest) <= 1 + _ROUNDING < highest - lowest:  # networks' -1 to 1
            values, highest, white = values + 1.0, highest + 1.0, 2
        else:
            values, highest = values - lowest, highest - lowest
    if white is None or highest > white * (1 + _ROUNDING):
        usual = (value for value in _USUAL_WHITES if highest <= value * (1 + _ROUNDING))
        found = next(usual, highest)
    else:
        found = float(white)
    eight: Image = np.clip(np.rint(values * (255 / found)), 0, 255).astype(np.uint8)
    return eight


def decode_deep_colour(content: bytes) -> NDArray[Any] | None:
    """A colour picture of 16 bits with all of them, uint16 (H, W, 3) RGB; None where there is none.

    Pillow keeps the upper 8 bits, which is all of most pictures, and nothing of those that use
    only the lower ones.

    Args:
        content: a file that has been decoded before, so it is whole and not too large.
    """
    import cv2

    stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3 or stored.shape[2] < 3:
        return None
    return np.asarray(stored[..., 2::-1])
