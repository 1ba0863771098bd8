"""Tables of results: CSV, JSON Lines and Parquet, chosen by the path's ending.

Their columns and cells are those of `mien.outputs.rows`.

CSV and Parquet have one row per face; JSON Lines have one line per frame and keep the contract of
docs/coordinates.md. A table of pictures appears when it is complete. A table of videos grows at
its place, and what was written is with the system at once. Parquet cannot grow, as its index
stands at its end: the rows go to a CSV beside it, from which it is made when the table is closed.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mien.errors import OutputError
from mien.outputs.growing_file import GrowingFile
from mien.outputs.parquet import check_parquet, csv_to_parquet
from mien.outputs.rows import (
    as_bytes,
    columns,
    csv_lines,
    json_line,
    may_be_uncertain,
    rows,
)
from mien.outputs.whole_file import WholeFile
from mien.paths import check_suffix
from mien.results import FrameResult
from mien.sources.source import Frame

TABLE_SUFFIXES = (".csv", ".jsonl", ".json", ".parquet")
"""Endings that tables understand; ``.json`` holds JSON Lines too."""
JOURNAL_SUFFIX = ".part.csv"
"""Put behind the name of a Parquet file: the rows until it is complete."""


class Table:
    """A table over any number of sources, pictures and videos mixed. Used by one thread at a time.

    As a context manager it is completed at the end of the block, whatever ended it; but a table
    of pictures that an error ended is discarded, and what stood at the path is still there.

    Args:
        path: ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``.
        label_keys: keys of the classes in order, for the columns ``p_<key>``.
        of_videos: whether there are videos among the sources: then the table grows at its place
            from the first result on, and has columns ``raw_p_<key>`` too.

    Raises:
        OutputError: the ending is another.
        MissingExtraError: Parquet without pyarrow.
    """

    def __init__(self, path: Path, label_keys: Sequence[str], *, of_videos: bool = False) -> None:
        check_suffix(path, TABLE_SUFFIXES, "table")
        self.path = path
        self._keys = tuple(label_keys)
        self._of_videos = of_videos
        self._is_parquet = path.suffix.lower() == ".parquet"
        self._is_json = path.suffix.lower() in (".jsonl", ".json")
        if self._is_parquet:
            check_parquet()
        self._may_be_uncertain = False
        self._file: GrowingFile | WholeFile | None = None
        self._is_closed = False

    def add(self, result: FrameResult) -> None:
        """Add a picture's or frame's faces.

        Raises:
            OutputError: the file cannot be written. A table of videos holds all results before;
                one of pictures is gone, and what stood at the path is still there.
        """
        file = self._file or self._open()
        self._may_be_uncertain = self._may_be_uncertain or may_be_uncertain(result)
        if self._is_json:
            file.append(as_bytes(json_line(result) + "\n"))
        elif result.faces:
            file.append(as_bytes(csv_lines(rows(result, self._keys, with_raw=self._of_videos))))

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add a frame's faces; see `add`. With this, a table of one video is an `Output`."""
        self.add(result)

    def as_output(self) -> "TableOutput":
        """The table as an `Output` of one source, which leaves it open for the next one."""
        return TableOutput(self)

    def close(self) -> None:
        """Complete the table; may be called twice. Without a result, one without rows.

        Raises:
            OutputError: the file cannot be written; of a Parquet file of videos, the CSV beside
                it holds the rows. Not raised again where `add` raised it.
        """
        if self._is_closed:
            return
        file = self._file or self._open()
        self._is_closed = True
        if file.error is not None:
            file.discard()
        elif self._is_parquet:
            file.finish()
            csv_to_parquet(
                file.content_path,
                self.path,
                self._keys,
                with_raw=self._of_videos,
                may_be_uncertain=self._may_be_uncertain,
            )
            file.remove()
        else:
            file.close()

    def abandon(self) -> None:
        """Close a table to which nothing was added, and leave what stood at the path."""
        self._is_closed = self._is_closed or self._file is None

    def discard(self) -> None:
        """Close a table of pictures without completing it; one of videos is completed, if it
        was begun."""
        if self._of_videos:
            self.abandon()
            self.close()
            return
        if self._is_closed:
            return
        self._is_closed = True
        if self._file is not None:
            self._file.discard()

    def __enter__(self) -> Self:
        """The table itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Complete or discard it."""
        if error is None:
            self.close()
        else:
            self.discard()

    def _open(self) -> GrowingFile | WholeFile:
        name = self.path.name + JOURNAL_SUFFIX if self._is_parquet else self.path.name
        place = self.path.with_name(name)
        try:
            file = GrowingFile(place) if self._of_videos else WholeFile(place)
        except OutputError:
            self._is_closed = True  # there is nothing to complete, and it was told
            raise
        self._file = file
        if not self._is_json:
            file.append(as_bytes(csv_lines([columns(self._keys, with_raw=self._of_videos)])))
        return file


class TableOutput:
    """A `Table` as the `Output` of one of its sources; closing it leaves the table open.

    Args:
        table: of videos; whoever made it closes it.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def path(self) -> Path:
        """Where the table is written."""
        return self._table.path

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add the faces of one frame; see `Table.add`."""
        self._table.add(result)

    def close(self) -> None:
        """Do nothing: all rows are with the system already."""


def write_table(
    path: Path,
    results: Iterable[FrameResult],
    label_keys: Sequence[str],
    *,
    of_videos: bool = False,
) -> None:
    """Write a whole table at once; arguments as of `Table`.

    Raises:
        OutputError: as `Table`.
        MissingExtraError: as `Table`.
    """
    with Table(path, label_keys, of_videos=of_videos) as table:
        for result in results:
            table.add(result)
