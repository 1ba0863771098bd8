"""Weights out of Keras files, layer by layer, without building anything from them.

``.keras`` archives and HDF5 files, whole networks and weights alone, of Keras 2 and 3. An
architecture in the file is not looked at, so nothing in it can run; numbers are read only when
they are asked for, so a file cannot fill the memory.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from mien.errors import ModelError

MAX_BYTES = 2 * 2**30
"""Larger files are refused, and archives that would unpack to more."""

_ARCHIVED = "model.weights.h5"
_NUMBERED = re.compile(r"(?:.*/)?layers/([^/]+?)(?:_(\d+))?/vars")


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """The weights of one layer, still in their file."""

    name: str
    """Name of the layer."""
    arrays: tuple[h5py.Dataset, ...]
    """Its weights in Keras's order."""
    place: tuple[str, int] | None
    """Type of the layer, in small letters, and its number among those; None in files that
    keep the order of the layers instead."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each weight."""
        return tuple(array.shape for array in self.arrays)


@contextmanager
def stored_layers(path: Path) -> Iterator[list[StoredLayer]]:
    """Yield the layers of a file that have weights, in order.

    Layers within networks within the network count like any other.

    Raises:
        ModelError: the file is damaged, too large, or not a Keras file.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path} is larger than {MAX_BYTES // 2**30} GiB; not opened")
        source = _unpacked(path) if zipfile.is_zipfile(path) else path
        with h5py.File(source, "r") as file:
            _check_place(file, path)
            yield _keras_3(file) if "layers" in file else _by_attributes(file, path)
    except ModelError:
        raise
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelError(
            f"{path} is damaged or not a Keras file (.keras, .h5); get a good copy"
        ) from error


def _unpacked(path: Path) -> io.BytesIO:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(_ARCHIVED).file_size > MAX_BYTES:
            raise ModelError(f"{path} would unpack to more than {MAX_BYTES // 2**30} GiB")
        return io.BytesIO(archive.read(_ARCHIVED))


def _check_place(file: h5py.File, path: Path) -> None:
    """HDF5 can point to other files; what is read is in this one."""

    # Errors must not be raised through h5py's own code, so names are handed out.
    elsewhere = file.visititems_links(
        lambda name, link: None if isinstance(link, h5py.HardLink) else name
    ) or file.visititems(
        lambda name, content: (
            name
            if isinstance(content, h5py.Dataset) and (content.is_virtual or content.external)
            else None
        )
    )
    if elsewhere:
        raise ModelError(f"{path}: {elsewhere} lies in another file; not opened")


def _keras_3(file: h5py.File) -> list[StoredLayer]:
    """Groups ``layers/TYPE_NUMBER/vars`` with weights "0", "1", ..., and the layer's name."""
    found: list[StoredLayer] = []

    def visit(path: str, group: Any) -> None:
        match = _NUMBERED.fullmatch(path)
        if match and isinstance(group, h5py.Group) and len(group):
            arrays = tuple(group[key] for key in sorted(group, key=int))
            place = match[1].replace("_", ""), int(match[2] or 0)
            found.append(StoredLayer(str(group.attrs.get("name", path)), arrays, place))

    file.visititems(visit)
    return sorted(found, key=lambda layer: layer.place or ("", 0))


def _by_attributes(file: h5py.File, path: Path) -> list[StoredLayer]:
    """Groups that the attribute ``layer_names`` lists, each with ``weight_names``."""
    root = file.get("model_weights", file)
    names = _strings(root, "layer_names")
    if not names:
        raise ModelError(f"{path} holds no weights of a Keras network")
    found = []
    for name in names:
        weights = _strings(root[name], "weight_names")
        owners = [weight.split("/")[-2] if "/" in weight else name for weight in weights]
        for owner in dict.fromkeys(owners):
            arrays = [
                root[name][weight]
                for weight, its_owner in zip(weights, owners, strict=True)
                if its_owner == owner
            ]
            # The group's own name holds, but where a whole network is one layer.
            only = len(set(owners)) == 1
            found.append(StoredLayer(name if only else owner, tuple(arrays), None))
    return found


def _strings(group: h5py.Group, key: str) -> list[str]:
    """A list of texts among the attributes; long ones are stored in numbered parts."""
    parts = [key] if key in group.attrs else []
    while not (parts and parts[0] == key) and f"{key}{len(parts)}" in group.attrs:
        parts.append(f"{key}{len(parts)}")
    texts = [text for part in parts for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]
