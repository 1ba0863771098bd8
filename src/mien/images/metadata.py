"""What stands around a picture's pixels: read for which side is up, and otherwise left alone.

Written here, not left to a library: cameras and editors write EXIF blocks and text chunks that are
wrong in ever new ways, and what is wrong in a tag that nobody asked for must not cost the photo.
Nothing here raises, and nothing is written.
"""

import struct

_HEADER = b"Exif\0\0"
_ORIENTATION = 0x0112
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_VALUE_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
"""Whole numbers: the standard demands a SHORT, and readers take all of them."""
_MAX_ENTRIES = 1000

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset((b"tRNS",))
"""Optional chunks that change the pixels: transparency."""
_JPEG_DROPPED = frozenset((*range(0xE1, 0xEE), 0xEF, 0xFE))
"""Markers of application data and comments; APP0 (JFIF) and APP14 (Adobe) tell the colours."""
_SCAN = 0xDA


def orientation_in(block: bytes) -> int | None:
    """The orientation that an EXIF block tells, 1 to 8; None where it tells none.

    Args:
        block: the block, damaged or not, with or without the header ``Exif``.

    Source: JEITA CP-3451, 4.6.2 (directories) and 4.6.4 (orientation).
    """
    while block.startswith(_HEADER):
        block = block[len(_HEADER) :]
    order = _BYTE_ORDERS.get(block[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (n_entries,) = struct.unpack_from(f"{order}H", block, start)
        for index in range(min(n_entries, _MAX_ENTRIES)):
            entry = start + 2 + 12 * index
            tag, kind, count = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == _ORIENTATION and count and kind in _VALUE_FORMATS:
                (value,) = struct.unpack_from(order + _VALUE_FORMATS[kind], block, entry + 8)
                return int(value) if 1 <= value <= 8 else None
    except struct.error:  # it ends too early
        return None
    return None


def without_metadata(content: bytes) -> tuple[bytes, int] | None:
    """A JPEG or PNG file without anything but its pixels, and its orientation, 1 to 8.

    Returns:
        None for files of all other kinds.
    """
    if content.startswith(_PNG):
        return _pixel_chunks(content)
    if content.startswith(b"\xff\xd8"):
        return _pixel_segments(content)
    return None


def _pixel_chunks(png: bytes) -> tuple[bytes, int]:
    kept, orientation = [_PNG], 1
    start = len(_PNG)
    while start + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, start)
        end = start + 12 + length
        # A small first letter marks a chunk that a reader may pass over.
        if kind[:1].isupper() or kind in _PNG_KEPT:
            kept.append(png[start:end])
        elif kind == b"eXIf":
            orientation = orientation_in(png[start + 8 : end - 4]) or 1
        start = end
    return b"".join(kept), orientation


def _pixel_segments(jpeg: bytes) -> tuple[bytes, int]:
    kept, orientation = [jpeg[:2]], 1
    start = 2
    while start + 4 <= len(jpeg) and jpeg[start] == 0xFF and jpeg[start + 1] != _SCAN:
        marker, (length,) = jpeg[start + 1], struct.unpack_from(">H", jpeg, start + 2)
        end = start + 2 + length
        if marker not in _JPEG_DROPPED:
            kept.append(jpeg[start:end])
        elif jpeg.startswith(_HEADER, start + 4):
            orientation = orientation_in(jpeg[start + 4 : end]) or orientation
        start = end
    return b"".join((*kept, jpeg[start:])), orientation
