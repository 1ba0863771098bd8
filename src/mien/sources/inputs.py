"""What a person means by the sources that they name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mien.errors import SourceError
from mien.images import IMAGE_SUFFIXES, find_images
from mien.sources import find_videos, is_video
from mien.sources.addresses import is_address, masked


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be read."""

    path: Path
    """Where it lies."""
    name: PurePath
    """Its path below the folder that was named; its file name where it was named itself."""


@dataclass(frozen=True, slots=True)
class Video:
    """A video to be gone through, as `mien.sources.open_frames` understands it."""

    source: Path | str
    """Its file, its folder of frames, or its address."""
    name: PurePath
    """As `Picture.name`; the last part of an address."""
    frame_rate_hz: float | None = None
    """Frames per second of a folder of frames; None for all others."""

    @property
    def path(self) -> Path | None:
        """Where it lies; None where it is an address."""
        return self.source if isinstance(self.source, Path) else None


Input = Picture | Video
"""Something to recognise."""


def find_inputs(source: str, *, frame_rate_hz: float | None = None) -> Sequence[Input]:
    """The picture or video that a person names, or those of a folder, ordered by name.

    Args:
        source: a file, a folder, or the address of a stream or video.
        frame_rate_hz: a folder's pictures are the frames of one video, so many a second.

    Raises:
        SourceError: there is no such file or folder, it is a camera or the address of a picture,
            or the folder holds neither pictures nor videos.
    """
    if is_address(source):
        return [_at_address(source)]
    if not source:
        raise SourceError("the name of a source is empty; name a file or folder")
    path = Path(source)
    if path.is_dir():
        if frame_rate_hz is not None:
            return [Video(path, PurePath(path.resolve().name), frame_rate_hz)]
        return _in_folder(path)
    if not path.exists():
        raise SourceError(f"no such file or folder: {path}")
    if path.is_char_device() and path.name.startswith("video"):
        raise SourceError(f"{path} is a camera; use: mien live {path}")
    if not path.is_file():
        raise SourceError(f"{path} is a pipe or device; save what comes from it and name the file")
    name = PurePath(path.name)
    return [Video(path, name) if is_video(path) else Picture(path, name)]


def _at_address(address: str) -> Video:
    before_query = re.split(r"[?#]", address)[0].rstrip("/")
    name = PurePath(re.split(r"[/@]", before_query)[-1])
    if name.suffix.lower() in IMAGE_SUFFIXES:
        raise SourceError(
            f"{masked(address)} is an address; download the picture and name the file"
        )
    return Video(address, name)


def _in_folder(folder: Path) -> Sequence[Input]:
    found: list[Input] = [Picture(path, path.relative_to(folder)) for path in find_images(folder)]
    found += [Video(path, path.relative_to(folder)) for path in find_videos(folder)]
    if not found:
        raise SourceError(
            f"{folder} holds no pictures and no videos; "
            "name a folder of JPEG, PNG, WebP or MP4 files"
        )
    return sorted(found, key=lambda item: item.name)
