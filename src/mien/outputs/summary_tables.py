"""Summaries as tables: CSV and Parquet, a row for each value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import needs_extra
from mien.outputs.rows import as_bytes, csv_lines
from mien.summaries.intervals import Estimate
from mien.summaries.summary import Summary

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class SummaryTable:
    """A table in memory."""

    name: str
    """Name of its file, without an ending."""
    columns: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[tuple[Any, ...], ...]
    """Cells; None where nothing is known."""


def summary_tables(summary: Summary) -> list[SummaryTable]:
    """The tables of a summary: of groups, of persons and, with several groups, of differences."""
    with_baseline = bool(summary.baseline)
    kind = ("measure", "expression")
    groups = SummaryTable(
        "groups",
        (
            *summary.group_by,
            *kind,
            *("n_persons", "n_shown", *_ends("value")),
            *(("baseline", "outside_baseline", *_ends("deviation")) if with_baseline else ()),
        ),
        tuple(
            (
                *one.group,
                *(one.measure, one.expression, one.estimate.n_persons, one.n_shown),
                *_cells(one.estimate),
                *(
                    (*map(_cell, (one.baseline.value, one.outside.value)), *_cells(one.deviation))
                    if with_baseline
                    else ()
                ),
            )
            for one in summary.values
        ),
    )
    persons = SummaryTable(
        "persons",
        (
            *summary.group_by,
            *("who" if "person" in summary.group_by else "person", *kind, "value"),
            *(("baseline", "outside_baseline", "deviation") if with_baseline else ()),
        ),
        tuple(
            (
                *one.group,
                *(one.person, one.measure, one.expression, _cell(one.value)),
                *(map(_cell, (one.baseline, one.outside, one.deviation)) if with_baseline else ()),
            )
            for one in summary.persons
        ),
    )
    differences = SummaryTable(
        "differences",
        ("first", "second", *kind, "n_persons", "paired", *_ends("difference")),
        tuple(
            (
                *(", ".join(one.first), ", ".join(one.second), one.measure, one.expression),
                *(one.estimate.n_persons, one.is_paired, *_cells(one.estimate)),
            )
            for one in summary.differences
        ),
    )
    return [groups, persons, *([differences] if summary.differences else [])]


def write_csv(path: Path, table: SummaryTable) -> None:
    """Write a table as CSV, in UTF-8; what is not known is an empty cell."""
    path.write_bytes(as_bytes(csv_lines([table.columns, *table.rows])))


def check_parquet_is_there() -> None:
    """Find out whether Parquet can be written, before any work is done.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    with needs_extra("table"):
        import pyarrow.parquet  # noqa: F401


def write_parquet(path: Path, table: SummaryTable) -> None:
    """Write a table as Parquet; what is not known is null.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    with needs_extra("table"):
        import pyarrow
        import pyarrow.parquet as parquet
    cells = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    columns = {
        name: pyarrow.array(column, _arrow_type(pyarrow, column))
        for name, column in zip(table.columns, cells, strict=True)
    }
    parquet.write_table(pyarrow.table(columns), path)


def _arrow_type(pyarrow: Any, column: Sequence[Any]) -> Any:
    some = next((cell for cell in column if cell is not None), 0.0)
    if isinstance(some, bool):
        return pyarrow.bool_()
    if isinstance(some, str):
        return pyarrow.string()
    return pyarrow.int64() if isinstance(some, int) else pyarrow.float64()


def _ends(name: str) -> tuple[str, str, str]:
    return (name, f"{name}_low", f"{name}_high")


def _cells(estimate: Estimate) -> tuple[float | None, ...]:
    return tuple(map(_cell, (estimate.value, estimate.low, estimate.high)))


def _cell(value: float) -> float | None:
    return None if math.isnan(value) else round(value, _DECIMALS)
