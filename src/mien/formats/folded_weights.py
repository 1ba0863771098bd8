"""The weights that an ``.onnx`` file of mien holds, as a training would have them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, needs_extra

Array = NDArray[np.float32]
"""float32 of any shape."""


def folded_weights(path: Path) -> tuple[list[tuple[Array, Array]], tuple[Array, Array]]:
    """Read the weights of a chain of convolutions, normalisations folded in, and its classifier.

    Args:
        path: an ``.onnx`` file, float32 or in 8-bit integers with QuantizeLinear's nodes.

    Returns:
        Kernel (h, w, in, out) and bias (out,) of each convolution, in the order of the graph;
        kernel (in, out) and bias (out,) of the classifier. All float32; integers times their scale.

    Raises:
        ModelError: there is no classifier that is known.
    """
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


def _dequantised(values: Any, scale: Any, zero: Any, axis: int) -> Array:
    shape = [1] * values.ndim
    if np.ndim(scale) == 1 and values.ndim:
        shape[axis] = -1
    difference = values.astype(np.float32) - np.reshape(zero, shape).astype(np.float32)
    return np.asarray(difference * np.reshape(scale, shape), np.float32)
