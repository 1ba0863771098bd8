"""Where the annotated copies of pictures and videos go."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mien.errors import OutputError
from mien.outputs.pictures import PICTURE_SUFFIXES
from mien.paths import VIDEO_SUFFIX, resolved
from mien.sources.inputs import Input, Picture, Video


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
    sources = {resolved(item.path) for item in inputs if item.path is not None}
    for copy in copies:
        if resolved(copy) in sources:
            raise OutputError(f"{copy} is a source and would be overwritten; name another place")
    return copies


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
