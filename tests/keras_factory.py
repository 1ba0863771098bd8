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
