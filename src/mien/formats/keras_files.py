"""Keras files -> networks, without trusting the files.

``.keras`` (a zip archive) and ``.h5`` (HDF5, of Keras 1, 2 and 3), whole networks and weights
alone. A file is known by its content, not by its name. Its sizes, its links and its architecture
are looked at before anything is built (see `keras_config`); what is then given to Keras, in its
safe mode, is a private copy with exactly what was looked at. Nothing is ever unpickled.
"""

import io
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from mien.errors import ModelError
from mien.formats.hdf5_content import (
    MAX_FILE_BYTES,
    REMEDY,
    check_content,
    count_numbers,
    open_hdf5,
    widen_bfloat16,
)
from mien.formats.keras_config import layers_of_applications
from mien.formats.keras_words import Origin, checked
from mien.formats.reasons import reason_of
from mien.formats.theano import turn_kernels
from mien.model.foreign_files import foreign_file

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
"""Endings of the files that are read here."""

MAX_CONFIG_BYTES = 64 * 2**20
"""Longest architecture."""

CARD_MEMBER = "mien.card.json"
"""Name of the card in a ``.keras`` archive."""

CARD_ATTRIBUTE = "mien.card"
"""Name of the card among the attributes of an HDF5 file."""

_HDF5, _ZIP, _PICKLE = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x80"


def load_network(path: Path, *, for_inference: bool = False) -> keras.Model:
    """Build the network of a Keras file.

    Args:
        path: a whole network, ``.keras`` or ``.h5``.
        for_inference: leave out layers that act in training only, and let it take any number of
            pictures at a time.

    Returns:
        The network with its weights, in float32, uncompiled.

    Raises:
        ModelError: the file is missing, damaged, too large, holds weights alone, runs code or
            needs layers that Keras does not ship.
    """
    kind = _kind(path)
    with tempfile.TemporaryDirectory() as folder:
        if kind == "zip":
            copy = Path(folder, "network.keras")
            origin = _copy_archive(path, copy, for_inference)
        else:
            copy = Path(folder, "network.h5")
            origin = _copy_hdf5(path, copy, for_inference)
        return _built(copy, origin, path)


def load_pair(description: Path, weights: Path, *, for_inference: bool = False) -> keras.Model:
    """Build a network whose architecture and weights lie in files of their own.

    Args:
        description: what `keras.Model.to_json` gives, of any version.
        weights: weights alone, as `keras.Model.save_weights` of any version writes them.
        for_inference: as in `load_network`.

    Raises:
        ModelError: as `load_network`; or the two do not belong together.
    """
    if not holds_weights_alone(weights):
        raise ModelError(f"{weights} holds a whole network; name it in place of {description}")
    config = read_description(description)
    with open_hdf5(weights) as file:
        check_content(file, str(weights))
        told = {key: config.pop(key, file.attrs.get(key)) for key in ("keras_version", "backend")}
        by_layers = "layer_names" in file.attrs
    version, backend = (None if value is None else _text(value) for value in told.values())
    # Keras 3 writes no version into a description, and its weights have no names of layers.
    origin = Origin.of(version or ("1" if by_layers else keras.__version__), backend)
    config = checked(config, origin, str(description), for_inference=for_inference)
    with tempfile.TemporaryDirectory() as folder:
        if by_layers:
            copy = Path(folder, "network.h5")
            with open_hdf5(weights) as source, open_hdf5(copy, mode="w") as file:
                source.copy("/", file, "model_weights")
                file.attrs.update(told if version and backend else {})
                file.attrs["model_config"] = json.dumps(config)
                widen_bfloat16(file)
        else:
            copy = Path(folder, "network.keras")
            _write_archive(copy, config, weights.read_bytes())
        return _built(copy, origin, weights)


