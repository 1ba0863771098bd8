"""What a person means by the sources that they name, and where annotated copies go."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mien.errors import OutputError, SourceError
from mien.images import IMAGE_SUFFIXES, find_images
from mien.video.frames import find_videos, is_video
from mien.video.frames.addresses import is_address, masked
from mien.video.outputs.pictures import PICTURE_SUFFIXES
from mien.video.outputs.video_writer import VIDEO_SUFFIX


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be read."""

    path: Path
    """Where it lies."""
    name: PurePath
    """Its path below the folder that was named; its file name where it was named itself."""


@dataclass(frozen=True, slots=True)
class Video:
    """A video to be gone through, as `mien.video.frames.open_frames` understands it."""

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


def plan_copies(inputs: Sequence[Input], out: Path | str) -> list[Path]:
    """Where each input's annotated copy goes; nothing is written yet.

    Args:
        inputs: what will be annotated.
        out: a file for one input, else a folder, in which names below the sources are kept; equal
            names get a number, pictures' endings that cannot be written become ``.png``, and
            videos' ``.mp4``. A new folder whose name has an ending must be text that ends in "/".

    Returns:
        One path per input, all different.

    Raises:
        OutputError: ``out`` is a file for several inputs or has an ending that cannot be written,
            or a copy would overwrite a source.
    """
    is_folder = str(out).endswith(("/", os.sep)) or Path(out).is_dir()
    out = Path(out)
    names_file = bool(out.suffix) and not is_folder
    if names_file:
        _check_file(inputs, out)
    copies = [out] if names_file else list(_distinct(out, inputs))
    sources = {item.path.resolve() for item in inputs if item.path is not None}
    for copy in copies:
        if copy.resolve() in sources:
            raise OutputError(f"{copy} is a source and would be overwritten; name another place")
    return copies


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


def _check_file(inputs: Sequence[Input], out: Path) -> None:
    kinds = {type(item) for item in inputs}
    suffixes = (
        *(PICTURE_SUFFIXES if Picture in kinds else ()),
        *([VIDEO_SUFFIX] * (Video in kinds)),
    )
    if inputs and out.suffix.lower() not in suffixes:
        what = "videos" if kinds == {Video} else "pictures"
        as_video = out.suffix.lower() == VIDEO_SUFFIX and len(inputs) > 1
        hint = "; if they are the frames of one video, add --frame-rate" if as_video else ""
        raise OutputError(
            f"cannot write {what} as {out}; use one of {' '.join(suffixes)}, "
            f"or {out}/ for a folder{hint}"
        )
    if len(inputs) > 1:
        what = "sources" if Video in kinds else "pictures"
        raise OutputError(f"{out} is one file for {len(inputs)} {what}; name a folder")


def _distinct(folder: Path, inputs: Iterable[Input]) -> Iterable[Path]:
    taken: set[str] = set()
    for item in inputs:
        suffix = _copy_suffix(item)
        copy, number = folder / item.name.with_suffix(suffix), 1
        # Lower case: some file systems do not tell a.JPG from a.jpg.
        while str(copy).lower() in taken:
            number += 1
            copy = folder / item.name.with_name(f"{item.name.stem}-{number}{suffix}")
        taken.add(str(copy).lower())
        yield copy


def _copy_suffix(item: Input) -> str:
    if isinstance(item, Video):
        return VIDEO_SUFFIX
    suffix = item.name.suffix
    return suffix if suffix.lower() in PICTURE_SUFFIXES else ".png"
