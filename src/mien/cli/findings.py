"""What recognition found, printed."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO

from rich.cells import cell_len
from rich.console import RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from mien.cli.console import output, print_line
from mien.errors import OutputError
from mien.results import FrameResult
from mien.workflows.findings import PICTURE_COLUMNS, VideoFindings, picture_rows

_BETWEEN = "  "
"""What Rich puts between two columns."""
_ROWS_AT_A_TIME = 1000
_ROWS_IN_MEMORY_BYTES = 1 << 20


class PictureRows:
    """The table of pictures, a row for every face; printed at the end, as its columns are as wide
    as their widest cells. Rows wait in a temporary file: the memory does not grow with them.

    Printing is as of one large table. The widths of a part of it are those of the whole because
    the cells that decide them are rows of every part, which are not shown.

    Args:
        names: what pictures are called, by their sources; as their sources where they have none.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._names = names or {}
        self._file: IO[str] = tempfile.SpooledTemporaryFile(  # noqa: SIM115  (closed by `close`)
            _ROWS_IN_MEMORY_BYTES, "w+", encoding="utf-8", errors="surrogatepass"
        )
        self._n_rows = 0
        self._widest: dict[tuple[int, str], tuple[int, tuple[str, ...]]] = {}

    def add(self, result: FrameResult) -> None:
        """Take the faces of a picture.

        Raises:
            OutputError: the temporary file cannot be written.
        """
        _, rows = picture_rows([result])
        rows = [(self._names.get(row[0], row[0]), *row[1:]) for row in rows]
        for row in rows:
            for column, cell in enumerate(row):
                words = max(map(cell_len, cell.split()), default=0)
                for what, width in (("word", words), ("cell", cell_len(cell))):
                    if width > self._widest.get((column, what), (-1, row))[0]:
                        self._widest[column, what] = (width, row)
        try:
            self._file.writelines(json.dumps(row) + "\n" for row in rows)
        except OSError as error:
            raise OutputError(
                f"cannot keep the table for the terminal in {tempfile.gettempdir()}: "
                f"{error.strerror}; free some space, or print lines with --json"
            ) from error
        self._n_rows += len(rows)

    def print(self) -> None:
        """Print all rows, if there are any."""
        if not self._n_rows:
            return
        widths = [
            max(cell_len(title), self._widest[column, "cell"][0])
            for column, title in enumerate(PICTURE_COLUMNS)
        ]
        if sum(widths) + len(_BETWEEN) * (len(widths) - 1) <= output.width:
            self._print_plainly(widths)
        else:
            self._print_with_rich()

    def _print_plainly(self, widths: Sequence[int]) -> None:
        """All cells fit: as Rich does it, in a tenth of the time."""
        output.print(_Lines(_lines(_picture_table([], widths))), end="")
        for row in self._kept():
            cells = (
                cell + " " * (width - cell_len(cell))
                for cell, width in zip(row, widths, strict=True)
            )
            print_line(_BETWEEN.join(cells))

    def _print_with_rich(self) -> None:
        """Some are wrapped or shortened."""
        decisive = [row for _, row in self._widest.values()]
        n_decisive = len(_lines(_picture_table(decisive))) - 1
        kept = self._kept()
        is_first = True
        while rows := list(islice(kept, _ROWS_AT_A_TIME)):
            lines = _lines(_picture_table([*rows, *decisive]))
            shown = lines[0 if is_first else 1 : len(lines) - n_decisive]
            output.print(_Lines(shown), end="")
            is_first = False

    def _kept(self) -> Iterator[tuple[str, ...]]:
        self._file.seek(0)
        return (tuple(json.loads(line)) for line in self._file)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._file.close()


class _Lines:
    """Lines that were rendered before."""

    def __init__(self, lines: list[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: object, options: object) -> Iterator[Segment]:
        for line in self._lines:
            yield from line
            yield Segment.line()


def print_pictures(results: Iterable[FrameResult]) -> None:
    """Print a row for every face of every picture."""
    kept = PictureRows()
    for result in results:
        kept.add(result)
    kept.print()
    kept.close()


def print_video(found: VideoFindings) -> None:
    """Print a line about a video and a row for every track."""
    output.print(found.line, markup=False)
    if not found.rows:
        return
    table = Table(box=None, pad_edge=False)
    for title in found.columns:
        is_time = title in ("from", "to", "seen", "changes/min")
        table.add_column(title, justify="right" if is_time else "left", no_wrap=title != "shows")
    output.print(_filled(table, found.rows))
    if found.left_out:
        output.print(found.left_out)


def _picture_table(rows: Sequence[Sequence[str]], widths: Sequence[int] = ()) -> Table:
    table = Table(box=None, pad_edge=False)
    for column, title in enumerate(PICTURE_COLUMNS):
        folds = title == PICTURE_COLUMNS[0]
        table.add_column(
            title,
            overflow="fold" if folds else "ellipsis",
            no_wrap=not folds and title != PICTURE_COLUMNS[-1],
            width=widths[column] if widths else None,
        )
    return _filled(table, rows)


def _filled(table: Table, rows: Sequence[Sequence[str]]) -> Table:
    for row in rows:
        # File names may hold what Rich would take for markup.
        table.add_row(*map(escape, row))
    return table


def _lines(table: RenderableType) -> list[list[Segment]]:
    # As `print` renders on a console whose lines may be as long as they are.
    options = output.options.update(no_wrap=True, overflow="ignore")
    return output.render_lines(table, options, pad=False)
