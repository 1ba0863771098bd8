"""Batches of Keras networks are as large as the memory for all of their layers allows."""

import os

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from mien import preprocessing
from mien.formats import bundle
from mien.formats.activations import batch_faces
from mien.formats.bundle import logits_of

FACES = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1)).astype(np.float32)
MAPS_BYTES = 4 * (8 * 8 * 1 + 8 * 8 * 2 + 8 * 8 * 2 + 4 * 4 * 2 + 32 + 3)
"""Input, convolution, activation, pool, flattened, logits, of one face."""


def network(side: int | None = 8) -> keras.Model:
    inputs = keras.Input((side, side, 1))
    x = keras.layers.Conv2D(2, 3, padding="same")(inputs)
    x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.Flatten()(x) if side else keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def test_all_layers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for faces in (1, 3, 5):
        monkeypatch.setattr(preprocessing, "BATCH_BYTES", faces * MAPS_BYTES)
        assert batch_faces(network()) == faces
    monkeypatch.setattr(preprocessing, "BATCH_BYTES", 5 * MAPS_BYTES - 1)
    assert batch_faces(network()) == 4
    monkeypatch.setattr(preprocessing, "BATCH_BYTES", 1)
    assert batch_faces(network()) == 1


def test_networks_inside_count_and_open_sides_do_not_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = keras.Input((8, 8, 1))
    monkeypatch.setattr(preprocessing, "BATCH_BYTES", 12 * MAPS_BYTES)
    alone, inside = batch_faces(network()), batch_faces(keras.Model(inputs, network()(inputs)))
    # The network's output and the input stand there once more.
    assert (alone, inside) == (12, 12 * MAPS_BYTES // (MAPS_BYTES + 4 * (8 * 8 + 3)))
    assert 1 <= batch_faces(keras.Model(inputs, network(None)(inputs))) < 12


def test_parts_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes = network(), []
    whole = logits_of(model, FACES)
    monkeypatch.setattr(preprocessing, "BATCH_BYTES", 3 * MAPS_BYTES)
    call = keras.Model.__call__

    def spy(self, inputs, **settings):
        if self is model:
            sizes.append(len(inputs))
        return call(self, inputs, **settings)

    monkeypatch.setattr(keras.Model, "__call__", spy)
    np.testing.assert_allclose(logits_of(model, FACES), whole, atol=1e-4)
    assert (whole.shape, sizes) == ((7, 3), [3, 3, 1])


@pytest.mark.parametrize("before", [None, "TRUE"])
@pytest.mark.parametrize("fails", [False, True])
def test_a_pass_that_fails_is_tried_on_copies(
    monkeypatch: pytest.MonkeyPatch, before: str | None, fails: bool
) -> None:
    """tf2onnx is told by a variable of the environment, which is as before afterwards. Whatever
    it holds, 1.17 takes it for FALSE; see also test_export_memory.py."""
    told = []

    class Network:
        def export(self, path: str, **settings: object) -> None:
            told.append(os.environ.get("TF2ONNX_CATCH_ERRORS"))
            if fails and told[-1] == "FALSE":
                raise RuntimeError("a pass failed")

    monkeypatch.delenv("TF2ONNX_CATCH_ERRORS", raising=False)
    if before is not None:
        monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", before)
    bundle._export(Network(), "network.onnx")
    assert told == (["FALSE", None] if fails else ["FALSE"])
    assert os.environ.get("TF2ONNX_CATCH_ERRORS") == before
