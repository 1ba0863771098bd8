"""Keras files of any origin: what loads, and what is refused before anything is built."""

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from keras_factory import edit_h5, edit_keras, mini_xception, outputs, pictures, save, tutorial_cnn
from mien.errors import ModelError
from mien.formats import keras_files
from mien.formats.keras_files import holds_weights_alone, load_network, load_weights
from mien.formats.keras_words import modernised

L = keras.layers


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.hdf5", "NET.KERAS"])
def test_whole_networks_load(tmp_path: Path, name: str):
    network = mini_xception()
    path = save(network, tmp_path / "net.keras" if "ERAS" in name.upper() else tmp_path / "net.h5")
    path = path.rename(tmp_path / name)
    inputs = pictures((64, 64, 1)) / 255
    np.testing.assert_array_equal(outputs(load_network(path), inputs), outputs(network, inputs))


def test_a_file_is_known_by_its_content(tmp_path: Path):
    path = save(tutorial_cnn(), tmp_path / "net.keras").rename(tmp_path / "net.h5")
    assert load_network(path).output_shape == (None, 7)


def test_what_keras_2_wrote_loads(tmp_path: Path):
    """Arguments and forms that Keras 3 itself refuses in a file of Keras 2."""
    keras.utils.set_random_seed(1)
    base = keras.Sequential(
        [keras.Input((24, 24, 3)), L.DepthwiseConv2D(3), L.BatchNormalization()]
    )
    inputs = keras.Input((24, 24, 3))
    base = keras.Model(inputs, base(inputs), name="base")
    network = keras.Sequential([base, L.SeparableConv2D(4, 3), L.Flatten(), L.Dense(7)])
    network.build((None, 24, 24, 3))
    faces = pictures((24, 24, 3)) / 255
    path = save(network, tmp_path / "net.h5")

    def as_keras_2(config: dict[str, Any]) -> None:
        model = config["config"]["layers"][1]
        assert model["class_name"] == "Functional"
        ends = model["config"]
        for end in ("input_layers", "output_layers"):
            ends[end] = [ends[end]]
        depthwise, normalisation = ends["layers"][1]["config"]["layers"][1:]
        depthwise["config"] |= {"groups": 1, "dtype": {"class_name": "Policy", "config": {}}}
        normalisation["config"]["axis"] = [3]
        first = config["config"]["layers"].pop(0)
        assert first["class_name"] == "InputLayer"
        model["config"]["batch_input_shape"] = [None, 24, 24, 3]
        separable = config["config"]["layers"][1]["config"]
        separable |= {"groups": 1, "kernel_initializer": None, "kernel_regularizer": None}

    edit_h5(path, as_keras_2)
    with pytest.raises(Exception, match=r"quantization_mode|groups|axis|expects"):
        keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(
        outputs(load_network(path), faces), outputs(network, faces), rtol=1e-6
    )


def test_what_keras_1_wrote_loads(tmp_path: Path):
    network = tutorial_cnn()
    path = save(network, tmp_path / "net.h5")
    convolution = {
        "name": "c",
        "batch_input_shape": [None, 24, 24, 1],
        "nb_filter": 4,
        "nb_row": 3,
        "nb_col": 3,
        "border_mode": "valid",
        "subsample": [1, 1],
        "dim_ordering": "tf",
        "init": "glorot_uniform",
        "W_regularizer": None,
        "bias": True,
        "activation": "relu",
    }
    dense = {"name": "d", "output_dim": 7, "input_dim": 100, "init": "uniform"}
    pooling = {"name": "p", "pool_size": [4, 4], "border_mode": "valid", "dim_ordering": "tf"}
    layers = [
        ("Convolution2D", convolution),
        ("MaxPooling2D", pooling),
        ("Dropout", {"name": "o", "p": 0.5}),
        ("Flatten", {"name": "f"}),
        ("Dense", dense | {"activation": "softmax"}),
    ]
    edit_h5(
        path,
        lambda config: {
            "class_name": "Sequential",
            "config": [{"class_name": kind, "config": config} for kind, config in layers],
        },
    )
    faces = pictures((24, 24, 1)) / 255
    np.testing.assert_allclose(outputs(load_network(path), faces), outputs(network, faces), 1e-5)


def test_todays_files_pass_the_modernisation_unchanged():
    for network in (mini_xception(), tutorial_cnn()):
        config = json.loads(network.to_json())
        assert json.loads(keras.Model.to_json(type(network).from_config(network.get_config())))
        renewed = modernised(config)
        rebuilt = keras.models.model_from_json(json.dumps(renewed))
        assert rebuilt.count_params() == network.count_params()


def with_layer(layer: dict[str, Any]) -> Any:
    """Put a layer at the place of a stock one, at whatever depth the file holds it."""
    return lambda config: config["config"]["layers"].insert(1, layer)


