"""Networks as files for other programs: each loads there, agrees, and says what it is."""

import errno
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from keras_factory import mini_xception, outputs, pictures
from mien import zoo
from mien.errors import ModelError, OutputError, ParityError
from mien.formats import saving, writers
from mien.formats.foreign import Reading, adopt
from mien.formats.saving import FORMATS, check_name, default_output, export_to
from mien.labels import FER2013
from mien.model.card import ModelCard
from mien.model.network import softmax
from mien.recognition.classifier import Classifier
from mien.training.opening import open_network

FACES = pictures((48, 48), 6)
OPTIONS = {"stem": 4, "widths": [4, 8], "depths": [1, 1]}
CARD = ModelCard(
    name="tiny",
    architecture="slim_resnet",
    labels=FER2013.keys,
    input_shape=(48, 48, 1),
    framing="fer2013",
    recipe={"architecture_options": OPTIONS},
)
OUTPUTS = {
    "onnx": "m.onnx",
    "litert": "m.tflite",
    "saved-model": "m",
    "keras": "m.keras",
    "h5": "m.h5",
}


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(5)
    spec = zoo.ARCHITECTURES["slim_resnet"].default_input
    network = zoo.build("slim_resnet", spec, 7, **OPTIONS)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta + 0.1, mean + 0.2, variance * 0.5])
    return network


@pytest.fixture(scope="module")
def exported(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exported")
    paths = {name: folder / file for name, file in OUTPUTS.items()}
    for name, path in paths.items():
        parity = export_to(name, network, CARD, FACES, path)
        assert parity.faces == len(FACES)
        assert parity.largest_difference <= 1e-4
    paths["weights"] = folder / "m.weights.h5"
    export_to("keras", network, CARD, FACES, paths["weights"], weights_only=True)
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths.values()}
    return paths


def expected(network: keras.Model) -> np.ndarray:
    return outputs(network, FACES[..., np.newaxis])


def check_card(text: str | bytes) -> None:
    card = ModelCard.from_json(text if isinstance(text, str) else text.decode())
    assert replace(card, golden=()) == CARD
    assert len(card.golden) == 3


def test_plain_keras_loads_the_keras_files(exported: dict[str, Path], network: keras.Model):
    for name in ("keras", "h5"):
        loaded = keras.saving.load_model(exported[name], compile=False)
        inputs = FACES[..., np.newaxis]
        np.testing.assert_array_equal(outputs(loaded, inputs), expected(network))
    copy = keras.models.clone_model(network)
    copy.load_weights(exported["weights"])
    np.testing.assert_array_equal(outputs(copy, FACES[..., np.newaxis]), expected(network))


def test_tensorflow_runs_the_saved_model(exported: dict[str, Path], network: keras.Model):
    import tensorflow

    loaded = tensorflow.saved_model.load(str(exported["saved-model"]))
    logits = loaded.serve(FACES[..., np.newaxis].astype(np.float32)).numpy()
    np.testing.assert_allclose(softmax(logits), softmax(expected(network)), atol=1e-5)


def test_litert_runs_one_face_and_many(exported: dict[str, Path], network: keras.Model):
    inputs = FACES[..., np.newaxis].astype(np.float32)
    for n in (1, 6):
        logits = writers.run_litert(exported["litert"], network, inputs[:n])
        np.testing.assert_allclose(softmax(logits), softmax(expected(network)[:n]), atol=1e-5)


def test_every_file_holds_its_card_and_its_classes(exported: dict[str, Path]):
    check_card(Classifier(exported["onnx"]).card.to_json())
    labels = "\n".join(CARD.labels) + "\n"
    with zipfile.ZipFile(exported["litert"]) as archive:
        assert sorted(archive.namelist()) == ["labels.txt", "mien.card.json"]
        check_card(archive.read("mien.card.json"))
        assert archive.read("labels.txt").decode() == labels
    extra = exported["saved-model"] / "assets.extra"
    check_card((extra / "mien.card.json").read_text())
    assert (extra / "labels.txt").read_text() == labels
    with zipfile.ZipFile(exported["keras"]) as archive:
        check_card(archive.read("mien.card.json"))
    for name in ("h5", "weights"):
        with h5py.File(exported[name]) as file:
            check_card(file.attrs["mien.card"])


@pytest.mark.parametrize("name", ["keras", "h5", "weights"])
def test_a_file_with_a_card_needs_no_words(
    exported: dict[str, Path], network: keras.Model, name: str
):
    opened = open_network(exported[name])
    assert replace(opened.card, golden=()) == CARD
    inputs = FACES[..., np.newaxis]
    np.testing.assert_array_equal(outputs(opened.network, inputs), expected(network))
    with pytest.raises(ModelError, match=r"leave out --labels.*it carries its card"):
        open_network(exported[name], Reading(scaling="0..1"))


