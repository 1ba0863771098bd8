"""Which group each face belongs to: a csv that people write, matched with the faces by name.

The first column names a picture or row, every other column is a grouping of its own: age, sex,
skin tone, camera, site. Nothing is guessed: a file that fits nothing, or says two things of one
picture, is an error, and what could not be matched is counted and told.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mien.broken_text import what_is_broken
from mien.errors import DatasetError, SourceError
from mien.spelling import did_you_mean

MAX_BYTES = 200_000_000
"""Largest file that is read: several million rows."""

MAX_VALUES = 60
"""Groups of one column; more are numbers that should be ranges, or names."""

MAX_BREAKDOWNS = 12
"""Columns and intersections in one report."""

JOINED = ", "
"""Between the values of an intersection, and the names of its columns."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupTable:
    """The groups of the pictures that a file names."""

    path: Path
    """The file."""
    columns: tuple[str, ...]
    """Its columns but the first, in order."""
    values: Mapping[str, tuple[str, ...]]
    """The values of each picture that was found, by its name in the source, in the columns' order;
    an empty one is unknown."""
    n_rows: int
    """Rows of the file."""
    first_unmatched: str = ""
    """The first row that names no picture of the source, and why, in words; empty for none."""

    @property
    def n_unmatched(self) -> int:
        """Rows that name no picture of the source."""
        return self.n_rows - len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """One way to divide faces into groups."""

    title: str
    """The column, or the columns of an intersection."""
    names: tuple[str, ...]
    """The groups, sorted; numbers by size."""
    codes: NDArray[np.int64]
    """Position of each face's group in ``names``, (n,); -1 where its group is not known."""


def read_groups(path: Path, names: Sequence[str], source: str) -> GroupTable:
    """Read a csv of groups.

    Args:
        path: comma, semicolon or tab between columns. The first column holds ``row 17`` or ``17``
            for rows of a csv; otherwise a path within the source, or a file name that no two
            pictures there share.
        names: the source's pictures or rows, as in `mien.samples.Samples.names`.
        source: the source, as the user named it.

    Returns:
        The groups of all pictures that were found.

    Raises:
        SourceError: there is no such file, or it may not be read.
        DatasetError: it is no such csv, names no picture of the source, or gives one picture two
            values.
    """
    header, rows = _read(path)
    find = _Finder(names)
    found: dict[str, tuple[str, ...]] = {}
    line_of: dict[str, int] = {}
    repeated = 0
    first_unmatched = ""
    for line, row in rows:
        if len(row) != len(header):
            raise DatasetError(
                f"{path}: line {line} has {len(row)} columns, expected {len(header)}; "
                "put texts with commas in quotation marks"
            )
        name = find(row[0])
        if name is None:
            first_unmatched = first_unmatched or f"line {line}: {find.why_not(row[0])}"
            continue
        values = tuple(row[1:])
        if found.setdefault(name, values) != values:
            column, one, two = next(
                (column, one, two)
                for column, one, two in zip(header[1:], found[name], values, strict=True)
                if one != two
            )
            raise DatasetError(
                f"{path} gives {name} two values of {column}: {one or 'none'} in line "
                f"{line_of[name]}, {two or 'none'} in line {line}; keep one"
            )
        repeated += name in line_of
        line_of.setdefault(name, line)
    if not found:
        there = f"names there look like: {names[0]}" if names else "it has no pictures"
        given = f" ({rows[0][1][0]} ...)" if rows else ""
        raise DatasetError(f"{path} names no picture of {source}{given}; {there}")
    return GroupTable(path, tuple(header[1:]), found, len(rows) - repeated, first_unmatched)


def groupings(table: GroupTable, names: Sequence[str], by: Sequence[str] = ()) -> list[Grouping]:
    """Divide faces by the columns of a file.

    Args:
        table: the file.
        names: the faces.
        by: a column, or columns with commas between them for their intersection, each; every
            column by itself where there are none.

    Raises:
        DatasetError: the file has no such column, names none of these faces, a column has more
            than `MAX_VALUES` values, or there are more than `MAX_BREAKDOWNS`.
    """
    known = [table.values.get(name) for name in names]
    if not any(known):
        raise DatasetError(
            f"{table.path} names none of the {len(names):,} measured faces, only faces of other "
            "splits; add their rows, or measure another split"
        )
    wanted = [_columns(table, words) for words in by] or [[column] for column in table.columns]
    if len(wanted) > MAX_BREAKDOWNS:
        raise DatasetError(
            f"{table.path} has {len(wanted)} columns, at most {MAX_BREAKDOWNS} are compared; "
            f"choose some: --by {table.columns[0]}"
        )
    return [_grouping(table, columns, known) for columns in wanted]


