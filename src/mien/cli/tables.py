"""Tables of text on the terminal."""

from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.console import Group
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from mien.cli.console import output

if TYPE_CHECKING:
    from mien.data.unlabelled import Unlabelled
    from mien.reports.document import Table
    from mien.samples import Samples
    from mien.workflows.training import Parts


_LONGEST_NAME = 24
"""Longer words of names, such as paths, may be broken."""


def boxed(table: "Table", *, averages: int = 0) -> Group:
    """A table in a box; see `plain` for narrow terminals.

    Args:
        table: head and cells.
        averages: how many rows at the end stand under a line of their own.
    """
    return Group(*_fitted(table, is_boxed=True, averages=averages))


def plain(table: "Table") -> Group:
    """A table without lines.

    In a narrow terminal lines are broken between words, and numbers before their brackets, but
    never inside of either. Where that is not enough, the columns stand in several tables below
    each other, each with the names of the rows. A name in the first of two columns of names that
    takes more than a line is not repeated.
    """
    return Group(*_fitted(table, is_boxed=False))


def _fitted(table: "Table", *, is_boxed: bool, averages: int = 0) -> list[RichTable]:
    """The table, or its columns in several, so that each fits the terminal."""
    room = output.width
    n_names = table.numeric_from if 0 < table.numeric_from < len(table.header) else 1
    least = [_least(table, index) for index in range(len(table.header))]
    parts: list[list[int]] = [[]]
    for index in range(n_names, len(least)):
        wanted = [*range(n_names), *parts[-1], index]
        if parts[-1] and sum(least[at] for at in wanted) > room - _between(len(wanted), is_boxed):
            parts.append([])
        parts[-1].append(index)
    drawn = []
    for part in parts:
        columns = [*range(min(n_names, len(least))), *part]
        drawn.append(_drawn(table, columns, least, is_boxed=is_boxed, averages=averages))
    return drawn


def _drawn(
    table: "Table", columns: list[int], least: list[int], *, is_boxed: bool, averages: int
) -> RichTable:
    cells = {at: [table.header[at], *(row[at] for row in table.rows)] for at in columns}
    widths = {at: max(map(cell_len, cells[at])) for at in columns}
    room = output.width - _between(len(columns), is_boxed)
    while sum(widths.values()) > room:
        widest = max(columns, key=lambda at: (widths[at] > least[at], widths[at]))
        if widths[widest] <= min(least[widest], _LONGEST_NAME):
            break
        widths[widest] -= 1
    rich = RichTable() if is_boxed else RichTable(box=None, pad_edge=False)
    for at in columns:
        is_name = at < table.numeric_from
        justify: Literal["left", "right"] = "left" if is_name else "right"
        width = None if widths[at] == 0 else widths[at]
        rich.add_column(table.header[at], justify=justify, overflow="fold", width=width)
    first = columns[0]
    before = None
    for number, row in enumerate(table.rows):
        if averages and number == len(table.rows) - averages:
            rich.add_section()
        written = [
            escape(row[at] if at < table.numeric_from else _broken(row[at], widths[at]))
            for at in columns
        ]
        # The name of a group that takes several lines stands once, before its rows.
        if table.numeric_from > 1 and row[first] == before and cell_len(before) > widths[first]:
            written[0] = ""
        before = row[first]
        rich.add_row(*written)
    return rich


def _between(n_columns: int, is_boxed: bool) -> int:
    """What stands between and around so many columns."""
    return 3 * n_columns + 1 if is_boxed else 2 * (n_columns - 1)


def _least(table: "Table", index: int) -> int:
    """The width with which no word of a column is broken, and no number."""
    words = table.header[index].split()
    for row in table.rows:
        is_name = index < table.numeric_from
        words += row[index].split() if is_name else _broken(row[index], 0).split("\n")
    width = max(map(cell_len, words), default=0)
    return min(width, _LONGEST_NAME) if index < table.numeric_from else width


def _broken(cell: str, width: int) -> str:
    """A cell in two lines, a value and its interval, where it does not fit into one."""
    return cell if cell_len(cell) <= width else cell.replace(" (", "\n(")


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
