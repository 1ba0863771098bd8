"""Decoded csv files, kept so that the second reading takes a fraction of a second.

One folder per csv under the cache folder holds its columns as ``.npy`` files, which hold no
code, and ``entry.json``: which file they come from, by path, size and time of change, and their
checksums. Anything that does not fit is as good as absent, and a cache that cannot be written
costs time, not the result.
"""

import hashlib
import json
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.cache_root import cache_root
from mien.data.fer_csv import CsvColumns, read_fer_csv
from mien.errors import OutputError
from mien.files import atomic_folder

_FORMAT = 1
_COLUMNS = tuple(field.name for field in fields(CsvColumns))


def read_cached_csv(path: Path, *, use_cache: bool = True) -> CsvColumns:
    """Read a FER-2013 csv, from the cache where the file has not changed.

    Args:
        path: the csv, plain, .gz or in a .zip.
        use_cache: False neither reads nor writes the cache.

    Raises:
        SourceError, DatasetError: as `read_fer_csv`; the cache is unchanged.
    """
    try:
        identity = _identity(path)
    except OSError:
        return read_fer_csv(path)  # which says what is wrong with the path
    if not use_cache:
        return read_fer_csv(path)
    entry = cache_root() / "samples" / hashlib.sha256(str(identity["path"]).encode()).hexdigest()
    cached = _load(entry, identity)
    if cached is not None:
        return cached
    columns = read_fer_csv(path)
    _store(entry, identity, columns)
    return columns


def _identity(path: Path) -> dict[str, str | int]:
    resolved = path.resolve(strict=True)
    stat = resolved.stat()
    return {
        "format": _FORMAT,
        "path": str(resolved),
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
    }


def _load(entry: Path, identity: dict[str, str | int]) -> CsvColumns | None:
    try:
        manifest = json.loads((entry / "entry.json").read_text("utf-8"))
        if manifest["identity"] != identity:
            return None
        columns = {}
        for name in _COLUMNS:
            # Mapped, not loaded: entries are replaced whole and never changed in place.
            mapped = np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            columns[name] = np.asarray(mapped)
            if _checksum(columns[name]) != manifest["checksums"][name]:
                return None
        return CsvColumns(**columns)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _store(entry: Path, identity: dict[str, str | int], columns: CsvColumns) -> None:
    arrays = {name: getattr(columns, name) for name in _COLUMNS}
    checksums = {name: _checksum(array) for name, array in arrays.items()}
    try:
        if _identity(Path(str(identity["path"]))) != identity:
            return  # it changed while it was being read
        with atomic_folder(entry) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
            manifest = {"identity": identity, "checksums": checksums}
            (folder / "entry.json").write_text(json.dumps(manifest), "utf-8")
    except (OSError, OutputError):
        return


def _checksum(array: NDArray[np.generic]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)
