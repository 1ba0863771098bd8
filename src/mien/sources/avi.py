"""How many pictures an AVI file holds, those included that only repeat the one before.

Recorders write a frame of no bytes where the picture stays as it was. FFmpeg passes over these, so
a whole file that ends with some looks as if it broke off; counting its chunks tells the two apart.

Source: Microsoft, AVI RIFF File Reference; OpenDML AVI File Format Extensions, 1.02.
"""

import os
from pathlib import Path
from typing import BinaryIO

_HEADER = 8
"""Bytes of a chunk's name and size."""
_MOST_CHUNKS = 5_000_000
"""Chunks that are looked at: a day of video with its sound, and seconds of work."""


def count_pictures(path: Path, stream: int, at_most: int) -> int:
    """Count the video chunks of a stream that are there as a whole.

    Args:
        path: an AVI file; only the names and sizes of its chunks are read.
        stream: number of the stream in the file.
        at_most: stop at so many.

    Returns:
        How many, at most ``at_most``; 0 where the file is none.

    Raises:
        OSError: the file cannot be read.
    """
    names = {b"%02d%s" % (stream, kind) for kind in (b"dc", b"db")}
    count = 0
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        # Lists are entered: chunks inside them are of interest, and lie one after the other.
        for _ in range(_MOST_CHUNKS):
            start = file.tell()
            name, size = _chunk(file)
            if not name or count >= at_most:
                break
            if name in (b"RIFF", b"LIST"):
                kind = file.read(4)
                if kind in (b"AVI ", b"AVIX", b"movi", b"rec "):
                    continue
            elif name in names and start + _HEADER + size <= end:
                count += 1
            file.seek(start + _HEADER + size + size % 2)
    return count


def _chunk(file: BinaryIO) -> tuple[bytes, int]:
    """Name and size of the chunk that begins here; no name at the end."""
    head = file.read(_HEADER)
    if len(head) < _HEADER:
        return b"", 0
    return head[:4], int.from_bytes(head[4:], "little")
