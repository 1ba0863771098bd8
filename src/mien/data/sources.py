"""Labelled faces in any form people have them -> `Samples`.

What a source is, is told from what lies there: a folder of class folders, a zip archive of
them, or a csv (plain, .gz or in a zip). Pictures of a csv are decoded now and kept in the cache;
those of folders and archives are decoded when they are looked at.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.archives import Archive
from mien.data.cache import read_cached_csv
from mien.data.class_folders import read_archive, read_folder
from mien.data.fer_csv import SPLIT_OF_USAGE, csv_member
from mien.data.ferplus import read_votes
from mien.data.layouts import listed
from mien.errors import DatasetError, SourceError
from mien.finding import left_out, look_at
from mien.images import IMAGE_SUFFIXES, MAX_PIXELS
from mien.labels import FER2013, FERPLUS
from mien.samples import Samples

_OTHER_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".rar", ".7z")
_OTHER_TABLES = (".parquet", ".xlsx", ".xls", ".ods", ".feather", ".arrow", ".json", ".jsonl")
"""Endings of tables that are no csv."""


def read_samples(
    source: Path | str,
    *,
    ferplus: Path | str | None = None,
    use_cache: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> Samples:
    """Read labelled faces.

    Args:
        source: ``fer2013.csv`` or ``icml_face_data.csv``, plain, .gz or in a .zip; or a folder or
            zip archive of class folders, with or without train, validation and test parts.
        ferplus: ``fer2013new.csv`` for the FER+ votes; only with a csv, whose rows it follows.
        use_cache: False neither reads nor writes the cache of decoded csv files.
        max_pixels: width times height above which a picture is refused by its header.

    Returns:
        The samples with their own splits. Pictures of a csv are uint8 (n, 48, 48) grey; others
        are decoded on access, and damaged ones raise ImageError then.

    Raises:
        SourceError: there is no such file or folder, or it may not be read.
        DatasetError: it contradicts its format; the message names the row or folder.
    """
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:  # "~name" of nobody here
        raise SourceError(f"no such file or folder: {source}; there is no such home") from error
    kind = look_at(path)
    if kind == "nothing":
        raise SourceError(f"no such file or folder: {path}; give a fer2013.csv or class folders")
    if path.name.lower().endswith(_OTHER_ARCHIVES):
        raise SourceError(f"{path} is an archive of another kind; unpack it, or give a .zip")
    if kind == "file" and path.name.lower().endswith(_OTHER_TABLES):
        raise SourceError(f"{path} is a table of another kind; save it as .csv")
    if kind == "other":
        raise SourceError(f"{path} is a pipe or device; save what comes from it and name the file")
    if kind != "folder" and not _is_archive_of_pictures(path):
        return _from_csv(path, str(source), ferplus, use_cache)
    if ferplus is not None:
        raise DatasetError(
            f"FER+ votes follow the rows of a csv and {path} has none; give fer2013.csv"
        )
    if kind == "folder":
        return replace(read_folder(path, max_pixels=max_pixels), source=str(source))
    _check_for_archives(path)
    return replace(read_archive(path, max_pixels=max_pixels), source=str(source))


def _check_for_archives(path: Path) -> None:
    """Refuse an archive whose pictures are in another archive inside."""
    members = [member.lower() for member in Archive(path).members]
    inside = [member for member in members if member.endswith((".zip", *_OTHER_ARCHIVES))]
    if inside and not any(member.endswith(tuple(IMAGE_SUFFIXES)) for member in members):
        raise DatasetError(f"{path} holds another archive, {inside[0]}; unpack it and name that")


def holds_csv(source: Path) -> bool:
    """Whether `read_samples` would read a csv from a source, and not pictures in files.

    Raises:
        SourceError: it may not be read.
        DatasetError: it is a damaged or refused archive.
    """
    return look_at(source) == "file" and not _is_archive_of_pictures(source)


def _from_csv(path: Path, source: str, ferplus: Path | str | None, use_cache: bool) -> Samples:
    columns = read_cached_csv(path, use_cache=use_cache)
    votes = None
    if ferplus is not None:
        votes = read_votes(Path(ferplus).expanduser(), columns.splits)
    return Samples(
        images=columns.images,
        labels=columns.labels,
        splits=columns.splits,
        label_set=FER2013,
        names=[f"row {row}" for row in columns.rows.tolist()],
        source=source,
        votes=votes,
        layout=_layout(columns.splits) + _beside(path),
    )


def _beside(path: Path) -> str:
    """What else an archive holds beside the csv that is read, in words."""
    if not _is_archive(path):
        return ""
    archive = Archive(path)
    others = [member for member in archive.members if member != csv_member(archive)]
    told = left_out(others, hidden=archive.hidden, same_names=archive.same_names)
    return told and f", {told}"


def _layout(splits: NDArray[np.str_]) -> str:
    present = set(np.unique(splits).tolist())
    usages = [usage for usage, split in SPLIT_OF_USAGE.items() if split.value in present]
    if usages == ["Training"]:
        return "rows of a csv, all for training"
    return f"{listed(usages)} rows of a csv"


def _is_archive(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error


def _is_archive_of_pictures(path: Path) -> bool:
    """Whether a file is a zip archive of class folders, or at least holds no csv.

    A csv and a picture beside it, an example say, are a csv; class folders and a csv, which may
    list them, are class folders.
    """
    if not _is_archive(path):
        return False
    members = Archive(path).members
    if not any(member.lower().endswith(".csv") for member in members):
        return True
    pictures = [m for m in members if m.lower().endswith(tuple(IMAGE_SUFFIXES))]
    return any(folder in FERPLUS for m in pictures for folder in m.split("/")[:-1])
