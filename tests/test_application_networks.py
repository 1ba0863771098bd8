"""Every network of keras.applications that takes 96 x 96 pixels, as people fine-tune them.

Slow: minutes and gigabytes for the largest; `pytest -m slow -k EfficientNetB0` runs one.
"""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from keras_factory import pictures
from mien.formats.bundle import PARITY_TOLERANCE, to_bundle
from mien.formats.foreign import Reading
from mien.labels import FER2013
from mien.recognition.classifier import Classifier
from mien.training.opening import open_network

NETWORKS = sorted(
    name
    for name, value in vars(keras.applications).items()
    if callable(value) and name[0].isupper()
)


def fine_tuned(name: str) -> keras.Model:
    """A network with a head of seven; its normalisations and its head are as after training."""
    keras.utils.set_random_seed(11)
    base = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(96, 96, 3)
    )
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    network = keras.Model(base.input, keras.layers.Dense(7, activation="softmax")(pooled))
    rng = np.random.default_rng(5)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            changed = [
                weight + rng.uniform(0, 0.2, weight.shape).astype(np.float32)
                for weight in layer.get_weights()
            ]
            layer.set_weights(changed)
    # Far apart, so that agreeing is no matter of course.
    features = keras.Model(base.input, pooled)(pictures((96, 96, 3), 6).astype(np.float32) / 255)
    spread = float(np.asarray(features).std(axis=0).mean())
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel / max(spread, 1e-12), bias])
    return network


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_read_exported_and_used(name: str, tmp_path: Path):
    path = tmp_path / f"{name}.keras"
    network = fine_tuned(name)
    network.save(path)
    faces = pictures((96, 96, 3), 6)
    expected = np.asarray(network(faces.astype(np.float32) / 255, training=False))
    assert expected.std(axis=0).max() > 1e-3
    opened = open_network(path, Reading(labels=FER2013.keys, scaling="0..1"))
    bundle, parity = to_bundle(opened.network, opened.card, list(faces))
    assert parity.largest_difference <= PARITY_TOLERANCE
    classifier = Classifier(bundle)
    np.testing.assert_allclose(classifier.probabilities(faces), expected, atol=PARITY_TOLERANCE)
    print(
        f"\n| `{name}` | {network.count_params() / 1e6:.1f} | {len(bundle) / 1e6:.1f} "
        f"| {parity.largest_difference:.0e} | {expected.std(axis=0).max():.2f}"
    )
