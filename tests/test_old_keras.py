"""Files of Keras 1 and 2 load, and compute what they computed when they were written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from keras_factory import edit_keras, outputs, save, save_as_keras_2, tutorial_cnn
from mien.errors import ModelError
from mien.formats.keras_files import load_network, load_pair
from mien.formats.keras_pairs import weights_of

L = keras.layers
NUMBERS = np.linspace(-4, 4, 3 * 8).reshape(3, 8).astype(np.float32)
MAPS = np.random.default_rng(1).normal(0, 1, (2, 6, 6, 2)).astype(np.float32)


def layers_of(config: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Layers of a class in an architecture, at any depth."""
    found = []
    for layer in config["config"]["layers"]:
        if layer["class_name"] == kind:
            found.append(layer)
        if "layers" in layer["config"]:
            found += layers_of(layer, kind)
    return found


def setting(kind: str, **arguments: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for layer in layers_of(config, kind):
            layer["config"] |= arguments

    return change


def renaming(kind: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for layer in layers_of(config, kind):
            layer["class_name"] = name

    return change


def sequence(*layers: Any, shape: tuple[int, ...] = (8,)) -> keras.Model:
    keras.utils.set_random_seed(6)
    network = keras.Sequential([keras.Input(shape), *layers])
    rng = np.random.default_rng(2)
    network.set_weights(
        [rng.uniform(0.2, 1, weight.shape).astype(np.float32) for weight in network.get_weights()]
    )
    return network


OLD = np.clip(0.2 * NUMBERS + 0.5, 0, 1)
TODAY = np.clip(NUMBERS / 6 + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("version", "expected"), [("2.2.4", OLD), ("2.15.0", OLD), ("3.4.1", TODAY)]
)
def test_hard_sigmoid_is_that_of_its_time(tmp_path: Path, version: str, expected: np.ndarray):
    network = sequence(L.Activation("hard_sigmoid"))
    path = save_as_keras_2(network, tmp_path / "net.h5", version=version)
    loaded = load_network(path)
    np.testing.assert_allclose(outputs(loaded, NUMBERS), expected, atol=1e-6)
    np.testing.assert_allclose(outputs(network, NUMBERS), TODAY, atol=1e-6)
    # Kept by what mien writes, for plain Keras too.
    again = save(loaded, tmp_path / "again.keras")
    for other in (load_network(again), keras.saving.load_model(again, compile=False)):
        np.testing.assert_allclose(outputs(other, NUMBERS), expected, atol=1e-6)


def test_hard_sigmoid_inside_of_a_dense_layer_and_of_a_keras_2_archive(tmp_path: Path):
    dense = L.Dense(5, activation="hard_sigmoid")
    network = sequence(dense)
    kernel, bias = dense.get_weights()
    expected = np.clip(0.2 * (NUMBERS @ kernel + bias) + 0.5, 0, 1)
    archive = edit_keras(save(network, tmp_path / "net.keras"), lambda config: None)
    import zipfile

    with zipfile.ZipFile(archive) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members["metadata.json"] = json.dumps({"keras_version": "2.13.1"}).encode()
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    for path in (archive, save_as_keras_2(network, tmp_path / "net.h5")):
        np.testing.assert_allclose(outputs(load_network(path), NUMBERS), expected, atol=1e-5)


TF_DTYPE = {"seed": None, "dtype": "float32"}
WORDS = {
    "BatchNormalizationV1": renaming("BatchNormalization", "BatchNormalizationV1"),
    "BatchNormalizationV2": renaming("BatchNormalization", "BatchNormalizationV2"),
    "SyncBatchNormalization": renaming("BatchNormalization", "SyncBatchNormalization"),
    "axis as a list": setting("BatchNormalization", axis=[3], fused=None, renorm=False),
    "initialisers with a dtype": setting(
        "Conv2D",
        kernel_initializer={"class_name": "GlorotUniform", "config": TF_DTYPE},
        bias_initializer={"class_name": "Zeros", "config": {"dtype": "float32"}},
    ),
    "initialisers of the author": setting(
        "Conv2D",
        kernel_initializer={"class_name": "MyInit", "config": {"gain": 2}},
        bias_initializer="my_init",
    ),
    "regularisers and constraints of the author": setting(
        "Dense",
        kernel_regularizer={"class_name": "Sparse2000", "config": {"rate": 1}},
        bias_constraint="my_constraint",
    ),
    "softmax_v2": setting("Dense", activation="softmax_v2"),
    "a function as TensorFlow 2.13 wrote it": setting(
        "Dense",
        activation={
            "module": "builtins",
            "class_name": "function",
            "config": "softmax_v2",
            "registered_name": "function",
        },
    ),
    "identity": setting("Conv2D", activation="identity"),
    "arguments that ask for nothing": setting("Flatten", ragged=False, implementation=None),
}


@pytest.mark.parametrize("case", WORDS)
def test_words_of_keras_2_and_of_tensorflow_load(tmp_path: Path, case: str):
    network = sequence(
        L.Conv2D(3, 3, name="conv"),
        L.BatchNormalization(),
        L.Flatten(),
        L.Dense(4, activation="softmax"),
        shape=(6, 6, 2),
    )
    path = save_as_keras_2(network, tmp_path / "net.h5", WORDS[case])
    np.testing.assert_allclose(
        outputs(load_network(path), MAPS), outputs(network, MAPS), rtol=1e-5, atol=1e-7
    )


def test_slashes_and_networks_in_networks(tmp_path: Path):
    """DenseNet's layers are called conv1/bn; a fine-tuned network holds its base as one layer."""
    keras.utils.set_random_seed(8)
    inside = keras.Input((6, 6, 2))
    x = L.Conv2D(3, 3, name="conv1_conv")(inside)
    base = keras.Model(inside, L.Add(name="conv1_add")([x, L.ReLU(name="r")(x)]), name="base")
    tail = keras.Sequential([keras.Input((4, 4, 3)), L.Flatten(), L.Dense(4)], name="tail")
    inputs = keras.Input((6, 6, 2))
    network = keras.Model(inputs, tail(base(inputs)))

    def with_slashes(config: dict[str, Any]) -> None:
        text = json.dumps(config).replace("conv1_", "conv1/")
        assert '["base", 1, 0, {' in text and '["tail", 1, 0]' in text
        config.update(json.loads(text))

    path = save_as_keras_2(network, tmp_path / "net.h5", with_slashes)
    np.testing.assert_allclose(
        outputs(load_network(path), MAPS), outputs(network, MAPS), rtol=1e-5, atol=1e-6
    )


def operation(function: str, node: list[Any], kind: str = "TFOpLambda") -> dict[str, Any]:
    return {
        "class_name": kind,
        "config": {"name": "op", "trainable": True, "dtype": "float32", "function": function},
        "name": "op",
        "inbound_nodes": node,
    }


X = ["x", 0, 0]
REVERSED = [{"class_name": "__ellipsis__"}, {"start": None, "stop": None, "step": -1}]
OPERATIONS = {
    "x / 2": (operation("math.truediv", [[*X, {"y": 2.0, "name": None}]]), lambda x: x / 2),
    "1 - x": (
        operation("math.subtract", [["_CONSTANT_VALUE", -1, 1.0, {"y": X, "name": None}]]),
        lambda x: 1 - x,
    ),
    "x + x": (operation("__operators__.add", [[*X, {"y": X}]]), lambda x: 2 * x),
    "x * numbers": (operation("math.multiply", [[*X, {"y": [2, 3.5]}]]), lambda x: x * [2, 3.5]),
    "bias": (
        operation("nn.bias_add", [[*X, {"bias": [1.5, -2.0], "data_format": "NHWC"}]]),
        lambda x: x + np.array([1.5, -2]),
    ),
    "relu6": (operation("nn.relu6", [[*X, {}]]), lambda x: np.clip(x, 0, 6)),
    "cast": (operation("cast", [[*X, {"dtype": "float32"}]]), lambda x: x),
    "clip": (
        operation("clip_by_value", [[*X, {"clip_value_min": 0, "clip_value_max": 1}]]),
        lambda x: np.clip(x, 0, 1),
    ),
    "mean": (
        operation("math.reduce_mean", [[*X, {"axis": [1, 2], "keepdims": True}]]),
        lambda x: x.mean(axis=(1, 2), keepdims=True),
    ),
    "concat": (
        operation("concat", [[[*X, {"axis": -1}], [*X, {"axis": -1}]]]),
        lambda x: np.concatenate([x, x], axis=-1),
    ),
    "RGB to BGR": (
        operation("__operators__.getitem", [[*X, {"slice_spec": REVERSED}]], "SlicingOpLambda"),
        lambda x: x[..., ::-1],
    ),
}


def with_operation(layer: dict[str, Any], path: Path) -> Path:
    keras.utils.set_random_seed(9)
    inputs = keras.Input((6, 6, 2), name="x")
    network = keras.Model(inputs, L.ReLU(name="op")(inputs))

    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1] = layer

    return save_as_keras_2(network, path, change, version="2.9.0")


@pytest.mark.parametrize("case", OPERATIONS)
def test_arithmetic_between_layers(tmp_path: Path, case: str):
    layer, expected = OPERATIONS[case]
    path = with_operation(layer, tmp_path / "net.h5")
    np.testing.assert_allclose(outputs(load_network(path), MAPS), expected(MAPS), rtol=1e-5)


def test_other_operations_are_named(tmp_path: Path):
    path = with_operation(operation("image.resize", [[*X, {"size": [9, 9]}]]), tmp_path / "n.h5")
    with pytest.raises(ModelError, match=r"computes TensorFlow's image\.resize .* in 'op'"):
        load_network(path)
    path = with_operation(operation("x", [], "TensorFlowOpLayer"), tmp_path / "n.h5")
    with pytest.raises(ModelError, match=r"of TensorFlow 2\.3 or older, for arithmetic"):
        load_network(path)


def test_activation_layers_of_that_time(tmp_path: Path):
    path = save_as_keras_2(
        sequence(L.ReLU(), L.LeakyReLU()),
        tmp_path / "net.h5",
        lambda config: config["config"].update(
            layers=[
                {
                    "class_name": "ThresholdedReLU",
                    "config": {"name": "t", "theta": 1.5, "batch_input_shape": [None, 8]},
                },
                {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": 0.1}},
            ]
        ),
    )
    expected = np.where(NUMBERS > 1.5, NUMBERS, 0)
    np.testing.assert_allclose(outputs(load_network(path), NUMBERS), expected, atol=1e-6)
    path = save_as_keras_2(
        sequence(L.LeakyReLU()),
        tmp_path / "net.h5",
        lambda config: config["config"]["layers"][0]["config"].update(alpha=0.1),
    )
    expected = np.where(NUMBERS > 0, NUMBERS, 0.1 * NUMBERS)
    np.testing.assert_allclose(outputs(load_network(path), NUMBERS), expected, atol=1e-6)


def test_a_recurrent_layer_without_a_word_about_its_reset(tmp_path: Path):
    network = sequence(L.Reshape((4, 2)), L.GRU(3, reset_after=False))
    path = save_as_keras_2(
        network,
        tmp_path / "net.h5",
        lambda config: config["config"]["layers"][1]["config"].pop("reset_after"),
    )
    np.testing.assert_allclose(
        outputs(load_network(path), NUMBERS), outputs(network, NUMBERS), rtol=1e-5
    )


def test_what_nobody_can_tell_is_refused(tmp_path: Path):
    network = sequence(L.UpSampling2D(2, interpolation="bilinear"), shape=(6, 6, 2))
    for version in ("2.2.4-tf", "2.2.4"):
        path = save_as_keras_2(network, tmp_path / "net.h5", version=version)
        with pytest.raises(ModelError, match=r"by bilinear interpolation .* as Keras 2\.2\.4 did"):
            load_network(path)
    path = save_as_keras_2(network, tmp_path / "net.h5", version="2.4.0")
    np.testing.assert_allclose(outputs(load_network(path), MAPS), outputs(network, MAPS), 1e-6)


def test_theano_turned_its_kernels(tmp_path: Path):
    convolution = L.Conv2D(3, 3, use_bias=False)
    network = sequence(convolution, shape=(6, 6, 2))
    (kernel,) = convolution.get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(MAPS, (3, 3), axis=(1, 2))
    expected = np.einsum("nyxcij,ijco->nyxo", windows, kernel[::-1, ::-1])
    path = save_as_keras_2(network, tmp_path / "net.h5", backend="theano")
    np.testing.assert_allclose(outputs(load_network(path), MAPS), expected, rtol=1e-4, atol=1e-5)
    network = sequence(L.DepthwiseConv2D(3), shape=(6, 6, 2))
    with pytest.raises(ModelError, match="a DepthwiseConv2D layer that Theano trained"):
        load_network(save_as_keras_2(network, tmp_path / "net.h5", backend="theano"))


def test_a_network_that_is_as_in_training_in_use_is_refused(tmp_path: Path):
    inputs = keras.Input((8,))
    network = keras.Model(inputs, L.Dropout(0.5, name="drop")(inputs))

    def as_in_training(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["inbound_nodes"][0][0][3]["training"] = True

    path = save_as_keras_2(network, tmp_path / "net.h5", as_in_training)
    with pytest.raises(ModelError, match="calls its layer 'drop' with training=True"):
        load_network(path, for_inference=True)
    path = save_as_keras_2(network, tmp_path / "net.h5")
    loaded = load_network(path, for_inference=True)
    np.testing.assert_array_equal(outputs(loaded, NUMBERS), NUMBERS)
    assert not any(isinstance(layer, L.Dropout) for layer in loaded.layers)


def test_augmentation_that_keras_3_has_no_more_is_left_out(tmp_path: Path):
    network = sequence(L.Identity(name="i"), L.Flatten(), L.Dense(2), shape=(6, 6, 2))
    change = renaming("Identity", "RandomHeight")
    path = save_as_keras_2(network, tmp_path / "net.h5", change)
    loaded = load_network(path, for_inference=True)
    np.testing.assert_allclose(outputs(loaded, MAPS), outputs(network, MAPS), rtol=1e-5)
    with pytest.raises(ModelError, match="needs a RandomHeight layer 'i'"):
        load_network(path)


def test_a_crop_outside_training_was_the_middle(tmp_path: Path):
    network = sequence(L.Identity(name="i"), shape=(6, 6, 2))

    def cropped(config: dict[str, Any]) -> None:
        (layer,) = layers_of(config, "Identity")
        layer["class_name"] = "RandomCrop"
        layer["config"] |= {"height": 6, "width": 3}

    path = save_as_keras_2(network, tmp_path / "net.h5", cropped, version="2.9.0")
    loaded = load_network(path, for_inference=True)
    np.testing.assert_allclose(outputs(loaded, MAPS), MAPS[:, :, 1:4], atol=1e-6)


def test_true_reasons(tmp_path: Path):
    network = sequence(L.Dense(3, activation="relu"))
    for change, message in (
        (setting("Dense", activation="crelu_v2"), "activation 'crelu_v2' in its Dense layer"),
        (renaming("Dense", "LocallyConnected2D"), "not part of Keras .* but of an older Keras"),
        (setting("Dense", sparseness=0.5), r"Unrecognized keyword arguments .*sparseness"),
        (setting("Dense", kernel_regularizer={"class_name": "__lambda__"}), "runs code"),
        (setting("Dense", kernel_initializer={"class_name": "Lambda"}), "runs code"),
    ):
        path = save_as_keras_2(network, tmp_path / "net.h5", change)
        with pytest.raises(ModelError, match=message) as caught:
            load_network(path)
        assert "\n" not in str(caught.value) and "config=" not in str(caught.value)


def test_keras_s_own_layer_scale_loads_and_another_does_not(tmp_path: Path):
    from keras.src.applications.convnext import LayerScale

    network = sequence(LayerScale(0.5, 2, name="scale"), shape=(6, 6, 2))
    for path in (
        save(network, tmp_path / "net.keras"),
        save_as_keras_2(network, tmp_path / "net.h5"),
    ):
        np.testing.assert_allclose(outputs(load_network(path), MAPS), outputs(network, MAPS))
    path = save_as_keras_2(network, tmp_path / "net.h5", setting("LayerScale", power=2))
    with pytest.raises(ModelError, match="needs a LayerScale layer 'scale', which is not part"):
        load_network(path)


def test_inception_resnet_adds_a_scaled_branch(tmp_path: Path):
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    inputs = keras.Input((6, 6, 2))
    network = keras.Model(inputs, CustomScaleLayer(0.25)([inputs, L.ReLU()(inputs)]))
    expected = MAPS + 0.25 * np.maximum(MAPS, 0)
    for name in ("net.keras", "net.h5"):
        path = save(network, tmp_path / name)
        np.testing.assert_allclose(outputs(load_network(path), MAPS), expected, rtol=1e-6)


def pair(folder: Path, network: keras.Model, name: str, *, by_layers: bool) -> tuple[Path, Path]:
    """``face.json`` and its weights, as Keras 2 (by layers) or Keras 3 saves them."""
    description, weights = folder / "face.json", folder / name
    if not by_layers:
        description.write_text(network.to_json())
        network.save_weights(folder / "x.weights.h5")
        return description, (folder / "x.weights.h5").rename(weights)
    whole = save_as_keras_2(network, folder / "whole.h5")
    with h5py.File(whole) as source, h5py.File(weights, "w") as target:
        told = {key: source.attrs[key] for key in ("keras_version", "backend")}
        config = json.loads(source.attrs["model_config"]) | told
        for key, value in source["model_weights"].attrs.items():
            target.attrs[key] = value
        for key in source["model_weights"]:
            source.copy(f"model_weights/{key}", target)
    whole.unlink()
    description.write_text(json.dumps(config))
    return description, weights


@pytest.mark.parametrize("by_layers", [True, False])
@pytest.mark.parametrize("name", ["face.h5", "face_weights.hdf5", "face.weights.h5", "best.h5"])
def test_a_description_finds_the_weights_beside_it(tmp_path: Path, name: str, by_layers: bool):
    network = sequence(L.Dense(5, activation="relu"), L.Dense(3, activation="softmax"))
    description, weights = pair(tmp_path, network, name, by_layers=by_layers)
    assert weights_of(description) == weights
    loaded = load_pair(description, weights)
    np.testing.assert_allclose(outputs(loaded, NUMBERS), outputs(network, NUMBERS), rtol=1e-5)
    description.write_text(json.dumps(description.read_text()))  # json.dump(model.to_json(), f)
    loaded = load_pair(description, weights)
    np.testing.assert_allclose(outputs(loaded, NUMBERS), outputs(network, NUMBERS), rtol=1e-5)


def test_a_pair_computes_what_it_computed(tmp_path: Path):
    network = sequence(L.Activation("hard_sigmoid"), L.Dense(2))
    files = pair(tmp_path, network, "face.h5", by_layers=True)
    kernel, bias = network.layers[-1].get_weights()
    np.testing.assert_allclose(outputs(load_pair(*files), NUMBERS), OLD @ kernel + bias, rtol=1e-5)


def test_a_pair_that_is_none_says_how(tmp_path: Path):
    network = sequence(L.Dense(3))
    description, weights = pair(tmp_path, network, "a.h5", by_layers=True)
    (tmp_path / "b.h5").write_bytes(weights.read_bytes())
    with pytest.raises(
        ModelError, match=r"more than one file of weights .* call its weights face\.h5"
    ):
        weights_of(description)
    for path in (weights, tmp_path / "b.h5"):
        path.unlink()
    with pytest.raises(ModelError, match="there are no weights beside it"):
        weights_of(description)
    whole = save(network, tmp_path / "face.h5")
    with pytest.raises(ModelError, match="holds a whole network; name it in place of"):
        load_pair(description, whole)
    _, other = pair(tmp_path, tutorial_cnn(), "other.h5", by_layers=True)
    description.write_text(network.to_json())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_pair(description, other)
    for text, message in (
        ('{"modelTopology": {}, "weightsManifest": []}', "a network of TensorFlow.js"),
        ('{"epochs": 3}', "does not describe a Keras network"),
        ("[1, 2]", "no object"),
        ("{", "not JSON"),
    ):
        description.write_text(text)
        with pytest.raises(ModelError, match=message):
            load_pair(description, other)
