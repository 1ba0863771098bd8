"""Tiny ONNX classifiers with a card, for tests that need a model file but no training.

The network averages the picture's pixels in a coarse grid, multiplies by a fixed random matrix
and adds a bias: quick, deterministic, and its output depends on the picture.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from mien.labels import FER2013
from mien.model.card import METADATA_KEY, ModelCard, golden_inputs
from mien.model.seal import SEAL_KEY, UNSEALED, seal


def make_graph(
    input_shape: tuple[int, int, int] = (48, 48, 1),
    classes: int = 7,
    *,
    seed: int = 0,
    gain: float = 1.0,
    batch: str | int = "n",
) -> onnx.ModelProto:
    """A network float32 (n, h, w, c) -> logits (n, classes), without a card."""
    height, width, channels = input_shape
    grid = 4
    rng = np.random.default_rng(seed)
    weights = rng.normal(0.0, gain / 255.0, (grid * grid * channels, classes)).astype(np.float32)
    bias = rng.normal(0.0, 0.5, classes).astype(np.float32)
    pool = [height // grid, width // grid]
    nodes = [
        helper.make_node("Transpose", ["faces"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=pool, strides=pool),
        helper.make_node("Flatten", ["cells"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, [batch, *input_shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def make_card(model: onnx.ModelProto, **changes: Any) -> ModelCard:
    """A card that fits the network, with its golden outputs; fields can be overridden."""
    dims = model.graph.input[0].type.tensor_type.shape.dim
    card = ModelCard(
        name="tiny",
        architecture="tiny",
        labels=FER2013.keys,
        input_shape=(dims[1].dim_value, dims[2].dim_value, dims[3].dim_value),
        framing="fer2013",
        licence="MIT",
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    inputs = golden_inputs(card.input).astype(np.float32)
    logits = np.concatenate(
        [session.run(None, {"faces": row[np.newaxis]})[0] for row in inputs]
    ).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    golden = powers / powers.sum(axis=1, keepdims=True)
    return replace(card, **{"golden": tuple(tuple(row) for row in golden.tolist()), **changes})


def with_card(model: onnx.ModelProto, card: ModelCard | str | None) -> bytes:
    """The network's file with a card (or any text in its place) in the metadata, sealed."""
    del model.metadata_props[:]
    if card is not None:
        text = card if isinstance(card, str) else card.to_json()
        model.metadata_props.add(key=METADATA_KEY, value=text)
        model.metadata_props.add(key=SEAL_KEY, value=UNSEALED)
        return seal(model.SerializeToString())
    return model.SerializeToString()


def make_model_bytes(**changes: Any) -> bytes:
    """A complete tiny classifier; ``changes`` override fields of its card."""
    model = make_graph()
    return with_card(model, make_card(model, **changes))


def write_model(path: Path, **changes: Any) -> Path:
    """`make_model_bytes` as a file."""
    path.write_bytes(make_model_bytes(**changes))
    return path
