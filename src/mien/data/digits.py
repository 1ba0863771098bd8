"""Pixels written as decimal text -> uint8.

The raw FER-2013 csv holds 83 million numbers in 270 MB of text, for which Python's ``int()`` takes
about ten seconds. ``numpy.fromstring`` reads a row at a time in C and refuses what is no number;
it must read into 64 bits, where a number that is too large stays too large: into 32 bits,
4294967297 is 1, and into 8, 300 is 44. What it refuses is read again slowly, to say what is wrong.
"""

import warnings

import numpy as np
from numpy.typing import NDArray


class DigitsError(ValueError):
    """A row of numbers is not one; ``row`` is its position among the rows given."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row


def decode_rows(fields: list[bytes], pixels: int) -> NDArray[np.uint8]:
    """Decode rows of numbers in 0..255 that are separated by blanks.

    Args:
        fields: the text of at least one row, e.g. ``b"70 80 82"``.
        pixels: numbers that every row must have.

    Returns:
        uint8 (len(fields), pixels).

    Raises:
        DigitsError: a row has another count, a number above 255, or something that is no number.
    """
    rows = [_decode_plain(field) for field in fields]
    for index, row in enumerate(rows):
        if row is None or len(row) != pixels or row.min() < 0 or row.max() > 255:
            rows[index] = np.array(_decode_carefully(index, fields[index], pixels))
    return np.array(rows, dtype=np.uint8)


def _decode_plain(field: bytes) -> NDArray[np.int64] | None:
    """Decode whole numbers; None where anything else is among them."""
    try:
        with warnings.catch_warnings():  # NumPy before 2.4 only warns
            warnings.simplefilter("error", DeprecationWarning)
            return np.fromstring(field, dtype=np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        return None


def _decode_carefully(row: int, field: bytes, pixels: int) -> list[int]:
    words = field.split()
    if len(words) != pixels:
        raise DigitsError(row, f"has {len(words):,} pixels, expected {pixels:,}")
    for word in words:
        if not word.isdigit():
            shown = word[:20].decode("utf-8", "replace")
            raise DigitsError(row, f"has {shown!r} among its pixels, which is not a whole number")
        if int(word[:20]) > 255:
            raise DigitsError(row, f"has the pixel value {int(word[:20])}, above 255")
    return [int(word) for word in words]
