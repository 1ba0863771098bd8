"""What a person means by the sources that they name."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mien.errors import SourceError
from mien.finding import is_file_or_broken, left_out, look_at, walk
from mien.images import IMAGE_SUFFIXES
from mien.sources import VIDEO_SUFFIXES, is_video
from mien.sources.addresses import is_address, masked
from mien.sources.animations import is_animation

_PLAYLISTS = (".m3u", ".m3u8", ".mpd", ".pls", ".ffconcat")


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


def _ignore(line: str) -> None:
    pass


def find_inputs(
    source: str,
    *,
    frame_rate_hz: float | None = None,
    on_left_out: Callable[[str], None] = _ignore,
    on_failure: Callable[[str], None] = _ignore,
) -> Sequence[Input]:
    """The picture or video that a person names, or those of a folder, ordered by name.

    A picture that is an animation is a video of its frames.

    Args:
        source: a file, a folder, or the address of a stream or video.
        frame_rate_hz: a folder's pictures are the frames of one video, so many a second.
        on_left_out: told, once at most, how much of a folder is no picture and no video, and why.
        on_failure: told of each folder in the folder that cannot be read; the rest is given.

    Raises:
        SourceError: there is no such file or folder, it is a camera or the address of a picture,
            or the folder holds neither pictures nor videos.
    """
    if is_address(source):
        return [_at_address(source)]
    if not source:
        raise SourceError("the name of a source is empty; name a file or folder")
    path, kind = Path(source), look_at(source)
    if kind == "folder":
        if frame_rate_hz is not None:
            return [Video(path, PurePath(path.resolve().name), frame_rate_hz)]
        return _in_folder(path, on_left_out, on_failure)
    if kind == "nothing":
        raise SourceError(f"no such file or folder: {path}")
    if kind == "other" and path.is_char_device() and path.name.startswith("video"):
        raise SourceError(f"{path} is a camera; use: mien live {path}")
    if kind == "other":
        raise SourceError(f"{path} is a pipe or device; save what comes from it and name the file")
    if path.suffix.lower() in _PLAYLISTS:
        raise SourceError(f"{path} is a playlist, which is not opened; name the videos themselves")
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


def _in_folder(
    folder: Path, on_left_out: Callable[[str], None], on_failure: Callable[[str], None]
) -> Sequence[Input]:
    tree = walk(folder)
    for below, reason in tree.unreadable:
        on_failure(f"cannot read {folder / below}: {reason}; its files are left out")
    found: list[Input] = []
    others, devices = [], 0
    for name in tree.files:
        path = folder / name
        suffix = path.suffix.lower()
        if suffix not in VIDEO_SUFFIXES and suffix not in IMAGE_SUFFIXES:
            others.append(name)
        elif not is_file_or_broken(path):
            devices += 1
        elif suffix in VIDEO_SUFFIXES:
            found.append(Video(path, PurePath(name)))
        else:
            item = Video if is_animation(path) else Picture
            found.append(item(path, PurePath(name)))
    line = left_out(others, devices=devices, hidden=tree.hidden, repeated=tree.repeated)
    if not found:
        raise SourceError(
            f"{folder} holds no pictures and no videos; "
            f"name a folder of JPEG, PNG, WebP or MP4 files{line and f' ({line})'}"
        )
    if line:
        on_left_out(f"{folder}: {line}")
    return sorted(found, key=lambda item: item.name)
