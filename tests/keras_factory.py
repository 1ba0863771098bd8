"""Small Keras networks as other programs save them, and their files."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

L = keras.layers


def mini_xception(side: int | None = 64, classes: int = 7) -> keras.Model:
    """Grey pictures to probabilities, by the softmax layer after a pooling that Xceptions have."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((side, side, 1))
    x = L.Conv2D(4, 3, strides=2, use_bias=False)(inputs)
    x = L.BatchNormalization()(x)
    x = L.ReLU()(x)
    shortcut = L.Conv2D(8, 1, strides=2, padding="same")(x)
    x = L.SeparableConv2D(8, 3, padding="same", use_bias=False)(x)
    x = L.MaxPooling2D(3, strides=2, padding="same")(x)
    x = L.Add()([x, shortcut])
    x = L.Conv2D(classes, 3, padding="same", bias_initializer="random_normal")(x)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Activation("softmax", name="predictions")(x), name="xception")


def tutorial_cnn(
    channels: int = 1, end: Callable[[Any], Any] | None = None, classes: int = 7
) -> keras.Model:
    """The Sequential of tutorials, 24 x 24; ``end`` replaces its softmax layer."""
    keras.utils.set_random_seed(4)
    body = [
        keras.Input((24, 24, channels)),
        L.Conv2D(4, 3, activation="relu"),
        L.MaxPooling2D(4),
        L.Flatten(),
    ]
    if end is None:
        return keras.Sequential([*body, L.Dense(classes, activation="softmax")])
    network = keras.Sequential(body)
    return keras.Model(network.inputs[0], end(network.outputs[0]))


def outputs(network: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """What a network gives, as numpy."""
    return np.asarray(keras.ops.convert_to_numpy(network(inputs.astype(np.float32))))


def pictures(shape: tuple[int, ...], n: int = 5) -> np.ndarray:
    """Random pictures, uint8 (n, *shape)."""
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


def save(network: keras.Model, path: Path) -> Path:
    """Save as the ending says, without Keras's advice against HDF5."""
    import logging

    logging.getLogger("absl").setLevel(logging.ERROR)
    network.save(path)
    return path


def edit_h5(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Change the architecture in an HDF5 file in place."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        changed = change(config)
        file.attrs["model_config"] = json.dumps(config if changed is None else changed)
    return path


def edit_keras(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Change the architecture in a ``.keras`` archive in place."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    changed = change(config)
    members["config.json"] = json.dumps(config if changed is None else changed).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def save_as_keras_2(
    network: keras.Model,
    path: Path,
    change: Callable[[dict[str, Any]], Any] = lambda config: None,
    version: str = "2.2.4-tf",
    backend: str = "tensorflow",
) -> Path:
    """An HDF5 file with the words and the notation of Keras 2.

    Args:
        network: stock layers; a graph may hold other networks.
        path: ends in ``.h5``.
        change: changes the architecture in Keras 2's notation, in place.
        version: Keras's, as the file says it.
        backend: what the file says of it.
    """
    save(network, path)
    config = {"class_name": type(network).__name__, "config": _old_arguments(network)}
    change(config)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = version, backend
    return path


def _old_arguments(network: keras.Model) -> dict[str, Any]:
    stored = network.get_config()
    if isinstance(network, keras.Sequential):
        layers = [_old_layer(layer) for layer in network.layers]
        layers[0]["config"]["batch_input_shape"] = [None, *network.input_shape[1:]]
        return {"name": network.name, "layers": layers}
    layers = []
    for layer, described in zip(network.layers, stored["layers"], strict=True):
        old = _old_layer(layer) | {"name": layer.name}
        nodes = described["inbound_nodes"]
        old["inbound_nodes"] = [_old_call(node, network) for node in nodes]
        layers.append(old)
    ends = {end: _old_places(stored[end], network) for end in ("input_layers", "output_layers")}
    return {"name": network.name, "layers": layers, **ends}


def _old_layer(layer: Any) -> dict[str, Any]:
    if isinstance(layer, keras.Model):
        return {"class_name": type(layer).__name__, "config": _old_arguments(layer)}
    config = {
        key: value for key, value in layer.get_config().items() if not isinstance(value, dict)
    }
    shape = config.pop("batch_shape", None)
    new = {} if shape is None else {"batch_input_shape": shape}
    return {"class_name": type(layer).__name__, "config": config | new}


def _old_call(node: dict[str, Any], network: keras.Model) -> list[Any]:
    tensors = node["args"][0] if isinstance(node["args"][0], list) else node["args"]
    return [
        [*_old_place(tensor["config"]["keras_history"], network), node["kwargs"]]
        for tensor in tensors
    ]


def _old_place(place: list[Any], network: keras.Model) -> list[Any]:
    name, call, output = place
    # Keras 2 counted the making of a network as its first call.
    return [name, call + isinstance(network.get_layer(name), keras.Model), output]


def _old_places(places: list[Any], network: keras.Model) -> list[Any]:
    return (
        [_old_place(place, network) for place in places]
        if isinstance(places[0], list)
        else [_old_place(places, network)]
    )
