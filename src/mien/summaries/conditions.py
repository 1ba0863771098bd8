"""What a person says about the sources: conditions, persons, spans of time. And baselines.

Both come as csv files with a row for each span of a source::

    source,from_s,to_s,person,condition
    anna.mp4,0,60,anna,film
    anna.mp4,60,120,anna,talk

``source`` is a name as in the table, or a file name without its folders where that is clear.
``track``, ``from_s`` and ``to_s`` may be left out or empty: all of it.
"""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from mien.broken_text import number, what_is_broken, whole_number
from mien.errors import SourceError, TableError
from mien.summaries.spans import Spans

SPAN_COLUMNS = ("source", "track", "from_s", "to_s")
"""Columns that say where a condition is; all others say what it is."""
PERSON = "person"
"""Column of persons, if nothing else is asked for."""

_SPAN = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")
_LARGEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a source, and what is said of it."""

    source: int
    """Index of the source."""
    track: int | None
    """The one face that is meant; None: all."""
    from_s: float
    """Where it begins, in seconds."""
    to_s: float
    """Where it ends; infinite: with the source."""
    values: Mapping[str, str]
    """The columns beside `SPAN_COLUMNS`."""
    where: str = ""
    """Its file and line, for messages; empty where nobody wrote it."""


def read_spans(path: Path, found: Spans) -> tuple[Span, ...]:
    """Read a csv of spans, and find their sources.

    Args:
        path: the file.
        found: the rows of the tables.

    Raises:
        SourceError: the file cannot be read.
        TableError: a line is none, names a source that is in no table or a time outside of it,
            or two lines contradict each other.
    """
    columns, lines = _read(path)
    if "source" not in columns:
        raise TableError(f"{path} has no column source; its columns: {', '.join(columns)}")
    sources = found.rows.sources
    _check_sources(path, lines, sources)
    spans = tuple(_span(f"{path}, line {line}", row, sources) for line, row in lines)
    if not spans:
        raise TableError(f"{path} has no row below its head")
    for span in spans:
        check_time(span.where, span.from_s, span.to_s, span.source, found)
    return spans


def everything(found: Spans) -> tuple[Span, ...]:
    """All of every source, of which nothing is said."""
    n = len(found.rows.sources)
    return tuple(Span(index, None, 0.0, math.inf, {}) for index in range(n))


def baseline_spans(baseline: str | Path, found: Spans) -> tuple[Span, ...]:
    """Where people are as they usually are.

    Args:
        baseline: ``FROM-TO`` in seconds, the same in every source; or a csv of spans.
        found: the rows of the tables.

    Raises:
        SourceError, TableError: as `read_spans`.
    """
    written = _SPAN.fullmatch(str(baseline))
    if written is None:
        if not Path(baseline).exists():
            raise TableError(
                f"--baseline {baseline} is neither a file nor FROM-TO in seconds, as 0-10"
            )
        return read_spans(Path(baseline), found)
    from_s, to_s = float(written[1]), float(written[2])
    present = np.unique(found.rows.source).tolist()
    for source in present:
        check_time(f"--baseline {baseline}", from_s, to_s, source, found)
    return tuple(Span(source, None, from_s, to_s, {}) for source in present)


def baseline_name(baseline: str | Path) -> str:
    """What a baseline is called."""
    is_span = _SPAN.fullmatch(str(baseline))
    return f"{is_span[1]} to {is_span[2]} s of each video" if is_span else str(baseline)


def check_time(what: str, from_s: float, to_s: float, source: int, found: Spans) -> None:
    """Refuse a span that is not inside its source.

    Raises:
        TableError: it is not.
    """
    whole = from_s == 0.0 and math.isinf(to_s)
    if whole:
        return
    name, end_s = PurePath(found.rows.sources[source]).name, float(found.end_s[source])
    if not from_s < to_s:
        raise TableError(f"{what}: {from_s:g} to {to_s:g} s is no span of time")
    if math.isnan(end_s):
        raise TableError(f"{what}: {name} has no times, as it is a photo or shows nobody")
    if from_s >= end_s:
        raise TableError(
            f"{what}: {from_s:g} s lies outside {name}, whose last face is seen at {end_s:.2f} s"
        )
    # A recording may go on after its last face; how long, a table does not tell.
    if math.isfinite(to_s) and to_s > 2 * end_s + 60.0:
        raise TableError(
            f"{what}: {to_s:g} s lies far outside {name}, whose last face is seen at {end_s:.2f} s"
        )


def late_ends(spans: Sequence[Span], found: Spans, what: str) -> str:
    """Which spans end after the last face of their source, and so count up to there.

    A recording may go on after its last face, and a table does not tell how long, so this is no
    error; but whoever mistyped a time must see it.

    Args:
        spans: as read.
        found: the rows of the tables.
        what: what they are called where no file and line says so.

    Returns:
        A sentence, without a full stop; empty where there is none, or it is by one frame at most.
    """
    late = []
    for span in spans:
        end_s, frame_s = float(found.end_s[span.source]), float(found.frame_s[span.source])
        if math.isfinite(span.to_s) and span.to_s > end_s + frame_s:
            name = PurePath(found.rows.sources[span.source]).name
            late.append((span.where or what, span.to_s, f"{end_s:.1f} s of {name}"))
    if not late:
        return ""
    where, to_s, cut = late[0]
    more = f", and {len(late) - 1:,} more likewise" if len(late) > 1 else ""
    return f"{where}: {to_s:g} s is cut to {cut}, where its last face is seen{more}"


def value_columns(spans: Sequence[Span]) -> tuple[str, ...]:
    """Columns that say something of the spans."""
    return tuple(spans[0].values) if spans else ()


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    at: int | None = None
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise TableError(f"{path} is larger than 64 MB; is it the table itself?")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            lines = []
            for cells in reader:
                at = reader.line_num
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(columns):
                    raise TableError(
                        f"{path}, line {reader.line_num}: expected {len(columns)} cells, got "
                        f"{len(cells)}"
                    )
                row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
                lines.append((reader.line_num, row))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise TableError(
            f"{path} is no csv: {what_is_broken(error, line=at)}; save it as csv, UTF-8"
        ) from error
    if len(set(columns)) != len(columns) or "" in columns:
        raise TableError(f"{path}: every column needs a name of its own; got {', '.join(columns)}")
    return columns, lines


def _span(where: str, row: Mapping[str, str], sources: Sequence[str]) -> Span:
    try:
        track = whole_number(row["track"], "track") if row.get("track") else None
        from_s = number(row.get("from_s") or 0.0, "from_s")
        to_s = number(row.get("to_s") or math.inf, "to_s")
    except ValueError as error:
        raise TableError(f"{where}: {error}") from error
    if not 0.0 <= from_s < math.inf or math.isnan(to_s):
        raise TableError(f"{where}: {from_s:g} to {to_s:g} s is no span of time")
    values = {name: value for name, value in row.items() if name not in SPAN_COLUMNS}
    return Span(_source(where, row["source"], sources), track, from_s, to_s, values, where)


def _check_sources(
    path: Path, lines: Sequence[tuple[int, Mapping[str, str]]], sources: Sequence[str]
) -> None:
    """Refuse files that are in no table, all of them at once, so that they can be mended at once.

    Raises:
        TableError: there are such.
    """
    missing = [(line, row["source"]) for line, row in lines if not _meant(row["source"], sources)]
    if missing:
        line, name = missing[0]
        rows = "1 row names" if len(missing) == 1 else f"{len(missing):,} rows name"
        first = "" if len(missing) == 1 else "the first in "
        raise TableError(
            f"{path}: {rows} a file that is in none of the tables ({first}line {line}: "
            f"{name or 'no name'}). Correct the name, or delete the row: files without a face are "
            "in no table"
        )


def _meant(name: str, sources: Sequence[str]) -> list[int]:
    """Indices of the sources that a name may mean."""
    if name in sources:
        return [sources.index(name)]
    last = PurePath(name).name
    # A name with folders means these folders.
    return [
        index
        for index, source in enumerate(sources)
        if last and PurePath(source).name == last and source.endswith(name)
    ]


def _source(where: str, name: str, sources: Sequence[str]) -> int:
    ends = _meant(name, sources)
    if len(ends) > 1:
        first, second = (sources[index] for index in ends[:2])
        raise TableError(f"{where}: {name} may be {first} or {second}; name its folder, too")
    return ends[0]
