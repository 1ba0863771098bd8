"""One writer per file format, and beside it what runs such a file as its users do.

A writer takes (network, card, folder) and returns the file or folder that it wrote there, with
the card inside. A runner takes (path, the original network, inputs) and returns logits.
"""

import importlib
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import MissingExtraError, needs_extra
from mien.formats.bundle import logits_of
from mien.formats.keras_files import CARD_ATTRIBUTE, CARD_MEMBER, load_network, load_weights
from mien.model.card import ModelCard
from mien.preprocessing import InputSpec

_AS_LAYERS = ("Concatenate", "Softmax")
"""Operations that are called as the layers of the same name."""

LABELS_FILE = "labels.txt"
"""Keys of the classes, one per line, where a format holds files of its own."""


def make_litert(network: keras.Model, card: ModelCard, folder: Path) -> Path:
    """A ``.tflite`` file; card and labels in a zip archive behind the network."""
    path = folder / "network.tflite"
    _called(network).export(path, format="litert", verbose=False)
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in _associated_files(card).items():
            archive.writestr(name, text)
    return path


def run_litert(
    path: Path, network: keras.Model, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run a ``.tflite`` file."""
    interpreter = _interpreter(path)
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    parts = []
    for batch in _batches(inputs):
        interpreter.resize_tensor_input(source, batch.shape)
        try:
            interpreter.allocate_tensors()
        except RuntimeError as error:
            if "Select TensorFlow op" not in str(error):
                raise
            raise ValueError(
                "it computes what TensorFlow can and LiteRT alone cannot; export it to onnx"
            ) from error
        interpreter.set_tensor(source, batch)
        interpreter.invoke()
        parts.append(np.array(interpreter.get_tensor(result)))
    return np.concatenate(parts)


def _interpreter(path: Path) -> Any:
    """LiteRT's interpreter, of its own package or, until it is taken out there, of TensorFlow."""
    try:
        litert = importlib.import_module("ai_edge_litert.interpreter")
        resolvers = litert.OpResolverType
    except ModuleNotFoundError:
        import tensorflow

        litert = tensorflow.lite
        if not hasattr(litert, "Interpreter"):
            raise MissingExtraError(
                "a LiteRT file is proven by ai_edge_litert, which is not installed; "
                "get it with: pip install ai-edge-litert"
            ) from None
        resolvers = litert.experimental.OpResolverType
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its removal from TensorFlow
        return litert.Interpreter(
            model_path=str(path),
            # The default announces its delegates on stderr.
            experimental_op_resolver_type=resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )


def make_saved_model(network: keras.Model, card: ModelCard, folder: Path) -> Path:
    """A SavedModel folder; card and labels in ``assets.extra``."""
    path = folder / "saved_model"
    _called(network).export(path, format="tf_saved_model", verbose=False)
    extra = path / "assets.extra"
    extra.mkdir()
    for name, text in _associated_files(card).items():
        (extra / name).write_text(text, encoding="utf-8")
    return path


def run_saved_model(
    path: Path, network: keras.Model, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run a SavedModel by its endpoint ``serve``."""
    import tensorflow

    loaded = tensorflow.saved_model.load(str(path))  # held: its variables die with it
    return np.concatenate([np.asarray(loaded.serve(batch)) for batch in _batches(inputs)])


def make_keras(network: keras.Model, card: ModelCard, folder: Path) -> Path:
    """A ``.keras`` archive; the card is a further member."""
    path = folder / "network.keras"
    network.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_MEMBER, card.to_json())
    return path


def make_h5(network: keras.Model, card: ModelCard, folder: Path) -> Path:
    """An HDF5 file of the whole network; the card is an attribute."""
    if any(isinstance(layer, keras.Model) and _normalises(layer) for layer in network.layers):
        raise ValueError(
            "Keras does not read the means of a Normalization in a network within the network "
            "back from HDF5; export it to keras"
        )
    if (operation := _lost_in_hdf5(network)) is not None:
        raise ValueError(
            f"it computes {type(operation).__name__} between its layers, which an HDF5 file of "
            "Keras 3 cannot hold; export it to keras"
        )
    path = folder / "network.h5"
    network.save(path)
    return _with_attribute(path, card)


def _normalises(network: keras.Model) -> bool:
    return any(
        isinstance(layer, keras.layers.Normalization)
        or (isinstance(layer, keras.Model) and _normalises(layer))
        for layer in network.layers
    )


def _lost_in_hdf5(network: keras.Model) -> Any:
    """An operation of which such a file does not say that it is none of the layers; or None."""
    for operation in getattr(network, "operations", network.layers):
        if isinstance(operation, keras.Model):
            if (inner := _lost_in_hdf5(operation)) is not None:
                return inner
        elif not isinstance(operation, keras.Layer) and type(operation).__name__ not in _AS_LAYERS:
            return operation
    return None


def make_weights(network: keras.Model, card: ModelCard, folder: Path) -> Path:
    """An HDF5 file of the weights alone; the card is an attribute."""
    path = folder / "network.weights.h5"
    network.save_weights(path)
    return _with_attribute(path, card)


def _with_attribute(path: Path, card: ModelCard) -> Path:
    with h5py.File(path, "a") as file:
        file.attrs[CARD_ATTRIBUTE] = card.to_json()
    return path


def run_keras(path: Path, network: keras.Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a ``.keras`` or ``.h5`` file."""
    return logits_of(load_network(path), inputs)


def run_weights(
    path: Path, network: keras.Model, inputs: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run weights alone, in a copy of the network."""
    copy = keras.models.clone_model(network)
    load_weights(path, copy)
    return logits_of(copy, inputs)


def _batches(inputs: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Inputs (n, h, w, c) in parts that a graph can compute within bounded memory."""
    at_once = InputSpec(*inputs.shape[1:]).batch_faces
    for start in range(0, len(inputs), at_once):
        yield inputs[start : start + at_once]


def _associated_files(card: ModelCard) -> dict[str, str]:
    return {CARD_MEMBER: card.to_json(), LABELS_FILE: "\n".join(card.labels) + "\n"}


def _called(network: keras.Model) -> keras.Model:
    """The network, called once as Keras's exporters want it."""
    with needs_extra("train"):
        import tensorflow  # noqa: F401
    network(np.zeros((1, *network.input_shape[1:]), np.float32))
    return network
