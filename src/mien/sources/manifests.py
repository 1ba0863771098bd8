"""Lists of what to recognise: Parquet (a file, or a folder of them) and csv, read piece by piece.

A column ``source`` (or ``path``, ``url``, ``file``) names a file or address in each row. Columns
``kind`` and ``container``, if they are there, are as in `mien.sources.items.Item`.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mien.errors import SourceError, needs_extra
from mien.sources.items import Item, readable
from mien.sources.listing import kind_by_name

SOURCE_COLUMNS = ("source", "path", "url", "file")
"""Names of the column that names the files; the first one that is there."""
_KINDS = ("picture", "video", "tar")
_ROWS_AT_A_TIME = 10_000


def read_manifest(path: Path) -> Iterator[Item]:
    """The items of a manifest, in its order; the memory does not grow with its rows.

    Args:
        path: ``.parquet``, ``.csv``, or a folder of Parquet files.

    Raises:
        SourceError: it cannot be read, or a row names nothing.
        MissingExtraError: Parquet without pyarrow.
    """
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _parquet_rows(path)
    for number, row in enumerate(rows, 1):
        source = row.get("source")
        if not source or not isinstance(source, str):
            raise SourceError(f"{path}, row {number}: names no source; leave the row out")
        if row.get("from_s"):
            continue  # a later part of a video, in the manifest of a data set
        kind = row.get("kind") or kind_by_name(source) or "picture"
        if kind not in _KINDS:
            raise SourceError(
                f"{path}, row {number}: {kind!r} is no kind; use one of {', '.join(_KINDS)}"
            )
        yield Item(source, kind, row.get("container") or "")


def _csv_rows(path: Path) -> Iterator[dict[str, Any]]:
    with readable(str(path)), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        column = _column_of(reader.fieldnames or (), path)
        for row in reader:
            yield {**row, "source": row.get(column)}


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    with needs_extra("table"):
        import pyarrow as pa
        import pyarrow.parquet as pa_parquet
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise SourceError(f"{path} holds no Parquet files; name a manifest")
    for one in files:
        with readable(str(one)):
            try:
                yield from _rows_of(pa_parquet, one)
            except pa.ArrowException as error:
                raise SourceError(f"{one} is no Parquet file that can be read: {error}") from error


def _rows_of(pa_parquet: Any, path: Path) -> Iterator[dict[str, Any]]:
    with pa_parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        column = _column_of(names, path)
        wanted = [column, *(name for name in ("kind", "container", "from_s") if name in names)]
        for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=wanted):
            for row in batch.to_pylist():
                yield {**row, "source": row[column]}


def _column_of(names: Iterable[str], path: Path) -> str:
    for name in SOURCE_COLUMNS:
        if name in names:
            return name
    raise SourceError(f"{path} has no column {' or '.join(SOURCE_COLUMNS)}; rename one")
