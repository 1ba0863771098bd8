"""The fragments of an MP4 that could not be written to its end."""

from pathlib import Path

_HEADER_BYTES = 8
_LONG_HEADER_BYTES = 16


def cut_to_whole_fragments(path: Path) -> None:
    """Take the broken rest off a fragmented MP4, so that players reach its end without an error.

    The file is a row of boxes, each with its length and kind in front (ISO/IEC 14496-12, 4.2); a
    fragment is a ``moof`` and the ``mdat`` after it. Without a whole fragment the file is left as
    it is.

    Raises:
        OSError: the file cannot be read or cut.
    """
    size, offset, whole = path.stat().st_size, 0, 0
    with path.open("r+b") as file:
        while offset + _HEADER_BYTES <= size:
            file.seek(offset)
            head = file.read(_LONG_HEADER_BYTES)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:  # the length stands behind the kind, in eight bytes
                length = int.from_bytes(head[8:16], "big")
            if length < _HEADER_BYTES:
                break
            offset += length
            if kind == b"mdat" and offset <= size:
                whole = offset
        if whole:
            file.truncate(whole)
