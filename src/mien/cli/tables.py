"""Tables of text on the terminal."""

from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

if TYPE_CHECKING:
    from mien.data.unlabelled import Unlabelled
    from mien.reports.document import Table
    from mien.samples import Samples
    from mien.workflows.training import Parts


def boxed(table: "Table", *, averages: int = 0) -> RichTable:
    """A table in a box.

    Args:
        table: head and cells.
        averages: how many rows at the end stand under a line of their own.
    """
    rich = RichTable()
    for index, title in enumerate(table.header):
        rich.add_column(title, justify="left" if index < table.numeric_from else "right")
    for number, row in enumerate(table.rows):
        if averages and number == len(table.rows) - averages:
            rich.add_section()
        rich.add_row(*map(escape, row))
    return rich


def plain(table: "Table") -> RichTable:
    """A table without lines; in a narrow terminal its titles are broken, but no number."""
    rich = RichTable(box=None, pad_edge=False)
    columns = zip(*table.rows, strict=True)
    for index, (title, cells) in enumerate(zip(table.header, columns, strict=True)):
        if index < table.numeric_from:
            rich.add_column(title, overflow="fold")
        else:
            width = max(map(len, (*cells, *title.split())))
            rich.add_column(title, justify="right", min_width=width)
    for row in table.rows:
        rich.add_row(*map(escape, row))
    return rich


def split_table(
    parts: "Parts", samples: "Samples", unlabelled: "Unlabelled | None" = None
) -> Group:
    """What was found and how it was split; see `mien.workflows.training.split_rows`."""
    from mien.workflows.training import split_rows

    line, (head, *rows, sums), cautions = split_rows(parts, samples)
    table = RichTable(title="rows by class", title_justify="left")
    for title in head:
        table.add_column(title, justify="left" if title == head[0] else "right")
    for row in rows:
        table.add_row(*row)
    table.add_section()
    table.add_row(*sums)
    for source in unlabelled.sources if unlabelled is not None else ():
        table.add_row(f"no label: {source.source}", f"{source.n:,}")
    return Group(Text(line), table, *map(Text, cautions))
