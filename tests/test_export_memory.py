"""What an export writes: as much as it must, and the same as if it wrote more."""

import os
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
from tf2onnx.graph import Node
from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

from keras_factory import pictures, tutorial_cnn
from mien.errors import ModelError
from mien.formats import bundle
from mien.formats.foreign import Reading, adopt
from mien.labels import FER2013


def exported() -> bytes:
    """A bundle; every call makes the same network."""
    keras.backend.clear_session()  # names count anew
    keras.utils.set_random_seed(3)
    network = tutorial_cnn()
    reading = Reading(labels=FER2013.keys, scaling="0..1")
    adopted, card = adopt(network, Path(__file__), reading)
    content, _ = bundle.to_bundle(adopted, card, list(pictures((24, 24, 1))[..., 0]))
    return content


def test_a_weight_is_written_once_and_the_file_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    written: Counter[str] = Counter()
    write = Node.update_proto

    def counted(node: Any, *arguments: Any) -> None:
        if node.is_const():
            written[node.name] += 1
        write(node, *arguments)

    monkeypatch.setattr(Node, "update_proto", counted)
    once = exported()
    assert written and max(written.values()) == 1
    written.clear()
    monkeypatch.setattr(bundle, "weights_once", nullcontext)
    assert exported() == once
    assert max(written.values()) > 10


def test_a_network_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "free_memory_bytes", lambda: 1_000)
    with pytest.raises(ModelError, match=r"needs more memory.* are free"):
        exported()
    monkeypatch.undo()
    free = bundle.free_memory_bytes()
    assert free is None or free > 1e6
    monkeypatch.setattr(bundle, "free_memory_bytes", lambda: None)
    exported()


@pytest.mark.parametrize("before", [None, "FALSE"])
def test_passes_of_tf2onnx_that_fail_are_left_out(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    """One that adds 3 to a convolution without a bias, as MobileNetV3 does, fails in 1.17."""
    name = "TF2ONNX_CATCH_ERRORS"
    if before is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, before)
    failed: list[Exception] = []
    handle = TransposeOptimizer._add_handler

    def watched(self: TransposeOptimizer, *arguments: Any) -> Any:
        try:
            return handle(self, *arguments)
        except Exception as error:
            failed.append(error)
            raise

    monkeypatch.setattr(TransposeOptimizer, "_add_handler", watched)
    inputs = keras.Input((24, 24, 1))
    x = keras.layers.Conv2D(4, 3, use_bias=False)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.ops.relu6(x + 3.0))
    network = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x))
    adopted, card = adopt(network, Path(__file__), Reading(labels=FER2013.keys, scaling="0..1"))
    content, parity = bundle.to_bundle(adopted, card, list(pictures((24, 24, 1))[..., 0]))
    assert failed and content and parity.largest_difference < 1e-5
    assert os.environ.get(name) == before
