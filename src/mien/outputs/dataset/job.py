"""What a data set is made of and how: a job that is another one is refused, the same goes on."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mien.broken_text import from_json
from mien.errors import EngineError, needs_extra
from mien.files import write_error
from mien.outputs.dataset.layout import Layout

SHARDS_PER_FILE = 1000
"""Row groups of a file of the manifest: its index is read for each shard."""

_WHAT = {
    "manifest_sha256": "sources",
    "model_sha256": "model",
    "detector_sha256": "detector",
    "version": "version of mien",
}


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row of the manifest: a thing to recognise, or a part of a video."""

    source: str
    """As in `mien.sources.items.Item`."""
    kind: str
    """As there."""
    container: str = ""
    """As in `mien.sources.items.Item`."""
    from_s: float | None = None
    """Where the part of the video begins; None for what is done in one piece."""
    to_s: float | None = None
    """Where the next one begins; None for the last."""
    first_shard: int | None = None
    """Number of the shard with the first part of the same video."""
    n_parts: int = 1
    """Parts of the video."""


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the data set, so that two commands do not work on it at once.

    Where no job was begun in the block, folders that were made for it are removed again.

    Raises:
        EngineError: somebody else does.
        OutputError: its folder cannot be written to.
    """
    made = [folder for folder in (layout.root, *layout.root.parents) if not folder.exists()]
    try:
        layout.inside.mkdir(parents=True, exist_ok=True)
        handle = os.open(layout.lock, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise write_error(layout.lock, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(handle), os.stat(layout.lock)):
                raise OSError("its holder is just ending")
        except OSError as error:
            raise EngineError(
                f"another command works on {layout.root}; wait for it, or end it"
            ) from error
        try:
            yield
        finally:
            if not layout.job.exists():
                _remove_unbegun(layout, made)
    finally:
        os.close(handle)


def _remove_unbegun(layout: Layout, made: Sequence[Path]) -> None:
    """Remove what lies inside, and folders that were made, as far as nothing else is in them."""
    for name in ("manifest.new", "manifest"):
        shutil.rmtree(layout.inside / name, ignore_errors=True)
    layout.sweep()
    with suppress(OSError):
        layout.lock.unlink()
        for folder in (layout.temporary, layout.attempts):
            if folder.exists():
                folder.rmdir()
        for folder in (layout.inside, *made):
            folder.rmdir()


def write_manifest(layout: Layout, shards: Iterable[Sequence[ShardRow]]) -> tuple[Path, int, str]:
    """Write a manifest beside its place, a row group for each shard; only one is in memory.

    Returns:
        Its folder, the number of shards, and the hash of all rows.

    Raises:
        OutputError: it cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    with needs_extra("table"):
        import pyarrow as pa
        import pyarrow.parquet as pa_parquet
    schema = _schema(pa)
    folder = layout.inside / "manifest.new"
    shutil.rmtree(folder, ignore_errors=True)
    digest = hashlib.sha256()
    n_shards = 0
    waiting = iter(shards)
    while files := list(islice(waiting, 1)):
        path = folder / f"part-{n_shards // SHARDS_PER_FILE:06d}.parquet"
        with (
            layout.writing(path) as temporary,
            pa_parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
        ):
            for rows in chain(files, islice(waiting, SHARDS_PER_FILE - 1)):
                cells = [[getattr(row, name) for row in rows] for name in schema.names]
                digest.update(repr((n_shards, cells)).encode("utf-8", "backslashreplace"))
                arrays = [
                    pa.array(column, kind) for column, kind in zip(cells, schema.types, strict=True)
                ]
                writer.write_table(
                    pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(rows)
                )
                n_shards += 1
    return folder, n_shards, digest.hexdigest()


def read_shard(layout: Layout, shard: int) -> list[ShardRow]:
    """The rows of a shard.

    Raises:
        EngineError: the manifest is damaged.
    """
    with needs_extra("table"):
        import pyarrow as pa
        import pyarrow.parquet as pa_parquet
    path = layout.manifest / f"part-{shard // SHARDS_PER_FILE:06d}.parquet"
    try:
        with pa_parquet.ParquetFile(path) as file:
            found = file.read_row_group(shard % SHARDS_PER_FILE).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise EngineError(f"{path} is damaged; begin anew in another folder") from error
    return [ShardRow(**row) for row in found]


def kinds_of(layout: Layout) -> Iterator[tuple[int, str, int | None, int]]:
    """Number, kind, first shard and number of parts of every shard, from its first row."""
    with needs_extra("table"):
        import pyarrow.parquet as pa_parquet
    names = ["kind", "first_shard", "n_parts"]
    for number, path in enumerate(sorted(layout.manifest.glob("part-*.parquet"))):
        with pa_parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                first = file.read_row_group(group, columns=names).slice(0, 1).to_pylist()[0]
                shard = number * SHARDS_PER_FILE + group
                yield shard, first["kind"], first["first_shard"], first["n_parts"]


def begin(layout: Layout, job: dict[str, Any], manifest: Path) -> bool:
    """Begin a job, or go on with the same one.

    Args:
        layout: of the data set.
        job: what the job is, JSON-ready.
        manifest: the folder that `write_manifest` gave; it is moved to its place, or removed.

    Returns:
        Whether it goes on.

    Raises:
        EngineError: the folder holds another job, or files of somebody else.
        OutputError: it cannot be written.
    """
    earlier = _read_job(layout)
    if earlier is not None:
        shutil.rmtree(manifest, ignore_errors=True)
        for key in sorted({*earlier, *job}, key=lambda key: (key not in _WHAT, key)):
            if earlier.get(key) != job.get(key):
                raise EngineError(_another(layout, key, earlier, job))
        return True
    try:
        shutil.rmtree(layout.manifest, ignore_errors=True)
        os.replace(manifest, layout.manifest)
    except OSError as error:
        raise write_error(layout.manifest, error) from error
    with layout.writing(layout.job) as temporary:
        temporary.write_text(json.dumps(job, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return False


def check_place(layout: Layout) -> None:
    """Refuse a folder that holds something else.

    Raises:
        EngineError: it does.
    """
    if layout.root.is_file():
        raise EngineError(f"{layout.root} is a file; name a folder for the data set")
    if not layout.root.is_dir() or layout.inside.is_dir():
        return
    foreign = sorted(path.name for path in layout.root.iterdir())
    if foreign:
        raise EngineError(f"{layout.root} holds other files ({foreign[0]}); name another folder")


def _read_job(layout: Layout) -> dict[str, Any] | None:
    try:
        found = from_json(layout.job.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EngineError(f"{layout.job} is damaged; begin anew in another folder") from error
    return found if isinstance(found, dict) else {}


def _another(layout: Layout, key: str, earlier: dict[str, Any], job: dict[str, Any]) -> str:
    if key == "manifest_sha256":
        return (
            f"the sources are others than those that {layout.root} was begun with; finish it with "
            f"--manifest {layout.manifest}, or name another folder"
        )
    what = _WHAT.get(key, key)
    if key.endswith("sha256"):
        return f"{layout.root} was begun with another {what}; name another folder"
    return (
        f"{layout.root} was begun with another {what} ({earlier.get(key)}, now {job.get(key)}); "
        "name another folder"
    )


def _schema(pa: Any) -> Any:
    return pa.schema(
        [
            ("source", pa.string()),
            ("kind", pa.string()),
            ("container", pa.string()),
            ("from_s", pa.float64()),
            ("to_s", pa.float64()),
            ("first_shard", pa.int64()),
            ("n_parts", pa.int64()),
        ]
    )
