"""Which pictures a person means, and where their annotated copies go."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mien.errors import OutputError, SourceError
from mien.images import find_images
from mien.video.outputs.pictures import PICTURE_SUFFIXES


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to be read."""

    path: Path
    """Where it lies."""
    name: PurePath
    """Its path below the folder that was named; its file name where it was named itself."""


def find_pictures(source: Path) -> Sequence[Picture]:
    """The picture that a path names, or those of the folder that it names, ordered by name.

    Raises:
        SourceError: there is no such file or folder, it is an address of the web, or the folder
            holds no pictures.
    """
    if not source.is_dir():
        if re.match(r"[a-z][a-z0-9+.-]+:/", str(source), re.IGNORECASE):
            address = re.sub(":/+", "://", str(source), count=1)
            raise SourceError(f"{address} is an address; download the picture and name the file")
        if not source.exists():
            raise SourceError(f"no such file or folder: {source}")
        return [Picture(source, PurePath(source.name))]
    found = [Picture(path, path.relative_to(source)) for path in find_images(source)]
    if not found:
        raise SourceError(f"{source} holds no pictures; name a folder of JPEG, PNG or WebP files")
    return found


def plan_copies(pictures: Sequence[Picture], out: Path | str) -> list[Path]:
    """Where each picture's annotated copy goes; nothing is written yet.

    Args:
        pictures: what will be annotated.
        out: a file with a picture's ending for one picture, else a folder, in which names below
            the sources are kept; equal names get a number, and endings that cannot be written
            become ``.png``. A new folder whose name has an ending must be text that ends in "/".

    Returns:
        One path per picture, all different.

    Raises:
        OutputError: ``out`` is a file for several pictures or has an ending that is not a
            picture's, or a copy would overwrite a source.
    """
    is_folder = str(out).endswith(("/", os.sep)) or Path(out).is_dir()
    out = Path(out)
    names_file = bool(out.suffix) and not is_folder
    if names_file and out.suffix.lower() not in PICTURE_SUFFIXES:
        raise OutputError(
            f"cannot write pictures as {out}; use one of {' '.join(PICTURE_SUFFIXES)}, "
            f"or {out}/ for a folder"
        )
    if names_file and len(pictures) > 1:
        raise OutputError(f"{out} is one file for {len(pictures)} pictures; name a folder")
    copies = [out] if names_file else list(_distinct(out, (picture.name for picture in pictures)))
    sources = {picture.path.resolve() for picture in pictures}
    for copy in copies:
        if copy.resolve() in sources:
            raise OutputError(f"{copy} is a source and would be overwritten; name another place")
    return copies


def _distinct(folder: Path, names: Iterable[PurePath]) -> Iterable[Path]:
    taken: set[str] = set()
    for name in names:
        suffix = name.suffix if name.suffix.lower() in PICTURE_SUFFIXES else ".png"
        copy, number = folder / name.with_suffix(suffix), 1
        # Lower case: some file systems do not tell a.JPG from a.jpg.
        while str(copy).lower() in taken:
            number += 1
            copy = folder / name.with_name(f"{name.stem}-{number}{suffix}")
        taken.add(str(copy).lower())
        yield copy