def _grouping(
    table: GroupTable, columns: list[str], known: list[tuple[str, ...] | None]
) -> Grouping:
    at = [table.columns.index(column) for column in columns]
    title = JOINED.join(columns)
    joined = []
    for values in known:
        parts = [] if values is None else [values[index] for index in at]
        joined.append(JOINED.join(parts) if parts and all(parts) else "")
    groups = sorted(set(joined) - {""}, key=_sorting)
    if not groups:
        raise DatasetError(f"{table.path}: the column {title} is empty for the measured faces")
    if len(groups) > MAX_VALUES:
        raise DatasetError(
            f"{table.path}: {title} has {len(groups):,} values ({groups[0]}, {groups[1]} ...), at "
            f"most {MAX_VALUES} groups are compared; write ranges, such as 20-29, or name other "
            "columns with --by"
        )
    code_of = {name: code for code, name in enumerate(groups)}
    return Grouping(
        title, tuple(groups), np.array([code_of.get(name, -1) for name in joined], np.int64)
    )


def _columns(table: GroupTable, words: str) -> list[str]:
    wanted = [word.strip() for word in words.split(",")]
    for column in wanted:
        if column not in table.columns:
            near = did_you_mean(column, table.columns) or f"it has {', '.join(table.columns)}"
            raise DatasetError(f"{table.path} has no column {column!r}; {near}")
    if len(set(wanted)) < len(wanted):
        raise DatasetError(f"--by {words} names a column twice")
    return wanted


def _sorting(name: str) -> tuple[list[tuple[int, float, str]], str]:
    """Numbers, also those at the beginning of ranges, by size, before texts."""
    keys = []
    for part in name.split(JOINED):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        keys.append((0, float(digits), part) if digits and len(digits) < 10 else (1, 0.0, part))
    return keys, name


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the rows with their lines in a text editor; cells without outer blanks."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DatasetError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; it is no list")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}; --groups takes a csv") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no UTF-8 text; save it as csv, UTF-8") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        rows = [
            (reader.line_num, [cell.strip() for cell in row])
            for row in reader
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise DatasetError(
            f"{path} is no csv: {what_is_broken(error, line=reader.line_num)}; save it as csv, "
            "UTF-8"
        ) from error
    if len(header) < 2:
        raise DatasetError(
            f"{path} has no columns of groups; its first line names the columns: picture,age,sex"
        )
    twice = [name for name, count in Counter(header[1:]).items() if count > 1 or not name]
    if twice:
        raise DatasetError(f"{path}: two columns are called {twice[0]!r}, or one has no name")
    if any("," in name for name in header[1:]):
        raise DatasetError(f"{path}: a column's name has a comma, which --by would not understand")
    return header, rows


class _Finder:
    """Finds the picture that a cell means."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._counts = Counter(PurePosixPath(name).name for name in self._names)
        self._of_file = {
            PurePosixPath(name).name: name
            for name in self._names
            if self._counts[PurePosixPath(name).name] == 1
        }

    def __call__(self, cell: str) -> str | None:
        if cell in self._names:
            return cell
        if _is_number(cell) and f"row {int(cell)}" in self._names:
            return f"row {int(cell)}"
        parts = PurePosixPath(cell.replace("\\", "/")).parts
        # A longer path, as other programs write, ends in the one within the source.
        for start in range(len(parts)):
            if (path := "/".join(parts[start:])) in self._names:
                return path
        name = self._of_file.get(parts[-1]) if parts else None
        if name is None or len(parts) > len(own := PurePosixPath(name).parts):
            return None
        return name if own[-len(parts) :] == parts else None

    def why_not(self, cell: str) -> str:
        """Why a cell that was not found means no picture, in words."""
        n_called_so = self._counts[cell]
        if n_called_so > 1:
            return f"{cell} may be any of {n_called_so:,} pictures; name its folder, too"
        digits = cell.removeprefix("row ")
        if _is_number(digits) and self._last_row:
            return f"there is no row {int(digits):,}, the last is row {self._last_row:,}"
        return f"there is no {cell or 'name'}"

    @property
    def _last_row(self) -> int:
        """Number of a csv's last row; 0 where the pictures are files."""
        numbers = (name.removeprefix("row ") for name in self._names if name.startswith("row "))
        return max((int(number) for number in numbers if _is_number(number)), default=0)


def _is_number(text: str) -> bool:
    """Whether a text counts a row; no file has more than a number of ten digits can count."""
    return text.isascii() and text.isdigit() and len(text) <= 10
