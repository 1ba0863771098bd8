"""Animated pictures (GIF, WebP, PNG, AVIF) as the frames of a video, with their own times."""

import os
import struct
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from mien.errors import SourceError, VideoError
from mien.images import MAX_PIXELS, open_with_pillow, opened, whole
from mien.images.pillow import to_pixels
from mien.sources.base import OneWaySource
from mien.sources.source import Frame, SourceInfo

ANIMATED_SUFFIXES = frozenset((".gif", ".webp", ".png", ".apng", ".avif"))
"""Endings, lower case, of pictures that may be animations."""

_SHORTEST_S = 0.0105
_USUAL_S = 0.1
"""What is shown for up to 10 ms is shown for 100, as browsers do: old files mean that by it."""
_MAX_CHUNKS = 1000


def is_animation(path: Path) -> bool:
    """Whether a picture has several frames, by its header; False for what cannot be read."""
    if path.suffix.lower() not in ANIMATED_SUFFIXES:
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(32)
            if head[:4] == b"RIFF":
                return head[12:16] == b"VP8X" and bool(head[20] & 0x02)
            if head[4:8] == b"ftyp":
                return head[8:12] == b"avis"
            if head[:4] == b"\x89PNG":
                return _is_animated_png(file)
            file.seek(0)
            with open_with_pillow(file, str(path), MAX_PIXELS) as picture:
                return bool(getattr(picture, "is_animated", False)) and picture.format == "GIF"
    except MemoryError:
        raise
    except Exception:  # reading it as a picture says what is wrong
        return False


def pages(path: Path) -> int:
    """How many pages a TIFF has, by its header; 1 for other pictures and what cannot be read."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return 1
    try:
        with open(path, "rb") as file, open_with_pillow(file, str(path), MAX_PIXELS) as picture:
            return int(getattr(picture, "n_frames", 1))
    except MemoryError:
        raise
    except Exception:  # reading it as a picture says what is wrong
        return 1


def _is_animated_png(file: BinaryIO) -> bool:
    file.seek(8)
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return False
        if head[4:] == b"acTL":
            return True
        file.seek(struct.unpack(">I", head[:4])[0] + 4, os.SEEK_CUR)
    return False


class AnimatedPicture(OneWaySource):
    """The frames of an animated picture, once through; a `FrameSource`.

    Transparency is laid on white. A frame is shown for as long as the file says.

    Args:
        path: the file.
        max_pixels: width times height above which it is refused by its header.

    Raises:
        SourceError: it cannot be read.
    """

    def __init__(self, path: Path | str, *, max_pixels: int = MAX_PIXELS) -> None:
        name = str(path)
        with ExitStack() as stack, whole(name):
            file = stack.enter_context(opened(path, name))
            self._picture = open_with_pillow(file, name, max_pixels)
            n_frames = int(getattr(self._picture, "n_frames", 1))
            self._stack = stack.pop_all()
        width, height = self._picture.size
        super().__init__(SourceInfo(name, width, height, n_frames=n_frames))

    def _frames(self) -> Generator[Frame]:
        time_s = 0.0
        for number in range(self.info.n_frames or 1):
            try:
                with whole(self.info.name):
                    self._picture.seek(number)
                    self._picture.load()
                    image_rgb = to_pixels(self._picture)
                    shown_s = float(self._picture.info.get("duration", 0)) / 1000
            except SourceError as error:
                raise VideoError(
                    f"{self.info.name} breaks off at {time_s:.2f} s; get a complete copy"
                ) from error
            yield Frame(image_rgb, number, time_s)
            time_s += shown_s if shown_s > _SHORTEST_S else _USUAL_S

    def _release(self) -> None:
        self._picture.close()
        self._stack.close()
