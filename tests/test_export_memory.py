"""What an export writes: as much as it must, and the same as if it wrote more."""

from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
from tf2onnx.graph import Node

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
