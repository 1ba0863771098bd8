"""Weights of an ``.onnx`` file that mien exported, for a training that goes on from it.

An export has every batch normalisation folded into its convolution, and in 8-bit integers each
averaging shortcut as well. Both are taken apart again: mean and variance of what arrives at a
normalisation are measured on faces, and its scale and shift chosen so that the network gives what
the file gives. Weights of 8-bit integers are those integers times their scale.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.formats.bundle import logits_of
from mien.formats.folded_weights import Array, folded_weights
from mien.model.network import softmax
from mien.recognition.classifier import Classifier
from mien.training.normalisation import settle

MOST_DIFFERENCE = 0.02
"""Largest mean difference between the probabilities of the file and of the network."""
_PROOFS = 64


def load_bundle_weights(network: keras.Model, path: Path, faces: NDArray[Any]) -> str:
    """Put the weights of an exported network into a new one of the same shape.

    Args:
        network: a network of `mien.zoo` whose convolutions are all normalised, with random
            weights.
        path: the file.
        faces: input of the network, (n, h, w, c), values 0..255, at least some hundred; without
            labels.

    Returns:
        ``all``.

    Raises:
        ModelError: the file is damaged, or holds another network; the weights are then random or
            mixed, so the network is of no use.
    """
    classifier = Classifier(path)
    trouble = f"{path} does not fit {network.name}"
    if classifier.card.input_shape != tuple(network.input_shape[1:]):
        raise ModelError(f"{trouble}: it takes pictures of another size")
    convolutions, (kernel, bias) = folded_weights(path)
    convolutional = [each for each in network.layers if isinstance(each, keras.layers.Conv2D)]
    names = []
    for layer in convolutional:
        shape = tuple(layer.kernel.shape)
        fitting = [i for i, its in enumerate(convolutions) if _shape(its[0], layer) == shape]
        if not fitting:
            raise ModelError(f"{trouble}: it has no weights for {layer.name}")
        # Those of one shape are in the order in which they are computed, here as there.
        found = convolutions.pop(fitting[0])
        weights = found[0]
        if weights.shape[:2] != layer.kernel_size:
            weights = weights.sum(axis=(0, 1), keepdims=True)
        layer.set_weights([weights])
        names.append(layer.name.removesuffix("_conv") + "_bn")
        normalisation = network.get_layer(names[-1])
        zeros = np.zeros_like(found[1])
        whole = np.sqrt(np.float32(1 + normalisation.epsilon))
        normalisation.set_weights([zeros + whole, found[1], zeros, zeros + 1])
    head = network.get_layer("logits")
    if convolutions or kernel.shape != tuple(head.kernel.shape):
        raise ModelError(f"{trouble}: it has other layers")
    head.set_weights([kernel, bias])
    settle(network, names, faces)
    proofs = np.asarray(faces[:_PROOFS], np.float32)
    said = [softmax(logits_of(network, proofs)), softmax(classifier.logits(proofs))]
    if not np.abs(said[0] - said[1]).mean() <= MOST_DIFFERENCE:
        raise ModelError(f"{trouble}: it gives other probabilities")
    return "all"


def _shape(kernel: Array, layer: keras.layers.Conv2D) -> tuple[int, ...]:
    """The kernel's shape; that of 1 x 1 where it is a shortcut with its average folded in."""
    folded = layer.kernel_size == (1, 1) and kernel.shape[:2] == (2, 2)
    return (1, 1, *kernel.shape[2:]) if folded else kernel.shape
