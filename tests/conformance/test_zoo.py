"""One suite for every network of the zoo.

Networks made for large pictures are tested at 64 x 64: nothing but the time depends on it.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from jax_process import Run
from jax_steps import answers_and_a_step
from mien import zoo
from mien.errors import RecipeError
from mien.formats.bundle import PARITY_TOLERANCE, to_bundle
from mien.labels import FER2013
from mien.model.card import ModelCard
from mien.preprocessing import InputSpec
from mien.recognition.classifier import Classifier
from mien.training.recipe import Recipe
from mien.training.trainable import FusedBatchNormalization, copy_weights, trainable_copy
from mien.zoo.cost import flops

pytestmark = pytest.mark.parametrize("name", sorted(zoo.ARCHITECTURES))


def spec_of(name: str) -> InputSpec:
    spec = zoo.ARCHITECTURES[name].default_input
    return InputSpec(64, 64, spec.channels) if spec.height_px > 64 else spec


@functools.cache
def shared(name: str) -> keras.Model:
    """A network whose normalisation statistics are not the neutral ones of a new one; for tests
    that change nothing in it."""
    keras.utils.set_random_seed(3)
    network = zoo.build(name, spec_of(name), len(FER2013))
    random = np.random.default_rng(0)
    for variable in network.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return network


@pytest.fixture
def borrowed(name: str) -> Iterator[keras.Model]:
    """The same, for tests that change its weights."""
    network = shared(name)
    before = network.get_weights()
    yield network
    network.set_weights(before)


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """The networks are forgotten at the end."""
    yield
    shared.cache_clear()


def faces(name: str, n: int = 8) -> np.ndarray:
    shape = spec_of(name).shape
    return np.random.default_rng(1).integers(0, 256, (n, *shape), dtype=np.uint8)


def logits(network: keras.Model, inputs: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(inputs.astype(np.float32), training=False))


def test_the_catalogue_counts_right(name: str):
    architecture = zoo.ARCHITECTURES[name]
    network = zoo.build(name, architecture.default_input, len(FER2013))
    assert network.input_shape == (None, *architecture.default_input.shape)
    assert network.count_params() == architecture.parameters
    assert flops(network) == architecture.flops


def test_shapes_names_and_types(name: str):
    network = shared(name)
    names = [layer.name for layer in network.layers]
    assert network.input_shape == (None, *spec_of(name).shape)
    assert network.output_shape == (None, 7)
    assert network.name == name
    assert names[:2] == ["image", "scaling"]
    assert names[-1] == "logits"
    assert len(network.get_layer("features").output.shape) == 2
    assert {variable.dtype for variable in network.variables if "seed" not in variable.path} == {
        "float32"
    }
    if (head := zoo.ARCHITECTURES[name].head) is not None:
        assert len(network.get_layer(head).input.shape) == 4
        assert len(network.get_layer(head).output.shape) == 2


def test_the_graph_is_flat(name: str):
    assert not any(isinstance(layer, keras.Model) for layer in shared(name).layers)


def test_outputs_are_logits_not_probabilities(name: str):
    values = logits(shared(name), faces(name))
    assert values.shape == (8, 7)
    assert np.isfinite(values).all()
    assert not np.allclose(values.sum(axis=1), 1.0)


def test_scaling_is_part_of_the_network(name: str):
    if zoo.ARCHITECTURES[name].pretrained:
        pytest.skip("scaled as its pretrained weights want it; see tests/test_pretrained.py")
    scaling = shared(name).get_layer("scaling")
    ends = keras.ops.convert_to_numpy(scaling(np.array([[0.0, 255.0]], np.float32)))
    assert ends.min() >= -1.0
    assert ends.max() == pytest.approx(1.0)


def test_save_and_load_round_trip(name: str, tmp_path: Path):
    network = shared(name)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(logits(network, faces(name)), logits(loaded, faces(name)))


def test_onnx_parity_and_size(name: str):
    network = shared(name)
    card = ModelCard(name, name, FER2013.keys, spec_of(name).shape, framing="fer2013")
    bundle, parity = to_bundle(network, card, list(faces(name, 32)))
    assert parity.faces == 32
    assert parity.largest_difference <= PARITY_TOLERANCE
    assert len(bundle) == pytest.approx(zoo.ARCHITECTURES[name].onnx_bytes, rel=0.01)
    classifier = Classifier(bundle)
    one_by_one = np.concatenate(
        [classifier.logits(face[np.newaxis].astype(np.float32)) for face in faces(name)]
    )
    np.testing.assert_allclose(one_by_one, logits(network, faces(name)), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_trainable_copy_has_the_networks_weights_and_answers(
    name: str, precision: str, borrowed: keras.Model
):
    network = borrowed
    model, trainable = trainable_copy(network, Recipe("r", name, precision=precision))
    for ours, theirs in zip(network.get_weights(), trainable.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    trained = keras.ops.convert_to_numpy(model(faces(name), training=False)["expression"])
    tolerance = 1e-4 if precision == "float32" else 0.1
    scale = np.abs(logits(network, faces(name))).max()
    np.testing.assert_allclose(
        trained, logits(network, faces(name)), atol=tolerance * max(1.0, float(scale))
    )
    trainable.set_weights([2 * weights for weights in trainable.get_weights()])
    copy_weights(trainable, network)
    np.testing.assert_array_equal(network.get_weights()[0], trainable.get_weights()[0])


def test_fused_normalisation_equals_keras_own(name: str, borrowed: keras.Model):
    network = borrowed
    _, trainable = trainable_copy(network, Recipe("r", name))
    fused = [layer for layer in trainable.layers if isinstance(layer, FusedBatchNormalization)]
    plain = [
        layer
        for layer in network.layers
        if "BatchNorm" in type(layer).__name__ and len(layer.input.shape) == 4
    ]
    assert len(fused) == len(plain)
    for ours, theirs in zip(fused[:1], plain[:1], strict=True):
        maps = np.random.default_rng(2).normal(1.0, 2.0, (16, 12, 12, ours.gamma.shape[0]))
        maps = maps.astype(np.float32)
        a, b = ours(maps, training=True), theirs(maps, training=True)
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), atol=1e-4
        )
        np.testing.assert_allclose(ours.moving_mean.numpy(), theirs.moving_mean.numpy(), atol=1e-5)
        np.testing.assert_allclose(
            ours.moving_variance.numpy(), theirs.moving_variance.numpy(), rtol=1e-3
        )


def test_an_impossible_option_is_explained(name: str):
    with pytest.raises(RecipeError, match=f"architecture {name}"):
        zoo.build(name, spec_of(name), 7, no_such_option=1)


def test_an_input_that_is_too_small_is_explained(name: str):
    if name in ("slim_resnet", "face_resnet"):
        pytest.skip("pads whatever it gets")
    with pytest.raises(RecipeError, match=rf"architecture {name}, input \(2, 2, \d\): ") as caught:
        zoo.build(name, InputSpec(2, 2, spec_of(name).channels), 7)
    assert "\n" not in str(caught.value)


def test_trains_and_answers_alike_on_jax(name: str, tmp_path: Path, on_jax: Run):
    network = shared(name)
    network.save(tmp_path / "network.keras")
    answers = on_jax(answers_and_a_step, name, tmp_path / "network.keras", faces(name, 7))
    np.testing.assert_allclose(answers, logits(network, faces(name, 7)), atol=2e-3, rtol=1e-3)
