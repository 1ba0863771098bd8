"""Frame sources: files, streams, cameras, folders, animations and arrays behind one interface.

Each is imported where it is opened: photos load neither FFmpeg nor OpenCV's cameras.
"""

import re
from collections.abc import Callable
from pathlib import Path

from mien.errors import SourceError
from mien.finding import find_by_suffix, look_at
from mien.images import IMAGE_SUFFIXES, MAX_PIXELS
from mien.images.heif import HEAD_BYTES, is_heif
from mien.sources.addresses import is_address
from mien.sources.animations import AnimatedPicture, is_animation
from mien.sources.source import FrameSource

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg"),
        *(".mpeg", ".m2v", ".ts", ".mts", ".m2ts", ".wmv", ".asf"),
        *(".flv", ".3gp", ".3g2", ".ogv", ".mxf", ".vob", ".dv"),
    )
)
"""Endings, lower case, by which videos are told from other files in folders. Animated pictures
(GIF, WebP, PNG, AVIF) are told by their content; see `is_animation`."""

_CAMERA = re.compile(r"[0-9]{1,3}|/dev/video.*")


def open_frames(
    source: str | Path | int,
    *,
    frame_rate_hz: float | None = None,
    max_pixels: int | None = None,
    on_event: Callable[[str], None] = lambda message: None,
) -> FrameSource:
    """Open a source by what it is.

    Args:
        source: a camera's number (also as text) or device file, an address, a folder of pictures,
            or a video file.
        frame_rate_hz: pictures per second of a folder, which needs it; asked of a camera; no
            matter to others, which have their own times.
        max_pixels: width times height above which frames are refused; the sources' own limits
            where None.
        on_event: told of streams that drop and come back, and of damage that was passed over.

    Raises:
        SourceError: it cannot be read, or is a folder and no rate was given.
        ValueError: the rate is not positive.
    """
    text = str(source)
    if isinstance(source, int) or (_CAMERA.fullmatch(text) and look_at(text) != "folder"):
        from mien.sources.cameras import Camera

        return Camera(int(text) if text.isdecimal() else text, frame_rate_hz=frame_rate_hz)
    if isinstance(source, str) and is_address(source):
        from mien.sources.decoding import MAX_FRAME_PIXELS
        from mien.sources.network import NetworkStream

        return NetworkStream(source, on_event=on_event, max_pixels=max_pixels or MAX_FRAME_PIXELS)
    if look_at(source) == "folder":
        if frame_rate_hz is None:
            raise SourceError(
                f"{source} is a folder; say how many of its pictures make a second (a frame rate)"
            )
        from mien.sources.folders import PictureFolder

        return PictureFolder(source, frame_rate_hz, max_pixels=max_pixels or MAX_PIXELS)
    if is_animation(Path(source)):
        return AnimatedPicture(source, max_pixels=max_pixels or MAX_PIXELS)
    from mien.sources.decoding import MAX_FRAME_PIXELS
    from mien.sources.files import VideoFile

    return VideoFile(source, max_pixels=max_pixels or MAX_FRAME_PIXELS, on_warning=on_event)


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its ending; by its content where that says nothing.

    An animation is one; a still in a video's container (HEIC) is none. Sound in a video's
    container counts too: `VideoFile` says best what is wrong with it.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return is_animation(path)
    try:
        with open(path, "rb") as file:
            if is_heif(file.read(HEAD_BYTES)):
                return False
    except (OSError, ValueError):
        return suffix in VIDEO_SUFFIXES
    if suffix in VIDEO_SUFFIXES:
        return True
    from mien.sources.files import open_file

    try:
        open_file(path).close()
    except SourceError:
        return False
    return True


def find_videos(folder: Path) -> list[Path]:
    """Videos of a folder; see `mien.finding.find_by_suffix`."""
    return find_by_suffix(folder, VIDEO_SUFFIXES)
