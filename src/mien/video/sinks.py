"""Results and annotated pictures into files, whose endings choose the format.

JSON Lines keep the contract of docs/coordinates.md, one line per picture. CSV has one row per
face, so a picture without faces has none there. Files appear when they are complete.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import PIL.Image

from mien.errors import OutputError
from mien.files import atomic_file
from mien.results import Face, FrameResult
from mien.samples import Image

TABLE_SUFFIXES = (".csv", ".jsonl", ".json")
"""Endings that `open_table` understands; ``.json`` holds JSON Lines too."""

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Endings that `write_picture` understands."""

_COLUMNS = (
    *("source", "frame", "time_s", "face", "x", "y", "w", "h"),
    *("detection_score", "track", "expression", "confidence"),
)


def json_line(result: FrameResult) -> str:
    """A result as one line of JSON, without the line break; equal results give equal lines."""
    return json.dumps(result.as_dict(), ensure_ascii=False)


@contextmanager
def open_table(path: Path, label_keys: Sequence[str]) -> Iterator[Callable[[FrameResult], None]]:
    """Yield a function that appends one picture's faces to a table, which the block completes.

    Args:
        path: ``.csv``, ``.jsonl`` or ``.json``.
        label_keys: keys of the classes in order, for the columns ``p_<key>`` of a CSV.

    Raises:
        OutputError: the ending is another, or the file cannot be written. Nothing half-written
            is left, and a table that stood there before is still there.
    """
    check_suffix(path, TABLE_SUFFIXES, "table")
    as_csv = path.suffix.lower() == ".csv"
    keys = tuple(label_keys)
    with (
        atomic_file(path) as temporary,
        # File names need not be valid text.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        if as_csv:
            rows.writerow((*_COLUMNS, *(f"p_{key}" for key in keys)))

        def write(result: FrameResult) -> None:
            if as_csv:
                rows.writerows(_rows(result, keys))
            else:
                file.write(json_line(result) + "\n")

        yield write


def write_table(path: Path, results: Iterable[FrameResult], label_keys: Sequence[str]) -> None:
    """Write a whole table at once; see `open_table`.

    Raises:
        OutputError: as `open_table`.
    """
    with open_table(path, label_keys) as write:
        for result in results:
            write(result)


def write_picture(path: Path, image_rgb: Image) -> None:
    """Write a picture, in the format of the path's ending.

    Raises:
        OutputError: the ending is not of a picture, or the file cannot be written.
    """
    check_suffix(path, PICTURE_SUFFIXES, "picture")
    picture = PIL.Image.fromarray(image_rgb)
    with atomic_file(path) as temporary:
        # Little compression: PNG's best level takes seconds for a photo.
        picture.save(temporary, quality=92, compress_level=3)


def check_suffix(path: Path, suffixes: Sequence[str], what: str) -> None:
    """Refuse a path with another ending.

    Raises:
        OutputError: names the endings that are understood.
    """
    if path.suffix.lower() not in suffixes:
        raise OutputError(f"cannot write a {what} as {path}; use one of {' '.join(suffixes)}")


def _rows(result: FrameResult, keys: Sequence[str]) -> Iterator[list[Any]]:
    frame = result.as_dict()
    for number, face in enumerate(result.faces):
        yield [
            *(frame["source"], frame["frame"], frame["time_s"], number),
            *_face_cells(face, keys),
        ]


def _face_cells(face: Face, keys: Sequence[str]) -> list[Any]:
    row = face.as_dict()
    probabilities = row.get("probabilities", {})
    return [
        *row["box"],
        row["detection_score"],
        "" if row["track"] is None else row["track"],
        row.get("expression", ""),
        row.get("confidence", ""),
        *(probabilities.get(key, "") for key in keys),
    ]
