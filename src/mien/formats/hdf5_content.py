"""What lies in an HDF5 file of Keras: opened, judged and counted before Keras sees any of it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mien.errors import ModelError

MAX_FILE_BYTES = 2 * 2**30
"""Larger files are refused, and so are weights that would unpack to more."""

REMEDY = "get a good copy"
"""What helps against a damaged file."""

_BFLOAT16 = np.dtype("V2")
"""How HDF5 holds numbers of that type: as two bytes without a meaning."""


@contextmanager
def open_hdf5(
    source: Path | io.BytesIO, path: Path | None = None, *, mode: str = "r"
) -> Iterator[h5py.File]:
    """An open HDF5 file; what reading it raises, there or here, means that it is damaged."""
    try:
        with h5py.File(source, mode) as file:
            yield file
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # h5py raises anything at a broken structure
        reason = "broken off" if "truncated" in str(error) else "its HDF5 structure is broken"
        raise ModelError(f"{path or source} is damaged: {reason}; {REMEDY}") from error


def check_content(file: h5py.File, name: str) -> None:
    """Refuse links to elsewhere, anything but plain numbers, and more of them than is sensible."""
    total_bytes = 0

    # What these return ends the visit: h5py does not let an exception through.
    def check_link(link_name: str, link: Any) -> str | None:
        return None if isinstance(link, h5py.HardLink) else f"{link_name} is a link to elsewhere"

    def check_object(object_name: str, content: Any) -> str | None:
        nonlocal total_bytes
        if not isinstance(content, h5py.Dataset):
            return None
        if content.is_virtual or content.external:
            return f"{object_name} lies in another file"
        if content.dtype.kind not in "fiubV" or content.dtype.hasobject:
            return f"{object_name} does not hold numbers"
        total_bytes += content.nbytes
        is_large = total_bytes > MAX_FILE_BYTES
        return f"it holds more than {MAX_FILE_BYTES // 2**30} GiB of weights" if is_large else None

    try:
        problem = file.visititems_links(check_link) or file.visititems(check_object)
    except (RuntimeError, OSError, KeyError, ValueError, TypeError, SystemError) as error:
        raise ModelError(f"{name} is damaged: its HDF5 structure is broken; {REMEDY}") from error
    if problem is not None:
        raise ModelError(f"{name} is not opened: {problem}")


def count_numbers(file: h5py.File) -> int:
    """How many weights a file holds, without the state of optimisers and random generators."""
    total = 0

    def count(name: str, content: Any) -> None:
        nonlocal total
        if isinstance(content, h5py.Dataset) and not name.startswith("optimizer"):
            is_weight = np.issubdtype(content.dtype, np.floating) or content.dtype == _BFLOAT16
            total += content.size if is_weight else 0

    file.visititems(count)
    return total


def widen_bfloat16(file: h5py.File) -> None:
    """Turn bfloat16 numbers into float32, for Keras does not know them in a file of layers' names.

    Args:
        file: open for writing; changed in place.
    """
    found: list[str] = []

    def note(name: str, content: Any) -> None:
        if isinstance(content, h5py.Dataset) and content.dtype == _BFLOAT16:
            found.append(name)

    file.visititems(note)
    for name in found:
        halves = np.asarray(file[name][()]).view(np.uint16)
        del file[name]
        # The upper half of a float32.
        file[name] = (halves.astype(np.uint32) << 16).view(np.float32)