def read_description(path: Path) -> dict[str, Any]:
    """An architecture that is a file of its own.

    Raises:
        ModelError: it cannot be read, or describes no network of Keras.
    """
    try:
        with path.open("rb") as stream:
            stored = stream.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    config = _config(stored, path)
    if "modelTopology" in config or "weightsManifest" in config:
        raise ModelError(
            f"{path} is a network of TensorFlow.js, which is not read; "
            "use the Keras file that it was made from"
        )
    if not isinstance(config.get("class_name"), str) or "config" not in config:
        raise ModelError(
            f"{path} does not describe a Keras network, as Model.to_json() does; "
            "name a .keras, .h5 or .onnx file"
        )
    return config


def _built(copy: Path, origin: Origin, path: Path) -> keras.Model:
    """The network of a private copy that was looked at."""
    network = _quietly(
        lambda: keras.saving.load_model(
            copy, layers_of_applications(), compile=False, safe_mode=True
        ),
        str(path),
    )
    if not network.built or getattr(network, "inputs", None) is None:
        raise ModelError(
            f"{path} was saved before it was built, so it has no weights; give it an Input layer "
            "or call it once, and save it again"
        )
    _finish_normalisations(network)
    if origin.backend == "theano":
        turn_kernels(network, str(path))
    return network


def _finish_normalisations(network: keras.Model) -> None:
    """Let every Normalization take over the means that were loaded: out of HDF5, Keras forgets
    those of networks within the network, which would go on with 0 and 1."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _finish_normalisations(layer)
        elif isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.finalize_state()


def load_weights(path: Path, network: keras.Model) -> None:
    """Put the weights of a file into a network.

    Args:
        path: weights alone, as `keras.Model.save_weights` of any version writes them.
        network: a network of the same architecture; undefined where this fails.

    Raises:
        ModelError: the file is missing or damaged, or holds the weights of another network.
    """
    kind = _kind(path)
    if kind == "zip" or not holds_weights_alone(path):
        raise ModelError(f"{path} holds a whole network, not weights alone")
    with open_hdf5(path) as file:
        check_content(file, str(path))
        root = "" if "layer_names" in file.attrs else ".weights"
        # Keras 1 to 2 call them by attributes, Keras 3 by groups; optimisers are left out.
        stored = count_numbers(file)
    if stored != network.count_params():
        raise ModelError(
            f"{path} holds the weights of another network than {network.name}: "
            f"{stored:,} numbers, expected {network.count_params():,}"
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, f"network{root}.h5")
        shutil.copyfile(path, copy)
        if not root:
            with open_hdf5(copy, path, mode="r+") as file:
                widen_bfloat16(file)
        _quietly(lambda: network.load_weights(copy), f"{path}, taken for {network.name},")


def holds_weights_alone(path: Path) -> bool:
    """Whether a file has weights but no architecture.

    Raises:
        ModelError: it is no Keras file at all.
    """
    if _kind(path) == "zip":
        return False
    with open_hdf5(path) as file:
        return "model_config" not in file.attrs


def read_card_text(path: Path) -> str | None:
    """The card that mien wrote into a Keras file, as JSON; None where there is none.

    Raises:
        ModelError: it is no Keras file at all.
    """
    if _kind(path) == "zip":
        with _archive(path) as archive:
            if CARD_MEMBER not in archive.namelist():
                return None
            return _member(archive, CARD_MEMBER, MAX_CONFIG_BYTES, path).decode("utf-8", "replace")
    with open_hdf5(path) as file:
        card = file.attrs.get(CARD_ATTRIBUTE)
        return None if card is None else _text(card)


def _kind(path: Path) -> str:
    """``zip`` or ``hdf5``, by the first bytes."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise ModelError(f"no such model file: {path}") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if size > MAX_FILE_BYTES:
        raise ModelError(f"{path} is larger than {MAX_FILE_BYTES // 2**30} GiB; not opened")
    if start.startswith(_ZIP):
        return "zip"
    if start == _HDF5:
        return "hdf5"
    if not start:
        raise ModelError(f"{path} is empty; {REMEDY}")
    if start.startswith(_PICKLE):
        raise ModelError(f"{path} is a pickle, which could run any code, so it is never opened")
    told = foreign_file(path)
    if told:
        raise ModelError(f"{path} {told}")
    raise ModelError(f"{path} is not a Keras file: neither a .keras archive nor HDF5; {REMEDY}")


