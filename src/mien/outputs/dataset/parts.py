"""The rows of one shard as Parquet, and back: the faces, then the pictures that they are in.

All parts of a table have one schema, so that pandas, Polars and DuckDB read them as one.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from mien.broken_text import from_json
from mien.errors import OutputError, needs_extra
from mien.outputs.dataset.layout import Layout
from mien.outputs.rows import columns, rows, shown_keys
from mien.results import FrameResult

Status = Literal["ok", "damaged", "too_large", "unreadable", "crashed", "timeout"]
"""What became of a picture, or of a part of a video."""
STATUSES: tuple[Status, ...] = get_args(Status)
"""The values of `Status`; all but the first are quarantined."""

_COUNTS = b"mien.counts"
"""Metadata of a file of pictures: its sums, for whoever needs no more."""
_INTEGERS = ("frame", "face", "track")


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One row of ``pictures``: a picture, or a part of a video."""

    source: str
    """Path or address."""
    kind: str
    """``picture`` or ``video``."""
    status: Status
    """What became of it."""
    error: str | None = None
    """Why it is not ok, in a line."""
    size_bytes: int | None = None
    """Size of its file; None for a part of a video."""
    width_px: int | None = None
    """Width; None where it was not read."""
    height_px: int | None = None
    """Height."""
    n_frames: int = 0
    """Frames that were recognised; 1 for a picture."""
    n_faces: int = 0
    """Faces in them."""
    from_s: float | None = None
    """Where the part of the video begins."""
    to_s: float | None = None
    """Time of its last frame."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums of rows of ``pictures``."""

    statuses: dict[str, int]
    """Rows by status."""
    n_frames: int = 0
    """Pictures and frames that were recognised."""
    n_faces: int = 0
    """Faces in them."""

    def __add__(self, other: "Counts") -> "Counts":
        """The sums of both."""
        statuses = Counter(self.statuses) + Counter(other.statuses)
        return Counts(dict(statuses), self.n_frames + other.n_frames, self.n_faces + other.n_faces)

    @property
    def n_rows(self) -> int:
        """Rows."""
        return sum(self.statuses.values())

    @property
    def n_quarantined(self) -> int:
        """Rows that are not ok."""
        return self.n_rows - self.statuses.get("ok", 0)


def counts_of(pictures: Iterable[PictureRow]) -> Counts:
    """Sums of rows."""
    pictures = list(pictures)
    return Counts(
        dict(Counter(str(row.status) for row in pictures)),
        sum(row.n_frames for row in pictures),
        sum(row.n_faces for row in pictures),
    )


