"""Classifiers of other programs under mien's contract."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from keras_factory import edit_keras, mini_xception, outputs, pictures, save, tutorial_cnn
from mien.cli.model_argument import Scaling
from mien.errors import ModelError, ParityError
from mien.formats.bundle import PARITY_TOLERANCE, to_bundle
from mien.formats.foreign import SCALINGS, Reading, adopt
from mien.formats.saving import export_to
from mien.labels import FER2013, FERPLUS
from mien.model.network import softmax
from mien.recognition.classifier import Classifier
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


def nested(x: Any, last: Any = None) -> Any:
    inside = keras.Input(x.shape[1:])
    end = L.Dense(7)(inside)
    return keras.Model(inside, (last or L.Activation("softmax"))(end), name="head")(x)


ENDS = {
    "softmax of the last Dense": lambda x: L.Dense(7, activation="softmax")(x),
    "Activation": lambda x: L.Activation("softmax")(L.Dense(7)(x)),
    "Softmax": lambda x: L.Softmax()(L.Dense(7)(x)),
    "Flatten after the softmax": lambda x: L.Flatten()(L.Dense(7, activation="softmax")(x)),
    "a network in the network": nested,
    "a network that ends in a Softmax layer": lambda x: nested(x, L.Softmax()),
    "Reshape after a Softmax layer": lambda x: L.Reshape((7,))(L.Softmax()(L.Dense(7)(x))),
    "a cast to float32": lambda x: L.Activation("linear", dtype="float32")(
        L.Dense(7, activation="softmax")(x)
    ),
    "a cast of a Softmax layer": lambda x: keras.ops.cast(L.Softmax()(L.Dense(7)(x)), "float32"),
    "Identity and Dropout": lambda x: L.Identity()(
        L.Dropout(0.5)(L.Dense(7, activation="softmax")(x))
    ),
    "a function": lambda x: keras.ops.softmax(L.Dense(7)(x)),
    "the mean of two heads": lambda x: L.Average()(
        [L.Dense(7, activation="softmax")(x), L.Dense(7, activation="softmax")(x)]
    ),
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


def test_a_network_that_rounding_decides_is_refused_for_that():
    inputs = keras.Input((24, 24, 1))
    x = L.Activation("sigmoid")(L.Dense(7)(L.Flatten()(L.Rescaling(1 / 255)(inputs))))
    for _ in range(60):  # the logistic map, which doubles every difference
        x = 4.0 * x * (1.0 - x)
    network = keras.Model(inputs, L.Activation("softmax")(x))
    adopted, card = adopt(network, FILE, reading("0..255"))
    with pytest.raises(ParityError, match=r"rounding.* up to"):
        to_bundle(adopted, card, list(pictures((24, 24, 1))[..., 0]))


@pytest.mark.parametrize("what", ["input", "output"])
def test_inputs_and_outputs_in_a_dict_are_named(what: str):
    inputs = keras.Input((24, 24, 1), name="face")
    output = L.Dense(7)(L.Flatten()(inputs))
    ends = ({"face": inputs}, output) if what == "input" else (inputs, {"face": output})
    with pytest.raises(ModelError, match=rf"has its {what} in a dict \(face\)"):
        adopt(keras.Model(*ends), FILE, reading())


def test_logits_stay_logits():
    network = tutorial_cnn(end=lambda x: L.Dense(7)(x))
    faces = pictures((24, 24, 1))
    expected = outputs(network, faces / 255)
    np.testing.assert_allclose(outputs(adopt(network, FILE, reading())[0], faces), expected, 1e-4)


def test_log_probabilities_are_logits():
    network = tutorial_cnn(end=lambda x: L.Dense(7, activation="log_softmax")(x))
    faces = pictures((24, 24, 1))
    expected = np.exp(outputs(network, faces / 255))
    adopted, _ = adopt(network, FILE, reading())
    np.testing.assert_allclose(softmax(outputs(adopted, faces)), expected, atol=2e-6)


def test_the_mean_of_two_heads_may_be_saved(tmp_path: Path):
    network = tutorial_cnn(end=ENDS["the mean of two heads"])
    faces = pictures((24, 24, 1))
    expected = outputs(network, faces / 255)
    adopted, card = adopt(network, FILE, reading())
    path = tmp_path / "net.keras"
    export_to("keras", adopted, card, list(faces[..., 0]), path)
    again = outputs(open_network(path).network, faces)
    np.testing.assert_allclose(softmax(again), expected, atol=2e-6)
    with pytest.raises(ModelError, match=r"computes Maximum .* HDF5 .* export it to keras$"):
        export_to("h5", adopted, card, list(faces[..., 0]), tmp_path / "net.h5")


def shared_softmax(x: Any) -> Any:
    layer = L.Activation("softmax")
    return layer(L.Dense(7)(layer(x)))


NO_CLASSIFIERS = {
    "sigmoid": (lambda x: L.Dense(7, activation="sigmoid")(x), "ends in sigmoid; expected"),
    "another layer": (
        lambda x: L.UnitNormalization()(L.Dense(7)(x)),
        "ends in a UnitNormalization layer",
    ),
    "a function that is no softmax": (
        lambda x: keras.ops.square(L.Dense(7)(x)),
        "ends in a Square layer",
    ),
    "sigmoid of sigmoids, cast": (
        lambda x: L.Activation("linear")(L.Dense(7, activation="sigmoid")(x)),
        "ends in sigmoid; expected",
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


def test_faces_without_a_channel_or_as_one_row():
    faces = pictures((24, 24, 1))
    for shape in ((24, 24), (576,)):
        keras.utils.set_random_seed(7)
        inputs = keras.Input(shape)
        network = keras.Model(inputs, L.Dense(7, activation="softmax")(L.Flatten()(inputs)))
        expected = outputs(network, faces.reshape(-1, *shape) / 255)
        adopted, card = adopt(network, FILE, reading())
        assert card.input_shape == (24, 24, 1)
        np.testing.assert_allclose(softmax(outputs(adopted, faces)), expected, atol=2e-6)


def augmented(before: Any) -> keras.Model:
    """A network of 24 x 24 with layers before its convolution."""
    keras.utils.set_random_seed(12)
    inputs = keras.Input((24, 24, 3))
    x = L.Conv2D(4, 3, groups=1)(before(inputs))
    x = L.BatchNormalization(moving_mean_initializer="ones")(x)
    x = L.GlobalAveragePooling2D()(L.Activation("gelu")(x))
    return keras.Model(inputs, L.Dense(7, activation="softmax")(x))


def random_pictures(x: Any) -> Any:
    for layer in (
        *(L.RandomFlip(), L.RandomRotation(0.2), L.RandomZoom(0.2), L.RandomContrast(0.2)),
        *(L.RandomTranslation(0.1, 0.1), L.RandomErasing(), L.GaussianNoise(0.5)),
        *(L.GaussianDropout(0.4), L.SpatialDropout2D(0.4), L.AlphaDropout(0.4)),
        *(L.Pipeline([L.RandomFlip(), L.RandomShear(0.1)]), L.ActivityRegularization(0.1)),
        keras.Sequential([L.RandomFlip(), L.RandomBrightness(0.2)]),
    ):
        x = layer(x)
    return x


def normalised(x: Any) -> Any:
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(3).normal([90, 100, 120], [50, 60, 70], (20, 24, 24, 3)))
    return layer(x)


BEFORE = {
    "layers that act in training only": random_pictures,
    "Normalization": normalised,
    "Normalization by numbers": lambda x: L.Normalization(
        mean=[90.0, 100.0, 120.0], variance=[2500.0, 3600.0, 4900.0]
    )(x),
    "numbers of 200 values": lambda x: (
        (x - np.random.default_rng(5).uniform(50, 60, (24, 24, 3)).astype(np.float32)) / 60
    ),
    "a convolution in groups": lambda x: L.Conv2D(6, 3, groups=3)(x / 255),
    "a Pipeline": lambda x: L.Pipeline([L.Rescaling(1 / 90), L.RandomFlip()])(x),
    "a fixed batch": lambda x: x / 255,
}


@pytest.mark.parametrize("case", BEFORE)
def test_what_stands_before_the_first_convolution(tmp_path: Path, case: str):
    network = augmented(BEFORE[case])
    if case == "a fixed batch":
        fixed = keras.Input((24, 24, 3), batch_size=8)
        network = keras.Model(fixed, network(fixed))
    faces = pictures((24, 24, 3), 8)
    expected = np.asarray(network(faces.astype(np.float32), training=False))
    assert expected.std(axis=0).max() > 1e-4
    path = save(network, tmp_path / "net.keras")
    opened = open_network(path, reading("0..255"))
    bundle, parity = to_bundle(opened.network, opened.card, list(faces))
    assert parity.largest_difference <= PARITY_TOLERANCE
    np.testing.assert_allclose(Classifier(bundle).probabilities(faces), expected, atol=1e-5)
    random = [layer for layer in opened.network.layers if type(layer).__name__.startswith("Rand")]
    assert not random


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_the_means_of_a_base_network_are_read_back(tmp_path: Path, name: str):
    """Out of HDF5, Keras leaves a Normalization in a network within the network at 0 and 1."""
    base = augmented(BEFORE["Normalization"])
    inputs = keras.Input((24, 24, 3))
    network = keras.Model(inputs, base(inputs))
    faces = pictures((24, 24, 3))
    expected = outputs(network, faces)
    opened = open_network(save(network, tmp_path / name), reading("0..255"))
    np.testing.assert_allclose(softmax(outputs(opened.network, faces)), expected, atol=2e-6)
    with pytest.raises(ModelError, match="has no h5 form: Keras does not read the means"):
        export_to("h5", opened.network, opened.card, list(faces), tmp_path / "out.h5")


def test_what_keras_cannot_compute_is_one_clear_line(tmp_path: Path):
    network = augmented(lambda x: L.UpSampling2D(2)(x))
    path = save(network, tmp_path / "net.keras")
    edit_keras(
        path,
        lambda config: config["config"]["layers"][1]["config"].update(interpolation="mitchell"),
    )
    with pytest.raises(ModelError, match=r"cannot be (loaded|computed): .*interpolation") as caught:
        open_network(path, reading("0..255"))
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_description_opens_with_the_weights_beside_it(tmp_path: Path):
    network = tutorial_cnn()
    faces = pictures((24, 24, 1))
    expected = outputs(network, faces / 255)
    (tmp_path / "face.json").write_text(network.to_json())
    network.save_weights(tmp_path / "face.weights.h5")
    opened = open_network(tmp_path / "face.json", reading())
    np.testing.assert_allclose(softmax(outputs(opened.network, faces)), expected, atol=2e-6)
    # What is exported must not replace the weights.
    assert opened.path == tmp_path / "face.weights.h5"
    weights = (tmp_path / "face.weights.h5").read_bytes()
    assert opened.card.recipe["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert opened.card.name == "face"
    with pytest.raises(ModelError, match="says its architecture; leave out --architecture"):
        open_network(tmp_path / "face.json", reading(architecture="plain_cnn"))
    with pytest.raises(ModelError, match=r"open the \.json that describes it"):
        open_network(tmp_path / "face.weights.h5", reading())


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