def test_a_file_that_contradicts_its_card_is_refused(exported: dict[str, Path], tmp_path: Path):
    card = ModelCard.from_json(h5py.File(exported["h5"]).attrs["mien.card"])
    for text, message in (
        (replace(card, golden=card.golden[::-1]).to_json(), "probabilities that its card expects"),
        (replace(card, golden=()).to_json(), "probabilities that its card expects"),
        (replace(card, input_shape=(64, 64, 1)).to_json(), "contradicts its card"),
        ("{", "card is damaged"),
    ):
        path = tmp_path / "m.h5"
        path.write_bytes(exported["h5"].read_bytes())
        with h5py.File(path, "r+") as file:
            file.attrs["mien.card"] = text
        with pytest.raises(ModelError, match=message):
            open_network(path)
    other = replace(card, architecture="unheard_of").to_json()
    path = tmp_path / "m.weights.h5"
    path.write_bytes(exported["weights"].read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["mien.card"] = other
    with pytest.raises(ModelError, match="weights of unheard_of, which mien does not have"):
        open_network(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_disagrees_is_not_left(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """The older file stays; of the new one nothing is left."""
    out = tmp_path / OUTPUTS[name]
    if FORMATS[name].suffixes:
        out.write_bytes(b"older")

    def run_wrongly(path: Path, original: keras.Model, inputs: np.ndarray) -> np.ndarray:
        assert path.exists() and path.parent == tmp_path and path != out
        return expected(network)[::-1]

    wrong = replace(FORMATS[name], make=saving.FORMATS["keras"].make, run=run_wrongly)
    monkeypatch.setitem(saving.FORMATS, name, wrong)
    with pytest.raises(ParityError, match=r"differ.*nothing was written"):
        export_to(name, network, CARD, FACES, out)
    left = [(path.name, path.read_bytes()) for path in tmp_path.iterdir()]
    assert left == ([(out.name, b"older")] if FORMATS[name].suffixes else [])


def test_a_file_that_does_not_load_is_not_left(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(network: keras.Model, card: ModelCard, folder: Path) -> Path:
        path = writers.make_keras(network, card, folder)
        path.write_bytes(path.read_bytes()[:5000])
        return path

    monkeypatch.setitem(saving.FORMATS, "keras", replace(FORMATS["keras"], make=broken))
    with pytest.raises(ParityError, match=r"cannot be used.*damaged"):
        export_to("keras", network, CARD, FACES, tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_clear_line(
    network: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(saving.shutil, "copyfile", full)
    with pytest.raises(OutputError, match=r"cannot write .*m\.keras: No space left on device"):
        export_to("keras", network, CARD, FACES, tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_a_foreign_network_is_exported_under_the_contract(tmp_path: Path):
    foreign, card = adopt(
        mini_xception(), Path(__file__), Reading(labels=FER2013.keys, scaling="-1..1")
    )
    faces = pictures((64, 64), 4)
    wanted = outputs(foreign, faces[..., np.newaxis])
    for name in ("keras", "h5"):
        out = tmp_path / OUTPUTS[name]
        export_to(name, foreign, card, faces, out)
        opened = open_network(out)
        np.testing.assert_array_equal(outputs(opened.network, faces[..., np.newaxis]), wanted)
        assert json.loads(opened.card.to_json())["recipe"]["scaling"] == "-1..1"


def test_names_fit_formats():
    for name, file in OUTPUTS.items():
        check_name(name, Path(file))
    for name, file in (("h5", "m.keras"), ("keras", "m.h5"), ("litert", "m")):
        with pytest.raises(OutputError, match="must end in"):
            check_name(name, Path(file))
    with pytest.raises(OutputError, match="add --weights-only"):
        check_name("h5", Path("m.weights.h5"))
    with pytest.raises(OutputError, match=r"must end in \.weights\.h5"):
        check_name("h5", Path("m.h5"), weights_only=True)


def test_default_names(tmp_path: Path):
    run = {name: default_output(name, tmp_path).name for name in OUTPUTS}
    assert run == {
        "onnx": "model.onnx",
        "litert": "model.tflite",
        "saved-model": "saved_model",
        "keras": "model.keras",
        "h5": "model.h5",
    }
    file = tmp_path / "face.v2.hdf5"
    assert default_output("h5", file) == tmp_path / "face.v2.h5"
    assert default_output("saved-model", file) == tmp_path / "face.v2_saved_model"
    assert default_output("h5", file, weights_only=True) == tmp_path / "face.v2.weights.h5"
    weights = tmp_path / "face.v2.weights.h5"
    assert default_output("onnx", weights) == tmp_path / "face.v2.onnx"


def test_no_faces_no_export(network: keras.Model, tmp_path: Path):
    with pytest.raises(ModelError, match="real faces"):
        export_to("keras", network, CARD, [], tmp_path / "m.keras")


def test_what_a_format_cannot_hold_is_told(tmp_path: Path):
    inputs = keras.Input((48, 48, 1))
    network = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(inputs / 255.0)))
    with pytest.raises(ModelError, match=r"it computes TrueDivide between its .*to keras$"):
        export_to("h5", network, CARD, FACES, tmp_path / "m.h5")
    assert not list(tmp_path.iterdir())
    assert export_to("keras", network, CARD, FACES, tmp_path / "m.keras").faces == len(FACES)
