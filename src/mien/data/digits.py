"""Pixels written as decimal text -> uint8, vectorised.

The raw FER-2013 csv holds 83 million numbers in 270 MB of text, for which Python's ``int()`` takes
about ten seconds. Here a chunk of rows is one byte buffer, and a number is the byte that ends it
plus ten times the one before and a hundred times the one before that, for all numbers at once.
Whatever does not look like plain numbers is read again slowly, to say what is wrong.
``numpy.fromstring`` into 64 bits would do in three lines, and was measured to take twice as long.
"""

import numpy as np
from numpy.typing import NDArray

_BLANK = ord(" ")
_ZERO = ord("0")


class DigitsError(ValueError):
    """A row of numbers is not one; ``row`` is its position among the rows given."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row


def decode_rows(fields: list[bytes], pixels: int) -> NDArray[np.uint8]:
    """Decode rows of numbers in 0..255 that are separated by blanks.

    Args:
        fields: the text of at least one row, e.g. ``b"70 80 82"``. Some hundred kilobytes in all
            decode fastest: the buffers then stay in the processor's cache.
        pixels: numbers that every row must have.

    Returns:
        uint8 (len(fields), pixels).

    Raises:
        DigitsError: a row has another count, a number above 255, or something that is no number.
    """
    values = _decode_plain(fields, pixels)
    if values is None:
        values = np.array([_decode_carefully(i, f, pixels) for i, f in enumerate(fields)])
    return values.astype(np.uint8)


def _decode_plain(fields: list[bytes], pixels: int) -> NDArray[np.uint16] | None:
    """Decode digits and single bytes between them; None where anything else is in the text."""
    # Three blanks in front, so that every last digit has three bytes before it.
    text = np.frombuffer(b"   " + b" ".join(fields) + b" ", dtype=np.uint8)
    digit = text - np.uint8(_ZERO)  # wraps round: every byte but a digit is above 9
    is_digit = digit <= 9
    last = np.flatnonzero(is_digit[:-1] & ~is_digit[1:])
    if len(last) != len(fields) * pixels or not (is_digit | (text == _BLANK)).all():
        return None
    lengths = np.array([len(field) for field in fields])
    starts = 3 + np.concatenate(([0], np.cumsum(lengths[:-1] + 1)))
    by_row = last.reshape(len(fields), pixels)
    if (by_row[:, 0] < starts).any() or (by_row[:, -1] >= starts + lengths).any():
        return None  # one row has too many and another too few
    tens, hundreds = digit[last - 1], digit[last - 2]
    has_tens = tens <= 9
    has_hundreds = has_tens & (hundreds <= 9)
    if (has_hundreds & is_digit[last - 3]).any():
        return None  # four digits
    values = digit[last].astype(np.uint16)
    values += np.where(has_tens, tens, 0) * np.uint16(10)
    values += np.where(has_hundreds, hundreds, 0) * np.uint16(100)
    return None if (values > 255).any() else values.reshape(len(fields), pixels)


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
