"""What the networks share whose backbone comes from keras.applications.

Their backbones are built with random weights; `mien.training.pretrained` brings ImageNet's. They
are taken apart into one flat graph, so that layers can be frozen and converted by name.
"""

from collections.abc import Callable

import keras

HEAD = "pool"
"""Name of the first layer of the head."""


def check_input(input_shape: tuple[int, int, int], least_px: int = 32) -> None:
    """Check what a backbone of keras.applications can work with.

    Raises:
        ValueError: the input is not RGB, or too small.
    """
    if input_shape[2] != 3:
        raise ValueError(f"it needs 3 channels (RGB), not {input_shape[2]}")
    if min(input_shape[:2]) < least_px:
        raise ValueError(f"it needs at least {least_px} x {least_px} pixels")


def rebuild(
    backbone: keras.Model, replace: Callable[[keras.layers.Layer], keras.layers.Layer | None]
) -> keras.Model:
    """Copy a network, with new weights, and with some of its layers replaced.

    Args:
        backbone: a functional network.
        replace: gives the layer that takes a layer's place, or None to copy it.
    """

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        return replace(layer) or type(layer).from_config(layer.get_config())

    return keras.models.clone_model(backbone, clone_function=copy)


def with_head(
    backbone: keras.Model, classes: int, *, units: int, dropout: float, name: str
) -> keras.Model:
    """Put a classifier on a backbone: mean over all places, Dropout, Dense ReLU, Dense.

    Args:
        backbone: image -> maps (n, h, w, c).
        classes: number of outputs.
        units: width of the hidden dense layer.
        dropout: rate before it.
        name: name of the whole network.
    """
    x = keras.layers.GlobalAveragePooling2D(name=HEAD)(backbone.output)
    x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    x = keras.layers.Dense(units, activation="relu", name="features")(x)
    return keras.Model(backbone.inputs[0], keras.layers.Dense(classes, name="logits")(x), name=name)