def _copy_archive(path: Path, copy: Path, for_inference: bool) -> Origin:
    """Check a ``.keras`` archive and write what was checked, its architecture modernised."""
    with _archive(path) as archive:
        names = archive.namelist()
        missing = [name for name in ("config.json", "model.weights.h5") if name not in names]
        if missing:
            if words := foreign_file(path):
                raise ModelError(f"{path} {words}")
            raise ModelError(f"{path} is not a .keras archive: it has no {missing[0]}; {REMEDY}")
        config = _config(_member(archive, "config.json", MAX_CONFIG_BYTES, path), path)
        weights = _member(archive, "model.weights.h5", MAX_FILE_BYTES, path)
        origin = Origin()
        if "metadata.json" in names:
            about = _config(_member(archive, "metadata.json", MAX_CONFIG_BYTES, path), path)
            origin = Origin.of(str(about.get("keras_version", keras.__version__)))
    config = checked(config, origin, str(path), for_inference=for_inference)
    with open_hdf5(io.BytesIO(weights), path) as file:
        check_content(file, str(path))
    _write_archive(copy, config, weights)
    return origin


def _write_archive(copy: Path, config: dict[str, Any], weights: bytes) -> None:
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": keras.__version__}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)


def _copy_hdf5(path: Path, copy: Path, for_inference: bool) -> Origin:
    """Check an HDF5 file of a whole network and copy it, its architecture modernised."""
    with open_hdf5(path) as file:
        check_content(file, str(path))
        stored = file.attrs.get("model_config")
        if stored is None:
            raise ModelError(
                f"{path} holds weights without their architecture; "
                "name it: --architecture NAME, one of `mien models`"
            )
        told = [file.attrs.get(key) for key in ("keras_version", "backend")]
        # Keras 1 did not write its version.
        version, backend = (None if value is None else _text(value) for value in told)
        origin = Origin.of(version or "1", backend)
    config = checked(_config(stored, path), origin, str(path), for_inference=for_inference)
    shutil.copyfile(path, copy)
    with open_hdf5(copy, path, mode="r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        # Keras would read them too, but only to compile.
        file.attrs.pop("training_config", None)
        widen_bfloat16(file)
    return origin


def _config(stored: Any, path: Path) -> dict[str, Any]:
    text = _text(stored)
    if len(text) > MAX_CONFIG_BYTES:
        raise ModelError(f"{path} describes a network of more than {MAX_CONFIG_BYTES:,} bytes")
    try:
        config = json.loads(text)
        if isinstance(config, str):  # json.dump(model.to_json(), file)
            config = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its architecture is not JSON; {REMEDY}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is damaged: its architecture is no object; {REMEDY}")
    return config


def _text(stored: Any) -> str:
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored)


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged: its archive is broken off; {REMEDY}") from error


def _member(archive: zipfile.ZipFile, name: str, limit: int, path: Path) -> bytes:
    if archive.getinfo(name).file_size > limit:
        raise ModelError(f"{path}: {name} would unpack to more than {limit:,} bytes")
    try:
        with archive.open(name) as stream:
            return stream.read(limit + 1)[:limit]
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path} is damaged: {name}: {error}; {REMEDY}") from error
    except Exception as error:  # zlib's and LZMA's errors have no common base
        raise ModelError(f"{path} is damaged: {name} does not unpack; {REMEDY}") from error


def _quietly(load: Callable[[], Any], name: str) -> Any:
    """Run a loader of Keras; whatever it dislikes is one error."""
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            loaded = load()
    except MemoryError:
        raise
    except Exception as error:  # Keras and its backends raise anything at a file they dislike
        raise ModelError(f"{name} cannot be loaded: {reason_of(error)}") from error
    lost = [str(note.message) for note in notes if "could not be loaded" in str(note.message)]
    if lost:
        raise ModelError(f"{name} cannot be loaded: {lost[0].splitlines()[0]}")
    return loaded
