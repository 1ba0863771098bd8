"""Video files through FFmpeg (PyAV): exact times, upright frames, nothing believed unchecked.

OpenCV's reader was rejected: it rounds times to the frame rate, ends a broken file in silence and
prints FFmpeg's complaints.
"""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import SourceError, VideoError
from mien.finding import look_at
from mien.sources.base import OneWaySource
from mien.sources.decoding import MAX_FRAME_PIXELS, decoder_options
from mien.sources.opened import VIDEO_FORMATS, OpenVideo, reason_of
from mien.sources.source import Frame

if TYPE_CHECKING:
    from av.container import InputContainer

_MP4_BRAND = b"ftyp"
"""Bytes 4 to 8 of MP4 and QuickTime files. Source: ISO/IEC 14496-12, 4.3."""


class VideoFile(OneWaySource):
    """The frames of a video file; a `FrameSource`.

    Args:
        path: the file; nothing but this file is read, whatever it names inside.
        max_pixels: width times height above which it is refused by its header.
        on_warning: told once, at the end, of damaged places that were passed over.

    Raises:
        SourceError: there is no such file, it is no video, or its frames are too large; nothing
            is left open.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        max_pixels: int = MAX_FRAME_PIXELS,
        on_warning: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._on_warning = on_warning
        container = open_file(Path(path), max_pixels)
        self._video = OpenVideo(container, str(path), max_pixels=max_pixels)
        super().__init__(self._video.info)

    def _frames(self) -> Generator[Frame]:
        yield from finite_frames(self._video, self.info.name, self._on_warning)

    def _release(self) -> None:
        self._video.close()


def finite_frames(
    video: OpenVideo, name: str, on_warning: Callable[[str], None]
) -> Generator[Frame]:
    """The frames of what has an end, a file here or at an address.

    Raises:
        VideoError: it breaks off, after all frames that could be decoded.
    """
    from av.error import FFmpegError

    try:
        for number, (image_rgb, time_s) in enumerate(video.pictures()):
            yield Frame(image_rgb, number, time_s)
    except (OSError, FFmpegError) as error:
        # Some connections end in an error after the last byte.
        if not video.decoder.is_complete:
            raise VideoError(
                f"{name} cannot be read on from {video.timeline.end_s:.2f} s: {reason_of(error)}"
            ) from error
    _warn_of_damage(video.decoder.damaged, name, on_warning)
    missing_s = video.decoder.missing_s()
    if missing_s is not None:
        missing = f"; at least {float(missing_s):.2f} s are missing" if missing_s else ""
        raise VideoError(
            f"{name} breaks off at {video.timeline.end_s:.2f} s{missing}; get a complete copy"
        )


def open_file(path: Path, max_pixels: int = MAX_FRAME_PIXELS) -> "InputContainer":
    """Open a video file with FFmpeg, which gets to read that file and nothing else.

    Raises:
        SourceError: there is no such file, or it is no video.
    """
    import av
    from av.error import FFmpegError

    _check(path)
    try:
        return av.open(
            # An absolute path is never taken for an address.
            os.path.abspath(path),
            # Titles in other encodings than UTF-8 are no reason to refuse a video.
            metadata_errors="replace",
            options={
                "protocol_whitelist": "file",
                "format_whitelist": VIDEO_FORMATS,
                **decoder_options(max_pixels),
            },
        )
    except PermissionError as error:
        raise SourceError(f"{path} names other files or may not be read; name a video") from error
    except (FFmpegError, OSError) as error:
        raise SourceError(_why_not(path)) from error


def _check(path: Path) -> None:
    if look_at(path) == "folder":
        raise SourceError(f"{path} is a folder; name a video file")
    try:
        with path.open("rb") as file:
            is_empty = not file.read(1)
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from error
    if is_empty:
        raise SourceError(f"{path} is empty (0 bytes); get a complete copy")


def _why_not(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == _MP4_BRAND and b"avif" not in head and b"hei" not in head:
        return (
            f"{path} breaks off before its index, so no frame can be found; get a complete copy, "
            "or repair the recording"
        )
    return f"{path} is not a video that can be read; use MP4, MOV, MKV, WebM or AVI"


def _warn_of_damage(damaged: int, name: str, on_warning: Callable[[str], None]) -> None:
    if damaged:
        places = "1 damaged place was" if damaged == 1 else f"{damaged} damaged places were"
        there = "it" if damaged == 1 else "them"
        on_warning(
            f"{name}: {places} passed over; frames around {there} may be missing or look wrong"
        )
