"""What recognition found, printed."""

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.table import Table

from mien.cli.console import output
from mien.results import FrameResult
from mien.workflows.recognizing import VideoFindings, picture_rows


def print_pictures(results: Iterable[FrameResult]) -> None:
    """Print a row for every face of every picture."""
    columns, rows = picture_rows(results)
    table = Table(box=None, pad_edge=False)
    for title in columns:
        folds = title == columns[0]
        table.add_column(
            title,
            overflow="fold" if folds else "ellipsis",
            no_wrap=not folds and title != columns[-1],
        )
    _fill(table, rows)


def print_video(found: VideoFindings) -> None:
    """Print a line about a video and a row for every track."""
    output.print(found.line, markup=False)
    if not found.rows:
        return
    table = Table(box=None, pad_edge=False)
    for title in found.columns:
        is_time = title in ("from", "to", "seen", "changes/min")
        table.add_column(title, justify="right" if is_time else "left", no_wrap=title != "shows")
    _fill(table, found.rows)
    if found.left_out:
        output.print(found.left_out)


def _fill(table: Table, rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        # File names may hold what Rich would take for markup.
        table.add_row(*map(escape, row))
    output.print(table)
