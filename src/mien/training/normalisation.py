"""Batch normalisations of weights that were published without any."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.formats.activations import batch_faces


def settle(network: keras.Model, names: Sequence[str], faces: NDArray[Any]) -> None:
    """Give batch normalisations the statistics of what arrives at them; what they give stays.

    Args:
        network: float32 (n, h, w, c) in 0..255 -> logits.
        names: of its layers; each has a mean of 0 and a variance of 1 so far.
        faces: (n, h, w, c), values 0..255, at least some hundred.
    """
    layers = [network.get_layer(name) for name in names]
    probe = keras.Model(network.input, [layer.input for layer in layers])
    sums = [np.zeros((2, layer.gamma.shape[0])) for layer in layers]
    pixels = [0] * len(layers)
    at_once = batch_faces(probe)
    for start in range(0, len(faces), at_once):
        batch = np.asarray(faces[start : start + at_once], np.float32)
        arrived = probe(batch, training=False)
        for index, values in enumerate(arrived):
            flat = np.asarray(keras.ops.convert_to_numpy(values), np.float64)
            flat = flat.reshape(-1, flat.shape[-1])
            sums[index] += flat.sum(axis=0), np.square(flat).sum(axis=0)
            pixels[index] += len(flat)
    for layer, both, n in zip(layers, sums, pixels, strict=True):
        gamma, beta, *_ = layer.get_weights()
        scale = gamma / np.sqrt(1 + layer.epsilon)
        mean = both[0] / n
        variance = np.maximum(both[1] / n - mean**2, 0)
        layer.set_weights(
            [scale * np.sqrt(variance + layer.epsilon), beta + scale * mean, mean, variance]
        )
