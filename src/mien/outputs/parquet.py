"""Parquet out of a CSV of rows, piece by piece, with the types that its columns mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mien.errors import needs_extra
from mien.files import atomic_file
from mien.outputs.rows import columns, shown_keys

_BLOCK_BYTES = 8 << 20
"""Bytes of CSV in memory at once; some 40,000 rows, which become one row group."""
_INTEGERS = ("frame", "face", "track")
_WORDS = ("source", "expression")


def check_parquet() -> None:
    """Find out whether Parquet can be written, before any work is done.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    with needs_extra("table"):
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401


def csv_to_parquet(
    rows: Path,
    path: Path,
    label_keys: Sequence[str],
    *,
    with_raw: bool,
    may_be_uncertain: bool = False,
) -> None:
    """Write a CSV's rows as Parquet; the memory needed does not depend on their number.

    Whole numbers are int64, all others float64, ``source`` is text and ``expression`` a dictionary
    of the label keys, which pandas reads as a category; empty cells are null.

    Args:
        rows: a CSV with `mien.outputs.rows.columns`.
        path: where the Parquet file goes to; it appears when it is complete.
        label_keys: keys of the classes in order.
        with_raw: whether the columns ``raw_p_<key>`` are there.
        may_be_uncertain: whether ``uncertain`` is among the keys of the dictionary.

    Raises:
        OutputError: the file cannot be written; the path is as it was.
        MissingExtraError: pyarrow is not installed.
    """
    with needs_extra("table"):
        import pyarrow as pa
        import pyarrow.csv as pa_csv
        import pyarrow.parquet as pa_parquet

    names = columns(label_keys, with_raw=with_raw)
    read = pa.schema([(name, _arrow_type(pa, name)) for name in names])
    keys = pa.array(shown_keys(label_keys, may_be_uncertain=may_be_uncertain), pa.string())
    at = names.index("expression")
    written = read.set(at, pa.field("expression", pa.dictionary(pa.int8(), pa.string())))
    with (
        pa_csv.open_csv(
            rows,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=read, null_values=[""], strings_can_be_null=True
            ),
        ) as reader,
        atomic_file(path) as temporary,
        pa_parquet.ParquetWriter(temporary, written, compression="zstd") as writer,
    ):
        for batch in reader:
            indices = pa.compute.index_in(batch.column(at), keys).cast(pa.int8())
            column = pa.DictionaryArray.from_arrays(indices, keys)
            arrays = [*batch.columns[:at], column, *batch.columns[at + 1 :]]
            writer.write_batch(pa.record_batch(arrays, schema=written))


def _arrow_type(pa: Any, name: str) -> Any:
    if name in _INTEGERS:
        return pa.int64()
    return pa.string() if name in _WORDS else pa.float64()
