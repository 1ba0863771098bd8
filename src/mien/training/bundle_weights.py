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

from mien.errors import ModelError, needs_extra
from mien.formats.bundle import logits_of
from mien.recognition.classifier import Classifier, softmax
from mien.training.normalisation import settle

MOST_DIFFERENCE = 0.02
"""Largest mean difference between the probabilities of the file and of the network."""
_PROOFS = 64
_Array = NDArray[np.float32]


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
    convolutions, (kernel, bias) = _weights(path)
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


def _shape(kernel: _Array, layer: keras.layers.Conv2D) -> tuple[int, ...]:
    """The kernel's shape; that of 1 x 1 where it is a shortcut with its average folded in."""
    folded = layer.kernel_size == (1, 1) and kernel.shape[:2] == (2, 2)
    return (1, 1, *kernel.shape[2:]) if folded else kernel.shape


def _weights(path: Path) -> tuple[list[tuple[_Array, _Array]], tuple[_Array, _Array]]:
    """Kernel (h, w, in, out) and bias of the convolutions, in the order of the graph, and of the
    classifier, (in, out) and (out,)."""
    with needs_extra("train"):
        import onnx
        from onnx import numpy_helper
    graph = onnx.load(str(path)).graph
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in known:
            values, scale, zero = (known[name] for name in node.input)
            known[node.output[0]] = _dequantised(values, scale, zero, _axis(node))
    convolutions, dense = [], []
    for node in graph.node:
        stored = [np.asarray(known[name], np.float32) for name in node.input if name in known]
        if node.op_type == "Conv" and len(stored) == 2:
            convolutions.append((stored[0].transpose(2, 3, 1, 0), stored[1]))
        elif node.op_type in ("Gemm", "MatMul", "Add") and stored:
            dense += stored
    try:
        kernel, bias = dense[-2:]
    except ValueError as error:
        raise ModelError(f"{path} has no classifier that is known; name a Keras file") from error
    return convolutions, (kernel if kernel.shape[1] == len(bias) else kernel.T, bias)


def _axis(node: Any) -> int:
    return next((int(each.i) for each in node.attribute if each.name == "axis"), 1)


def _dequantised(values: Any, scale: Any, zero: Any, axis: int) -> _Array:
    shape = [1] * values.ndim
    if np.ndim(scale) == 1 and values.ndim:
        shape[axis] = -1
    difference = values.astype(np.float32) - np.reshape(zero, shape).astype(np.float32)
    return np.asarray(difference * np.reshape(scale, shape), np.float32)
