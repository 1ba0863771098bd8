"""What people showed, over the tables of any number of pictures and videos."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mien.files import atomic_folder
from mien.outputs.reading import read_rows
from mien.outputs.summary_tables import (
    check_parquet_is_there,
    summary_tables,
    write_csv,
    write_parquet,
)
from mien.reports.summary_page import summary_page
from mien.reports.summary_text import headline, how_to_read, summary_table
from mien.reports.wording import shown_names
from mien.summaries.faces import joined
from mien.summaries.summarizing import MIN_SEEN_S, summarized
from mien.summaries.summary import Summary
from mien.workflows.files import Paths, paths_of

__all__ = [
    "MIN_SEEN_S",
    "PAGE",
    "Summary",
    "headline",
    "how_to_read",
    "summarize",
    "summary_table",
]

PAGE = "summary.html"
"""Name of the page."""


def summarize(
    tables: Paths,
    *,
    conditions: str | Path | None = None,
    group_by: str | Sequence[str] = (),
    person: str | None = None,
    baseline: str | Path | None = None,
    min_seen_s: float = MIN_SEEN_S,
    out: str | Path | None = None,
    parquet: bool = False,
    on_notice: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Sum up what people showed: shares of time, mean probabilities, onsets, latencies.

    Intervals are over persons, not over frames.

    Args:
        tables: files that ``mien recognize --table`` wrote, of videos or of photos.
        conditions: a csv with a row for each file, or span of a file, and what is said of it.
        group_by: its columns whose values make groups, or ``source``.
        person: its column that says who is seen, ``source`` or ``track``; where None, ``person``
            if there is such a column, else ``track``.
        baseline: ``FROM-TO`` in seconds of each source, or a csv of spans: how people usually
            look. Deviations stand beside the values.
        min_seen_s: tracks that are seen for less are left out.
        out: folder for ``groups.csv``, ``persons.csv``, ``differences.csv`` and
            ``summary.html``; None: nothing is written.
        parquet: write the tables as Parquet, too.
        on_notice: told in a line what was left out.

    Raises:
        SourceError: a file cannot be read.
        TableError: files contradict their format or each other.
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        MissingExtraError: Parquet without pyarrow.
    """
    if parquet:
        check_parquet_is_there()
    paths = paths_of(tables)
    summary = summarized(
        joined([(str(path), read_rows(path, on_notice)) for path in paths]),
        conditions=None if conditions is None else Path(conditions),
        group_by=(group_by,) if isinstance(group_by, str) else tuple(group_by),
        person=person,
        baseline=baseline,
        min_seen_s=min_seen_s,
    )
    for note in summary.notes:
        on_notice(note)
    if summary.left_out:
        shown = shown_names(summary.left_out)
        names = ", ".join(shown[:3]) + (" ..." if len(shown) > 3 else "")
        n_files = summary.n_sources + len(summary.left_out)
        on_notice(
            f"{conditions} says nothing of {len(summary.left_out)} of {n_files} files, "
            f"which are left out: {names}"
        )
    if out is not None:
        with atomic_folder(Path(out)) as folder:
            for table in summary_tables(summary):
                write_csv(folder / f"{table.name}.csv", table)
                if parquet:
                    write_parquet(folder / f"{table.name}.parquet", table)
            (folder / PAGE).write_text(
                summary_page(summary, [str(path) for path in paths]),
                encoding="utf-8",
                errors="backslashreplace",
            )
    return summary
