"""Classifiers of other programs under mien's contract."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from keras_factory import mini_xception, outputs, pictures, save, tutorial_cnn
from mien.cli.model_argument import Scaling
from mien.errors import ModelError
from mien.formats.bundle import PARITY_TOLERANCE, to_bundle
from mien.formats.foreign import SCALINGS, Reading, adopt
from mien.labels import FER2013, FERPLUS
from mien.recognition.classifier import Classifier, softmax
from mien.training.opening import open_network

L = keras.layers
KEYS = FER2013.keys
FILE = Path(__file__)


def reading(scaling: str = "0..1", **changes: Any) -> Reading:
    return Reading(**{"labels": KEYS, "scaling": scaling, **changes})


def by_hand(scaling: str, faces: np.ndarray) -> np.ndarray:
    """What people write before `predict`, in the words of their tutorials."""
    x = faces.astype(np.float64)
    if scaling == "0..1":
        return x / 255
    if scaling == "-1..1":
        return (x / 255 - 0.5) * 2
    if scaling in ("imagenet", "caffe"):
        mode = {"imagenet": "torch", "caffe": "caffe"}[scaling]
        return keras.applications.imagenet_utils.preprocess_input(x, mode=mode)
    return x


def test_the_command_line_offers_every_scaling():
    assert {scaling.value for scaling in Scaling} == set(SCALINGS)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("channels", [1, 3])
def test_scaling_is_that_of_the_tutorials(scaling: str, channels: int):
    network = tutorial_cnn(channels)
    faces = pictures((24, 24, channels))
    if scaling in ("imagenet", "caffe") and channels == 1:
        with pytest.raises(ModelError, match=f"--scaling {scaling} is for RGB networks"):
            adopt(network, FILE, reading(scaling))
        return
    expected = outputs(network, by_hand(scaling, faces))
    adopted, card = adopt(network, FILE, reading(scaling))
    np.testing.assert_allclose(softmax(outputs(adopted, faces)), expected, atol=2e-6)
    assert card.input_shape == (24, 24, channels)
    assert card.recipe["scaling"] == scaling
    assert card.recipe["source_sha256"] == hashlib.sha256(FILE.read_bytes()).hexdigest()


def nested(x: Any) -> Any:
    inside = keras.Input(x.shape[1:])
    return keras.Model(inside, L.Dense(7, activation="softmax")(inside), name="head")(x)


ENDS = {
    "softmax of the last Dense": lambda x: L.Dense(7, activation="softmax")(x),
    "Activation": lambda x: L.Activation("softmax")(L.Dense(7)(x)),
    "Softmax": lambda x: L.Softmax()(L.Dense(7)(x)),
    "Flatten after the softmax": lambda x: L.Flatten()(L.Dense(7, activation="softmax")(x)),
    "a network in the network": nested,
}


@pytest.mark.parametrize("end", ENDS)
def test_the_softmax_is_taken_off(end: str):
    network = tutorial_cnn(end=ENDS[end])
    faces = pictures((24, 24, 1))
    expected = outputs(network, faces / 255)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    adopted, card = adopt(network, FILE, reading())
    logits = outputs(adopted, faces)
    assert not np.allclose(logits.sum(axis=1), 1, atol=1e-2)
    np.testing.assert_allclose(softmax(logits), expected, atol=2e-6)
    _, parity = to_bundle(adopted, card, list(faces[..., 0]))
    assert parity.largest_difference <= PARITY_TOLERANCE


def test_logits_stay_logits():
    network = tutorial_cnn(end=lambda x: L.Dense(7)(x))
    faces = pictures((24, 24, 1))
    expected = outputs(network, faces / 255)
    np.testing.assert_allclose(outputs(adopt(network, FILE, reading())[0], faces), expected, 1e-4)


def shared_softmax(x: Any) -> Any:
    layer = L.Activation("softmax")
    return layer(L.Dense(7)(layer(x)))


NO_CLASSIFIERS = {
    "sigmoid": (lambda x: L.Dense(7, activation="sigmoid")(x), "ends in sigmoid; expected"),
    "another layer": (
        lambda x: L.UnitNormalization()(L.Dense(7)(x)),
        "ends in a UnitNormalization layer",
    ),
    "probabilities": (
        lambda x: (
            L.Dense(7, kernel_initializer="ones", name="sum")(
                L.Activation("softmax")(L.Dense(7)(x))
            )
            / 7
        ),
        "ends in a",
    ),
    "one softmax used twice": (shared_softmax, "uses its last softmax for more than its output"),
    "one output": (lambda x: L.Dense(1, activation="sigmoid")(x), r"gives \(n, 1\)"),
    "a picture": (lambda x: L.Reshape((10, 10))(x), r"gives \(n, 10, 10\)"),
}


@pytest.mark.parametrize("case", NO_CLASSIFIERS)
def test_what_is_no_classifier_is_refused(case: str):
    end, message = NO_CLASSIFIERS[case]
    with pytest.raises(ModelError, match=message):
        adopt(tutorial_cnn(end=end), FILE, reading())


def test_what_was_not_said_is_asked_for_with_what_the_file_has():
    for said, message in (
        (Reading(), r"takes grey faces of 24x24 pixels and has 7 outputs; which classes.*--labels"),
        (Reading(labels=KEYS), r"24x24 pixels and has 7 outputs; how it wants.*0\.\.255, 0\.\.1"),
        (reading(labels=KEYS[:6]), "7 outputs, but --labels names 6 classes"),
        (reading(labels=(*KEYS[:6], "hangry")), "unknown class 'hangry'; known: angry"),
        (reading(labels=(*KEYS[:6], "joy")), "names happy twice"),
        (reading(scaling="0..2"), r"no scaling '0..2'"),
        (reading(side_px=48), "faces of 24x24 pixels only; leave out --input-size 48"),
    ):
        with pytest.raises(ModelError, match=message) as caught:
            adopt(tutorial_cnn(), FILE, said)
        assert "\n" not in str(caught.value)


def test_labels_are_known_by_synonym_and_stay_in_order():
    names = (*("Surprised", " happiness", "ANGER", "neutrality", "scared", "disgusted", "sadness"),)
    _, card = adopt(tutorial_cnn(), FILE, reading(labels=names))
    assert card.labels == tuple(FERPLUS[FERPLUS.index(name)].key for name in names)
    assert card.labels[0] == FER2013[5].key


def test_an_open_size_is_asked_for_or_48():
    assert adopt(mini_xception(None), FILE, reading())[1].input_shape == (48, 48, 1)
    assert adopt(mini_xception(None), FILE, reading(side_px=64))[1].input_shape == (64, 64, 1)


def test_other_inputs_are_refused():
    def network(*shape: int | None, batch: int | None = None) -> keras.Model:
        inputs = keras.Input(batch_shape=(batch, *shape))
        return keras.Model(inputs, L.Dense(7, activation="softmax")(L.Flatten()(inputs)))

    for bad, message in (
        (network(24), r"takes \(n, 24\); expected \(n, height, width, 1 or 3\)"),
        (network(24, 24, 4), r"takes \(n, 24, 24, 4\)"),
        (network(1, 24, 24), "channels-first"),
        (network(24, 24, 1, batch=4), "takes 4 pictures at a time"),
    ):
        with pytest.raises(ModelError, match=message):
            adopt(bad, FILE, reading())


def test_a_file_from_disk_to_a_classifier(tmp_path: Path):
    network = mini_xception()
    faces = pictures((64, 64))
    expected = outputs(network, by_hand("-1..1", faces[..., np.newaxis]))
    path = save(network, tmp_path / "face.h5")
    opened = open_network(path, reading("-1..1"))
    bundle, _ = to_bundle(opened.network, opened.card, list(faces))
    classifier = Classifier(bundle)
    np.testing.assert_allclose(classifier.probabilities(faces), expected, atol=1e-5)
    assert classifier.card.name == "face"
    with pytest.raises(ModelError, match="whole network; leave out --architecture"):
        open_network(path, reading(architecture="plain_cnn"))


def test_weights_alone_need_an_architecture_of_the_zoo(tmp_path: Path):
    from mien import zoo

    keras.utils.set_random_seed(2)
    spec = zoo.ARCHITECTURES["slim_resnet"].default_input
    network = zoo.build("slim_resnet", spec, 7)
    path = tmp_path / "net.weights.h5"
    network.save_weights(path)
    opened = open_network(path, Reading(labels=KEYS, architecture="slim_resnet"))
    faces = pictures((48, 48, 1), 2)
    np.testing.assert_array_equal(outputs(opened.network, faces), outputs(network, faces))
    assert opened.card.architecture == "slim_resnet"
    for said, message in (
        (Reading(labels=KEYS), "name it with --architecture: .*slim_resnet"),
        (Reading(labels=KEYS, architecture="lenet"), "no architecture 'lenet'; known"),
        (Reading(architecture="slim_resnet"), "name them in order with --labels"),
        (reading("0..1", architecture="slim_resnet"), "scales its input itself"),
        (Reading(labels=KEYS[:6], architecture="slim_resnet"), "weights of another network"),
    ):
        with pytest.raises(ModelError, match=message):
            open_network(path, said)
