"""Every network of keras.applications that takes 96 x 96 pixels, as people fine-tune them.

Slow: minutes and gigabytes for the largest; `pytest -m slow -k EfficientNetB0` runs one.
"""

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from mien.errors import ModelError
from mien.formats.bundle import PARITY_TOLERANCE, to_bundle
from mien.formats.foreign import Reading
from mien.labels import FER2013
from mien.model.card import golden_inputs
from mien.preprocessing import InputSpec
from mien.recognition.classifier import Classifier
from mien.training.opening import open_network

NETWORKS = sorted(
    name
    for name, value in vars(keras.applications).items()
    if callable(value) and name[0].isupper()
)


def _patterns() -> np.ndarray:
    """Pictures that no network takes for each other: uint8 (6, 96, 96, 3)."""
    y, x = np.mgrid[:96, :96] / 95
    waves = [np.sin(40 * x), np.sin(9 * y), np.sin(25 * (x + y)), np.sign(np.sin(60 * x * y))]
    discs = [np.hypot(x - 0.3, y - 0.4) < 0.25, np.hypot(x - 0.7, y - 0.6) > 0.3]
    planes = np.stack([*waves, *(2.0 * disc - 1 for disc in discs)])
    colours = np.random.default_rng(4).uniform(-1, 1, (6, 1, 1, 3))
    return np.clip(128 + 127 * planes[..., np.newaxis] * colours, 0, 255).astype(np.uint8)


FACES = _patterns()


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """Free each network before the next one is made."""
    yield
    keras.backend.clear_session()
    gc.collect()


def fine_tuned(name: str) -> keras.Model:
    """A network with a head of seven; its normalisations and its head are as after training."""
    keras.utils.set_random_seed(11)
    base = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(96, 96, 3)
    )
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    network = keras.Model(base.input, keras.layers.Dense(7, activation="softmax")(pooled))
    _settle(network)
    # Outputs far apart, so that agreeing is no matter of course; with random weights, more would
    # show little but rounding.
    features = np.asarray(keras.Model(base.input, pooled)(FACES.astype(np.float32) / 255))
    kernel, _ = network.layers[-1].get_weights()
    logits = (features - features.mean(axis=0)) @ kernel
    kernel *= 0.15 / logits.std()
    network.layers[-1].set_weights([kernel, -features.mean(axis=0) @ kernel])
    return network


def _settle(network: keras.Model) -> None:
    """Give normalisations the statistics of all pictures that the network will see, and let
    LayerScale pass something on."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if type(layer).__name__ == "LayerScale":
            layer.set_weights([np.full_like(weight, 0.5) for weight in layer.get_weights()])
    pictures = np.concatenate([FACES, golden_inputs(InputSpec(96, 96, 3))])
    network(pictures.astype(np.float32) / 255, training=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_read_exported_and_used(name: str, tmp_path: Path):
    path = tmp_path / f"{name}.keras"
    network = fine_tuned(name)
    network.save(path)
    expected = np.asarray(network(FACES.astype(np.float32) / 255, training=False))
    assert expected.std(axis=0).max() > 0.01
    opened = open_network(path, Reading(labels=FER2013.keys, scaling="0..1"))
    try:
        bundle, parity = to_bundle(opened.network, opened.card, list(FACES))
    except ModelError as error:
        if "needs more memory" not in str(error):
            raise
        pytest.skip(str(error))
    assert parity.largest_difference <= PARITY_TOLERANCE
    classifier = Classifier(bundle)
    np.testing.assert_allclose(classifier.probabilities(FACES), expected, atol=PARITY_TOLERANCE)
    print(
        f"\n| `{name}` | {network.count_params() / 1e6:.1f} | {len(bundle) / 1e6:.1f} "
        f"| {parity.largest_difference:.0e} | {expected.std(axis=0).max():.2f}"
    )
