"""What is trained beside what is saved."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from mien import zoo
from mien.labels import FERPLUS
from mien.preprocessing import InputSpec
from mien.training.recipe import Recipe
from mien.training.trainable import FERPLUS_HEAD, ferplus_network, trainable_copy

OPTIONS = {"stem": 8, "widths": (8, 8, 16), "depths": (1, 1, 1)}


def network() -> keras.Model:
    return zoo.build("slim_resnet", InputSpec(48, 48, 1), 7, **OPTIONS)


@pytest.mark.parametrize(("momentum", "expected"), [(None, 0.9), (0.997, 0.997), (0.5, 0.9)])
def test_statistics_are_averaged_as_long_as_the_weights(
    momentum: float | None, expected: float
) -> None:
    saved = network()
    _, trainable = trainable_copy(saved, Recipe("r", "slim_resnet", ema_momentum=momentum))
    norms = [
        layer for layer in trainable.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) > 5
    assert {layer.momentum for layer in norms} == {expected}
    stock = [each for each in saved.layers if isinstance(each, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in stock} == {0.9}


def test_the_second_heads_network_is_the_trunk_under_its_weights() -> None:
    recipe = Recipe("r", "slim_resnet", ferplus_weight=1.0)
    saved = network()
    model, _ = trainable_copy(saved, recipe)
    head = model.get_layer(FERPLUS_HEAD).get_weights()
    second = ferplus_network(saved, head)
    assert second.output_shape == (None, len(FERPLUS))
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1)).astype(np.float32)
    features = keras.Model(saved.inputs[0], saved.get_layer("features").output)(faces)
    expected = np.asarray(features) @ head[0] + head[1]
    np.testing.assert_allclose(second(faces), expected, atol=1e-4)