class PartWriter:
    """Writes the files of shards.

    Args:
        layout: of the data set.
        label_keys: keys of the classes in order.
        with_raw: whether there are videos in the job.
        may_be_uncertain: whether faces may be uncertain.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(
        self,
        layout: Layout,
        label_keys: Sequence[str],
        *,
        with_raw: bool,
        may_be_uncertain: bool,
    ) -> None:
        self.layout = layout
        self._keys = tuple(label_keys)
        self._with_raw = with_raw
        self._names = columns(self._keys, with_raw=with_raw)
        self._shown = shown_keys(self._keys, may_be_uncertain=may_be_uncertain)
        _pyarrow()

    def write(
        self,
        shard: int,
        results: Iterable[FrameResult],
        pictures: Sequence[PictureRow],
        kept_faces: Iterable[Sequence[Any]] = (),
    ) -> Counts:
        """Write a shard's faces, then its pictures.

        Args:
            shard: its number.
            results: what was recognised.
            pictures: a row for every picture, or part of a video.
            kept_faces: rows of an earlier try, from `faces`.

        Raises:
            OutputError: a file cannot be written; the shard is not done.
        """
        cells = [
            *kept_faces,
            *(
                row
                for result in results
                for row in rows(result, self._keys, with_raw=self._with_raw)
            ),
        ]
        order = {row.source: place for place, row in enumerate(pictures)}
        cells.sort(key=lambda row: (order.get(row[0], -1), row[1], row[3]))
        columns_of = list(zip(*cells, strict=True)) if cells else [()] * len(self._names)
        counts = counts_of(pictures)
        self._save(self.layout.faces(shard), self._faces_table(columns_of))
        self._save(self.layout.pictures(shard), self._pictures_table(shard, pictures, counts))
        return counts

    def faces(self, shard: int) -> list[tuple[Any, ...]]:
        """The rows of a shard that is done."""
        _, pa_parquet = _pyarrow()
        # Not `read_table` of the path: it would take the folder's name for a column.
        with pa_parquet.ParquetFile(self.layout.faces(shard)) as file:
            table = file.read()
        return [tuple(row[name] for name in self._names) for row in table.to_pylist()]

    def pictures(self, shard: int) -> list[PictureRow]:
        """The pictures of a shard that is done."""
        _, pa_parquet = _pyarrow()
        with pa_parquet.ParquetFile(self.layout.pictures(shard)) as file:
            found = file.read().to_pylist()
        for row in found:
            del row["shard"]
        return [PictureRow(**row) for row in found]

    def _faces_table(self, columns_of: Sequence[Sequence[Any]]) -> Any:
        pa, _ = _pyarrow()
        arrays, fields = [], []
        for name, cells in zip(self._names, columns_of, strict=True):
            kind = pa.float64()
            if name in _INTEGERS:
                kind = pa.int64()
            elif name == "source":
                kind = pa.string()
            elif name == "expression":
                kind = pa.dictionary(pa.int8(), pa.string())
                index = {key: place for place, key in enumerate(self._shown)}
                indices = pa.array([index.get(cell) for cell in cells], pa.int8())
                keys = pa.array(self._shown, pa.string())
                arrays.append(pa.DictionaryArray.from_arrays(indices, keys))
                fields.append(pa.field(name, kind))
                continue
            values = [_text(cell) for cell in cells] if name == "source" else cells
            arrays.append(pa.array(values, kind))
            fields.append(pa.field(name, kind))
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def _pictures_table(self, shard: int, pictures: Sequence[PictureRow], counts: Counts) -> Any:
        pa, _ = _pyarrow()
        kinds = {
            **dict.fromkeys(("source", "kind", "status", "error"), pa.string()),
            **dict.fromkeys(
                ("size_bytes", "width_px", "height_px", "n_frames", "n_faces"), pa.int64()
            ),
            **dict.fromkeys(("from_s", "to_s"), pa.float64()),
        }
        arrays = []
        for name, kind in kinds.items():
            cells = [getattr(row, name) for row in pictures]
            arrays.append(pa.array([_text(cell) for cell in cells], kind))
        arrays.append(pa.array([shard] * len(pictures), pa.int64()))
        schema = pa.schema([*kinds.items(), ("shard", pa.int64())])
        sums = [counts.statuses, counts.n_frames, counts.n_faces]
        return pa.Table.from_arrays(
            arrays, schema=schema.with_metadata({_COUNTS: json.dumps(sums).encode()})
        )

    def _save(self, path: Path, table: Any) -> None:
        _, pa_parquet = _pyarrow()
        with self.layout.writing(path) as temporary:
            pa_parquet.write_table(table, temporary, compression="zstd")


def read_counts(path: Path) -> Counts:
    """The sums of a file of pictures, from its end alone.

    Raises:
        OutputError: the file is damaged.
    """
    pa, pa_parquet = _pyarrow()
    try:
        statuses, n_frames, n_faces = from_json(pa_parquet.read_metadata(path).metadata[_COUNTS])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"{path} is damaged; remove it, and the command does it again") from error
    return Counts(statuses, n_frames, n_faces)


def quarantined_lines(path: Path, most: int) -> list[str]:
    """What is not ok in a file of pictures and why, a line each.

    Args:
        path: the file; one that cannot be read just now gives no lines.
        most: how many at most.
    """
    pa, pa_parquet = _pyarrow()
    try:
        with pa_parquet.ParquetFile(path) as file:
            found = file.read(["source", "status", "error"]).to_pylist()
    except (OSError, pa.ArrowException):
        return []
    lines = []
    for row in found:
        if row["status"] != "ok":
            error = row["error"] or row["status"]
            lines.append(error if row["source"] in error else f"{row['source']}: {error}")
            if len(lines) == most:
                break
    return lines


def _text(cell: Any) -> Any:
    """Names of files need not be valid text."""
    if isinstance(cell, str):
        return cell.encode("utf-8", "backslashreplace").decode()
    return cell


@cache
def _pyarrow() -> tuple[Any, Any]:
    with needs_extra("table"):
        import pyarrow as pa
        import pyarrow.parquet as pa_parquet
    return pa, pa_parquet
