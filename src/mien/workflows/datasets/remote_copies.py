"""A video at an address, as a file here for as long as it is read: FFmpeg jumps about in it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mien.errors import SourceError
from mien.sources.items import open_file, readable

MAX_VIDEO_BYTES = 64 << 30
"""Largest video that is copied."""
_BLOCK_BYTES = 8 << 20


@contextmanager
def local_copy(address: str) -> Iterator[Path]:
    """Yield a copy that is removed at the end.

    Raises:
        SourceError: it cannot be read, or there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        path = Path(folder) / f"video{PurePosixPath(address).suffix}"
        with readable(address), open_file(address) as source, path.open("wb") as copy:
            n_bytes = 0
            while block := source.read(_BLOCK_BYTES):
                n_bytes += len(block)
                if n_bytes > min(MAX_VIDEO_BYTES, shutil.disk_usage(folder).free):
                    raise SourceError(f"{address} is larger than there is room in {folder}")
                copy.write(block)
        yield path
