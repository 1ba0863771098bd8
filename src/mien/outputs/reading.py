"""Tables of results read again: CSV, JSON Lines and Parquet, as `mien.outputs.tables` writes them.

Only what summaries need is read. A row that a crash broke off at the end is left out.
"""

import csv
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.broken_text import from_json, number, what_is_broken, whole_number
from mien.errors import SourceError, TableError, needs_extra
from mien.labels import UNCERTAIN
from mien.outputs.tables import TABLE_SUFFIXES
from mien.summaries.faces import NO_TRACK, FaceRows

_Item = TypeVar("_Item")
_PREFIX = "p_"
NO_FACE = -1
"""Stands for the number of a face where a table has none."""
_NEEDED = ("source", "frame", "time_s", "track", "expression")
_MEASURED = ("x", "y", "w", "h", "detection_score", "confidence")
_RAW = "raw_p_"


def read_rows(path: Path, on_notice: Callable[[str], None] = lambda line: None) -> FaceRows:
    """Read the classified faces of a table.

    Args:
        path: ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``.
        on_notice: told in a line what was left out, or what a file cut off there makes doubtful.

    Raises:
        SourceError: the file cannot be read.
        TableError: it is no such table; names the line.
        MissingExtraError: Parquet without pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise TableError(
            f"{path} is no table; its name must end in one of {' '.join(TABLE_SUFFIXES)}"
        )
    try:
        if suffix == ".parquet":
            return _from_parquet(path)
        is_whole = _ends_whole(path)
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            read = _from_csv if suffix == ".csv" else _from_json
            told: list[str] = []
            rows = read(path, stream, is_whole, told.append)
        if not is_whole and not told:
            told.append(
                f"{path}: the last line has no end; if the file was cut off there, later rows are "
                "missing, and its last number may be, too"
            )
        for line in told:
            on_notice(line)
        return rows
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


class _Rows:
    """Collects rows whose classes are not known before the first."""

    def __init__(self, path: Path, label_keys: tuple[str, ...]) -> None:
        self._path = path
        self._keys = label_keys
        self._shown = {key: index for index, key in enumerate((*label_keys, UNCERTAIN.key))}
        self._sources: dict[str, int] = {}
        self._cells: list[tuple[int, int, float, int, int, int, int]] = []
        self._probabilities: list[list[float]] = []

    def add(self, row: Mapping[str, Any], probabilities: list[Any], line: int) -> None:
        """Add a row.

        Args:
            row: its cells by name; of those that are not needed, as `_MEASURED`, any may be there.
            probabilities: in the order of the classes.
            line: where it stands.

        Raises:
            ValueError, TypeError: a cell is no number, or no expression.
        """
        if row["expression"] not in self._shown:
            raise ValueError(f"{row['expression']!r} is none of {', '.join(self._shown)}")
        time_s = number(row["time_s"], "time_s")
        numbers = [
            number(value, _PREFIX + key)
            for key, value in zip(self._keys, probabilities, strict=True)
        ]
        if not math.isfinite(time_s) or not abs(math.fsum(numbers) - 1.0) < 1e-3:
            raise ValueError("the time is not finite, or the probabilities do not sum to 1")
        if min(numbers) < -1e-3:
            raise ValueError("a probability is below 0")
        # Nothing is computed from these, but where they are letters, cells stand in a wrong place.
        for name, value in row.items():
            if name in _MEASURED or name.startswith(_RAW):
                _check_measured(value, name)
        track = row["track"]
        cells = (
            whole_number(row["frame"], "frame"),
            time_s,
            NO_TRACK if track in (None, "") else _counted(track, "track"),
            self._shown[row["expression"]],
            NO_FACE if row.get("face") in (None, "") else _counted(row["face"], "face"),
        )
        source = self._sources.setdefault(row["source"], len(self._sources))
        self._cells.append((source, *cells, line))
        self._probabilities.append(numbers)

    def see(self, source: str) -> None:
        """A source is there, though nobody may be seen in it."""
        self._sources.setdefault(source, len(self._sources))

    def done(self) -> FaceRows:
        """All rows.

        Raises:
            TableError: one stands twice.
        """
        columns = list(zip(*self._cells, strict=True)) or [()] * 7
        source, frame, time_s, track, label, face, line = columns
        self._check_once(*map(np.array, (source, frame, time_s, track, face, line)))
        return FaceRows(
            tuple(self._sources),
            self._keys,
            np.array(source, np.int64),
            np.array(frame, np.int64),
            np.array(time_s, np.float64),
            np.array(track, np.int64),
            np.array(label, np.int64),
            np.array(self._probabilities, np.float64).reshape(len(self._cells), len(self._keys)),
        )

    def _check_once(
        self,
        source: NDArray[np.int64],
        frame: NDArray[np.int64],
        time_s: NDArray[np.float64],
        track: NDArray[np.int64],
        face: NDArray[np.int64],
        line: NDArray[np.int64],
    ) -> None:
        """Refuse a face that stands twice, which would count twice.

        A track is in a frame once, and so at a time. Photos have no tracks, but numbered faces.

        Raises:
            TableError: names the line.
        """
        in_video = np.flatnonzero(track != NO_TRACK)
        in_photo = np.flatnonzero((track == NO_TRACK) & (face != NO_FACE))
        for rows, columns in (
            (in_video, (source, track, frame)),
            (in_video, (source, track, time_s)),
            (in_photo, (source, face, frame)),
        ):
            order = rows[np.lexsort((line[rows], *(column[rows] for column in columns)))]
            same = np.ones(max(0, len(order) - 1), bool)
            for column in columns:
                same &= column[order[1:]] == column[order[:-1]]
            if not same.any():
                continue
            pairs = np.flatnonzero(same)
            at = pairs[np.argmin(line[order[pairs + 1]])]
            first, second = order[at], order[at + 1]
            name = tuple(self._sources)[source[second]]
            when = (
                f"track {track[second]} of {name} at {time_s[second]:g} s"
                if track[second] != NO_TRACK
                else f"face {face[second]} of {name}"
            )
            raise TableError(
                f"{self._path}, line {line[second]:,}: {when} stands in line {line[first]:,}, too"
            )


def _check_measured(value: object, name: str) -> None:
    if value in (None, ""):
        return
    measured = number(value, name)
    if (name == "confidence" or name.startswith(_RAW)) and not -1e-3 <= measured <= 1.0 + 1e-3:
        raise ValueError(f"{name} is {measured:g}, which is not from 0 to 1")


def _counted(value: object, name: str) -> int:
    counted = whole_number(value, name)
    if counted < 0:
        raise ValueError(f"{name} is {counted}, which is below 0")
    return counted


def _keys_of(path: Path, names: Iterable[str]) -> tuple[str, ...]:
    names = tuple(names)
    keys = tuple(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))
    missing = [name for name in _NEEDED if name not in names]
    if missing or not keys:
        lacks = missing[0] if missing else f"{_PREFIX}..."
        raise TableError(
            f"{path} is no table of faces: it has no column {lacks}; make one with: mien recognize "
            "... --table FILE"
        )
    return keys


def _ends_whole(path: Path) -> bool:
    """Whether the last line has its line break, so that no crash broke it off."""
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return True
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) in b"\r\n"


def _from_csv(
    path: Path, stream: Iterable[str], is_whole: bool, on_notice: Callable[[str], None]
) -> FaceRows:
    try:
        reader = csv.reader(stream, strict=True)
        names = next(reader, [])
        keys = _keys_of(path, names)
        rows = _Rows(path, keys)
        at = {
            name: index
            for index, name in enumerate(names)
            if name in (*_NEEDED, "face", *_MEASURED) or name.startswith(_RAW)
        }
        first = names.index(_PREFIX + keys[0])
        for (line, cells), is_last in _with_last((reader.line_num, row) for row in reader):
            try:
                if len(cells) != len(names):
                    raise ValueError(f"expected {len(names)} cells, got {len(cells)}")
                row = {name: cells[index] for name, index in at.items()}
                rows.see(row["source"])
                if row["expression"]:
                    rows.add(row, cells[first : first + len(keys)], line)
            except ValueError as error:
                if is_whole or not is_last:
                    raise TableError(f"{path}, line {line}: {error}") from error
                on_notice(f"{path}: the last line is broken off and left out")
    except csv.Error as error:
        raise TableError(f"{path}, {what_is_broken(error, line=reader.line_num)}") from error
    return rows.done()


def _from_json(
    path: Path, stream: Iterable[str], is_whole: bool, on_notice: Callable[[str], None]
) -> FaceRows:
    rows: _Rows | None = None
    sources = []
    keys: tuple[str, ...] = ()
    for at, (line, is_last) in enumerate(_with_last(stream), 1):
        try:
            result = from_json(line)
            sources.append(str(result["source"]))
            for place, face in enumerate(result["faces"]):
                if "expression" not in face:
                    continue
                if rows is None:
                    keys = tuple(face["probabilities"])
                    rows = _Rows(path, keys)
                cells = {**result, "face": place, **face}
                rows.add(cells, [face["probabilities"][key] for key in keys], at)
        except (ValueError, KeyError, TypeError) as error:
            if is_last and at > 1 and not is_whole:
                on_notice(f"{path}: the last line is broken off and left out")
                continue
            raise TableError(
                f"{path}, {what_is_broken(_in_words(error), line=at)}; a table of mien has a line "
                "of JSON for each frame or picture"
            ) from error
    rows = rows or _Rows(path, ())
    for source in sources:
        rows.see(source)
    return rows.done()


def _from_parquet(path: Path) -> FaceRows:
    with needs_extra("table"):
        import pyarrow
        import pyarrow.parquet as parquet
    with path.open("rb") as stream:
        try:
            file = parquet.ParquetFile(stream)
            keys = _keys_of(path, file.schema_arrow.names)
            wanted = {*_NEEDED, "face", *_MEASURED, *(_PREFIX + key for key in keys)}
            table = file.read(
                columns=[
                    name
                    for name in file.schema_arrow.names
                    if name in wanted or name.startswith(_RAW)
                ]
            )
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise TableError(
                f"{path} is no Parquet file, or a broken one; make it again with: mien recognize "
                "... --table FILE"
            ) from error
    rows = _Rows(path, keys)
    for at, cells in enumerate(table.to_pylist(), 1):
        rows.see(cells["source"])
        if cells["expression"] is None:
            continue
        try:
            rows.add(cells, [cells[_PREFIX + key] for key in keys], at)
        except (ValueError, TypeError) as error:
            raise TableError(f"{path}, row {at}: {error}") from error
    return rows.done()


def _in_words(error: Exception) -> Exception:
    """What a line of JSON that is no frame lacks; what Python says of it would not help."""
    if isinstance(error, TypeError):
        return ValueError("it is JSON, but no frame or picture")
    return error


def _with_last(items: Iterable[_Item]) -> Iterator[tuple[_Item, bool]]:
    """Items, and whether each is the last one."""
    nothing = object()
    held: Any = nothing
    for item in items:
        if held is not nothing:
            yield held, False
        held = item
    if held is not nothing:
        yield held, True