MARK = "the_code_has_run"
LAMBDA = {"class_name": "Lambda", "config": {"name": "evil", "function": ["4wEAAAA", None, None]}}
HOSTILE = {
    "lambda": (LAMBDA, "Lambda layer 'evil', which runs code"),
    "nested lambda": (
        {"class_name": "TimeDistributed", "config": {"name": "t", "layer": LAMBDA}},
        "Lambda layer 'evil'",
    ),
    "lambda as activation": (
        {"class_name": "Activation", "config": {"activation": {"class_name": "__lambda__"}}},
        "runs code",
    ),
    "another program's graph": (
        {"class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
        "TFSMLayer layer, which runs code",
    ),
    "any function of any module": (
        {
            "module": "os",
            "class_name": "system",
            "config": {"name": "x"},
            "registered_name": None,
        },
        "needs a system layer 'x', which is not part of Keras",
    ),
    "a function of Keras that downloads": (
        {
            "module": "keras.utils",
            "class_name": "function",
            "config": "get_file",
            "registered_name": "get_file",
        },
        "needs the function 'get_file'",
    ),
    "a layer that reads files": (
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        "may read other files",
    ),
    "a layer of its author": (
        {"class_name": "Attention2000", "config": {"name": "a"}},
        "needs an Attention2000 layer 'a', which is not part of Keras",
    ),
    "a module of another package": (
        {"module": "mien.data", "class_name": "Dense", "config": {}},
        "which is not part of Keras",
    ),
    "a layer too large": (
        {"class_name": "Dense", "config": {"name": "d", "units": 10**9}},
        "units is above",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["net.h5", "net.keras"])
def test_hostile_architectures_are_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, name: str
):
    layer, message = HOSTILE[case]
    path = save(tutorial_cnn(), tmp_path / name)
    (edit_h5 if name.endswith("h5") else edit_keras)(path, with_layer(layer))

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("Keras was asked to build it")

    monkeypatch.setattr(keras.saving, "load_model", never)
    with pytest.raises(ModelError) as caught:
        load_network(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_real_lambda_is_refused(tmp_path: Path):
    network = keras.Sequential([keras.Input((24, 24, 1)), L.Lambda(lambda x: x / 255), L.Flatten()])
    for name in ("net.h5", "net.keras"):
        with pytest.raises(ModelError, match=r"Lambda layer 'lambda.*stock layers"):
            load_network(save(network, tmp_path / name))


def test_how_a_network_was_compiled_is_not_looked_at(tmp_path: Path):
    network = tutorial_cnn()
    network.compile("adam", loss=lambda true, predicted: 0.0)
    path = tmp_path / "net.keras"
    with pytest.warns(UserWarning, match="lambda"):
        network.save(path)
    assert load_network(path).output_shape == (None, 7)


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, (MARK,)


def test_what_is_no_keras_file_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    h5 = save(tutorial_cnn(), tmp_path / "good.h5").read_bytes()
    archive = save(tutorial_cnn(), tmp_path / "good.keras").read_bytes()
    cases = {
        "empty.h5": (b"", "is empty"),
        "text.h5": (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS"),
        "words.h5": (b"these are words", "is not a Keras file"),
        "pickle.h5": (pickle.dumps(Evil()), "is a pickle.*never opened"),
        "cut.h5": (h5[: len(h5) // 2], "is damaged: broken off"),
        "cut.keras": (archive[: len(archive) // 2], "is damaged"),
        "header.h5": (h5[:8] + b"\xff" * 400, "is damaged"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=message):
            load_network(tmp_path / name)
    assert not (tmp_path / MARK).exists()
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as other:
        other.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_network(tmp_path / "other.keras")
    with pytest.raises(ModelError, match="no such model file"):
        load_network(tmp_path / "missing.h5")


def test_a_changed_byte_in_an_archive_is_noticed(tmp_path: Path):
    path = save(tutorial_cnn(), tmp_path / "net.keras")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is damaged"):
        load_network(path)


def test_links_and_foreign_content_of_hdf5_are_refused(tmp_path: Path):
    def broken(change: Any) -> Path:
        path = save(tutorial_cnn(), tmp_path / "net.h5")
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def outside(file: h5py.File) -> None:
        file["model_weights/elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")

    def soft(file: h5py.File) -> None:
        file["model_weights/elsewhere"] = h5py.SoftLink("/model_weights")

    def raw(file: h5py.File) -> None:
        file.create_dataset("raw", (8,), "u1", external=[("/etc/passwd", 0, 8)])

    def huge(file: h5py.File) -> None:
        file.create_dataset("huge", (2**34,), "f4", chunks=(1024,))

    for change, message in (
        (outside, "link to elsewhere"),
        (soft, "link to elsewhere"),
        (raw, "lies in another file"),
        (huge, "more than 2 GiB"),
    ):
        with pytest.raises(ModelError, match=message):
            load_network(broken(change))


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(tutorial_cnn(), tmp_path / "net.keras")
    monkeypatch.setattr(keras_files, "MAX_CONFIG_BYTES", 100)
    with pytest.raises(ModelError, match=r"config\.json would unpack to more than 100 bytes"):
        load_network(path)
    monkeypatch.setattr(keras_files, "MAX_FILE_BYTES", 1000)
    with pytest.raises(ModelError, match="larger than"):
        load_network(path)


@pytest.mark.parametrize("name", ["net.weights.h5", "old.h5"])
def test_weights_alone(tmp_path: Path, name: str):
    network, path = tutorial_cnn(), tmp_path / name
    if name == "old.h5":  # as Keras 1 and 2 save them: the group of a whole file, at the root
        whole = save(network, tmp_path / "whole.h5")
        with h5py.File(whole) as source, h5py.File(path, "w") as target:
            for key, value in source["model_weights"].attrs.items():
                target.attrs[key] = value
            for key in source["model_weights"]:
                source.copy(f"model_weights/{key}", target)
    else:
        network.save_weights(path)
    assert holds_weights_alone(path)
    with pytest.raises(ModelError, match="--architecture NAME"):
        load_network(path)
    copy = keras.models.clone_model(network)
    copy.set_weights([weights * 0 for weights in copy.get_weights()])
    load_weights(path, copy)
    for ours, theirs in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ModelError, match="weights of another network than xception: 747 numbers"):
        load_weights(path, mini_xception())
    with pytest.raises(ModelError, match="holds a whole network"):
        load_weights(save(network, tmp_path / "whole.keras"), network)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize("name", ["net.h5", "net.keras"])
def test_a_network_that_was_never_built_is_one_line(tmp_path: Path, name: str):
    network = keras.Sequential([L.Flatten(), L.Dense(7, activation="softmax")])
    with pytest.raises(ModelError, match="was saved before it was built, so it has no weights"):
        load_network(save(network, tmp_path / name))


@pytest.mark.parametrize(
    ("operation", "called"),
    [
        (lambda x: x + x, "Add"),
        (lambda x: x / 255.0, "TrueDivide"),
        (lambda x: keras.ops.maximum(x, 0.5), "Maximum"),
        (lambda x: keras.ops.reshape(x, (-1, 576)), "Reshape"),
        (lambda x: keras.ops.average(x, axis=-1), "Average"),
        (lambda x: keras.ops.leaky_relu(x), "LeakyRelu"),
        (lambda x: keras.ops.image.resize(x, (8, 8)), "Resize"),
        (lambda x: x[..., ::-1], "GetItem"),
    ],
)
def test_operations_between_layers_load_from_an_archive_alone(
    tmp_path: Path, operation: Callable[[Any], Any], called: str
):
    inputs = keras.Input((24, 24, 1))
    network = keras.Model(inputs, L.Dense(7)(L.Flatten()(operation(inputs))))
    faces = pictures((24, 24, 1)) / 255
    loaded = load_network(save(network, tmp_path / "net.keras"), for_inference=True)
    np.testing.assert_array_equal(outputs(loaded, faces), outputs(network, faces))
    with pytest.raises(ModelError, match=f"computes {called} between its layers, which an HDF5"):
        load_network(save(network, tmp_path / "net.h5"))


@pytest.mark.parametrize("name", ["net.h5", "net.keras"])
def test_bfloat16_becomes_float32(tmp_path: Path, name: str):
    keras.utils.set_random_seed(1)
    network = keras.Sequential(
        [keras.Input((24, 24, 1)), L.Flatten(), L.Dense(7, dtype="bfloat16")]
    )
    weights = [np.asarray(weight, np.float32) for weight in network.get_weights()]
    loaded = load_network(save(network, tmp_path / name))
    assert loaded.compute_dtype == "float32"
    for stored, weight in zip(loaded.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(stored, weight)


@pytest.mark.parametrize(
    "dtype",
    [
        {
            "module": "keras.dtype_policies",
            "class_name": "QuantizedDTypePolicy",
            "config": {"mode": "int8", "source_name": "float32"},
            "registered_name": None,
        },
        "int8_from_float32",
    ],
)
def test_quantized_networks_are_refused_for_that(tmp_path: Path, dtype: Any):
    def quantized(config: dict[str, Any]) -> None:
        config["config"]["layers"][-1]["config"]["dtype"] = dtype

    path = edit_keras(save(tutorial_cnn(), tmp_path / "net.keras"), quantized)
    with pytest.raises(ModelError, match="was quantized by Keras, which is not read; name the"):
        load_network(path)
