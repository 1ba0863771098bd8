"""Which pictures a person means, and where their annotated copies go."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mien.errors import OutputError, SourceError
from mien.images import find_images
from mien.video.sinks import PICTURE_SUFFIXES


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
        SourceError: there is no such file or folder, or the folder holds no pictures.
    """
    if not source.is_dir():
        if not source.exists():
            raise SourceError(f"no such file or folder: {source}")
        return [Picture(source, PurePath(source.name))]
    found = [Picture(path, path.relative_to(source)) for path in find_images(source)]
    if not found:
        raise SourceError(f"{source} holds no pictures; name a folder of JPEG, PNG or WebP files")
    return found


def plan_copies(pictures: Sequence[Picture], out: Path) -> list[Path]:
    """Where each picture's annotated copy goes; nothing is written yet.

    Args:
        pictures: what will be annotated.
        out: a file with a picture's ending for one picture, else a folder, in which names below
            the sources are kept; equal names get a number, and endings that cannot be written
            become ``.png``.

    Returns:
        One path per picture, all different.

    Raises:
        OutputError: ``out`` is a file for several pictures, or a copy would overwrite a source.
    """
    names_file = out.suffix.lower() in PICTURE_SUFFIXES and not out.is_dir()
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
