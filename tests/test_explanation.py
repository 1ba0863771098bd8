"""Maps of what an answer depends on: they point at what decides, and depend on the network.

The check with randomised weights is that of Adebayo et al., "Sanity checks for saliency maps",
NeurIPS 2018: a map that looks the same for a network that has learned nothing shows the face,
not the network.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.stats import spearmanr

from command_line import assert_fails_on_one_line, mien
from mien.data import read_samples
from mien.errors import DatasetError
from mien.explanation.occlusion import log_odds, occlusion_map
from mien.labels import FER2013
from mien.model.names import resolve_model
from mien.model.sessions import open_session
from mien.preprocessing import to_network_input
from mien.recognition.classifier import Classifier
from mien.reports.explanation import overlay, place_words
from mien.workflows.explaining import explain_data
from onnx_factory import write_model
from samples_factory import fer_csv, random_faces

PHOTO = Path(__file__).resolve().parent.parent / "docs" / "images" / "astronaut.jpg"
SQUARE_PX = 8


def square_faces(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Grey noise (n, 48, 48, 1), half of it with a white square; top and left of each square."""
    generator = np.random.default_rng(seed)
    faces = generator.uniform(40, 160, (n, 48, 48, 1)).astype(np.float32)
    places = generator.integers(0, 48 - SQUARE_PX, (n, 2))
    for face, (top, left) in zip(faces[::2], places[::2], strict=True):
        face[top : top + SQUARE_PX, left : left + SQUARE_PX] = 255
    return faces, places


def hits(maps: NDArray[np.float64], places: NDArray[np.int64], margin_px: int) -> float:
    """Part of the maps whose strongest place lies on the square, or as near as the margin."""
    found = 0
    for values, (top, left) in zip(maps, places, strict=True):
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        reach = -margin_px, SQUARE_PX + margin_px
        found += reach[0] <= row - top < reach[1] and reach[0] <= column - left < reach[1]
    return found / len(maps)


def test_a_place_that_decides_is_found() -> None:
    """The network is one number: the mean of a part of the face."""

    def logits_of(faces: NDArray[np.float32]) -> NDArray[np.float32]:
        value = faces[:, 10:20, 30:40].mean(axis=(1, 2, 3)) / 10
        return np.stack([value, -value], axis=1)

    face = np.full((48, 48, 1), 50, np.float32)
    face[10:20, 30:40] = 250
    values = occlusion_map(logits_of, face, 0)
    assert values.shape == (48, 48)
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    assert 10 <= row < 20 and 30 <= column < 40
    assert values[40:, :15].max() == 0.0
    # What speaks for one of two classes speaks against the other.
    np.testing.assert_allclose(occlusion_map(logits_of, face, 1), -values)


def test_log_odds_are_those_of_the_probabilities() -> None:
    logits = np.array([[1.0, 2.0, -3.0]], np.float32)
    share = np.exp(2.0) / np.exp(logits).sum()
    assert log_odds(logits, 1)[0] == pytest.approx(np.log(share / (1 - share)))
    sure = np.array([[900.0, 0.0, 0.0]], np.float32)
    assert log_odds(sure, 0)[0] == pytest.approx(900 - np.log(2))


def test_colours_say_for_and_against() -> None:
    values = np.zeros((48, 48))
    values[:10], values[-10:] = 2.0, -2.0
    shown = overlay(np.full((48, 48), 128, np.uint8), values).astype(int)
    assert shown.shape == (192, 192, 3)
    assert shown[10, 96, 0] > shown[10, 96, 2] and shown[-10, 96, 2] > shown[-10, 96, 0]
    assert (shown[96, 96] == 128).all()
    assert place_words(np.zeros((4, 4))) == "nothing speaks for it"


def shuffled(model: Path, seed: int) -> bytes:
    """An ONNX network with the values of each of its weights in another order."""
    network = onnx.load(model)
    generator = np.random.default_rng(seed)
    n_shuffled = 0
    for weight in network.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.ndim >= 2 and values.size > 64 and values.dtype.kind == "f":
            mixed = generator.permutation(values.ravel()).reshape(values.shape)
            weight.CopyFrom(numpy_helper.from_array(mixed, weight.name))
            n_shuffled += 1
    assert n_shuffled >= 5
    return network.SerializeToString()


def test_occlusion_maps_depend_on_the_network(shared_folder: Path) -> None:
    model = resolve_model("mien-small")
    classifier = Classifier(model)
    samples = read_samples(shared_folder / "data" / "muxspace" / "faces.zip")
    rows = np.arange(0, len(samples), len(samples) // 10)[:10]
    crops = [samples.images[row] for row in rows.tolist()]
    faces = to_network_input(crops, classifier.card.input)
    labels = classifier.logits(faces).argmax(axis=1)
    truths = [
        occlusion_map(classifier.logits, face, label)
        for face, label in zip(faces, labels.tolist(), strict=True)
    ]
    correlations = []
    for seed in range(2):
        session = open_session(shuffled(model, seed))
        name = session.get_inputs()[0].name

        def random_logits(batch, session=session, name=name):  # type: ignore[no-untyped-def]
            return session.run(None, {name: batch})[0]

        for face, label, true in zip(faces, labels.tolist(), truths, strict=True):
            other = occlusion_map(random_logits, face, label)
            correlations.append(spearmanr(true.ravel(), other.ravel()).statistic)
    assert abs(np.mean(correlations)) < 0.3, correlations
    assert np.mean(np.abs(correlations)) < 0.3, correlations


@pytest.fixture(scope="module")
def squares_network():  # type: ignore[no-untyped-def]
    """A network that learned that a white square is the second class."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for width in (8, 16, 16):
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(inputs, keras.layers.Dense(2)(x))
    network.compile(
        keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    faces, _ = square_faces(400, seed=1)
    labels = 1 - np.arange(400) % 2
    network.fit(faces, labels, batch_size=50, epochs=12, verbose=0)
    right = network.predict(square_faces(100, 2)[0], verbose=0).argmax(axis=1)
    assert (right == 1 - np.arange(100) % 2).mean() >= 0.95
    return network


def test_a_planted_square_is_where_the_maps_point(squares_network) -> None:  # type: ignore[no-untyped-def]
    from mien.explanation.grad_cam import grad_cam

    faces, places = square_faces(60, seed=3)
    faces, places = faces[::2], places[::2]

    def logits_of(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(squares_network(batch))

    maps = np.array([occlusion_map(logits_of, face, 1) for face in faces[:12]])
    assert hits(maps, places[:12], margin_px=2) >= 0.9
    # Its maps have 6 x 6 places of 8 pixels.
    coarse = grad_cam(squares_network, faces, np.ones(len(faces), np.int64))
    assert coarse.shape == (30, 48, 48) and coarse.min() >= 0
    assert hits(coarse, places, margin_px=4) >= 0.9


def test_grad_cam_depends_on_the_network(shared_folder: Path) -> None:
    """A network that reads expressions, and the same with each layer's weights shuffled."""
    pytest.importorskip("keras")
    from mien import zoo
    from mien.explanation.grad_cam import grad_cam
    from mien.training.bundle_weights import load_bundle_weights

    model = resolve_model("mien-small")
    card = Classifier(model).card
    options = card.recipe["architecture_options"]
    network = zoo.build("slim_resnet", card.input, len(card.labels), **options)
    samples = read_samples(shared_folder / "data" / "muxspace" / "faces.zip")
    crops = [samples.images[row] for row in range(0, len(samples), 7)]
    faces = to_network_input(crops, card.input)
    load_bundle_weights(network, model, faces)
    faces = faces[::10]
    labels = np.asarray(network(faces)).argmax(axis=1)
    true = grad_cam(network, faces, labels)
    assert all(values.any() for values in true)
    weights = network.get_weights()
    correlations = []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        network.set_weights([generator.permutation(w.ravel()).reshape(w.shape) for w in weights])
        for one, two in zip(true, grad_cam(network, faces, labels), strict=True):
            if two.any():  # else there is no order to compare
                correlations.append(spearmanr(one.ravel(), two.ravel()).statistic)
    assert len(correlations) >= 40
    assert abs(np.mean(correlations)) < 0.3, correlations


def test_networks_without_maps_are_refused() -> None:
    keras = pytest.importorskip("keras")
    from mien.errors import ModelError
    from mien.explanation.grad_cam import maps_layer

    inputs = keras.Input((48, 48, 1))
    flat = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(inputs)))
    with pytest.raises(ModelError, match="--method occlusion"):
        maps_layer(flat)


def test_a_photo_is_explained(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ("explain", PHOTO, "--model", "mien-tiny", "--detector", "haar", "--out", "why")
    for _ in range(2):
        done = mien(*words, "--expression", "sad", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "happy" in done.stdout and "for sad: occlusion strongest" in done.stdout
    assert "from the top of the crop" in done.stdout
    assert sorted(path.name for path in (tmp_path / "why").iterdir()) == [
        "explanation.html",
        "explanation.json",
        "explanation.md",
        "explanation.png",
    ]
    values = json.loads((tmp_path / "why" / "explanation.json").read_text())
    (face,) = values["faces"]
    assert (face["answer"], face["explained"]) == ("happy", "sad")
    assert np.array(face["maps"]["occlusion"]).shape == (48, 48)
    assert values["classes"] == []


def test_a_photo_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_model(tmp_path / "tiny.onnx")
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    for name in ("1.jpg", "more/2.jpg"):
        (photos / name).write_bytes(PHOTO.read_bytes())
    (photos / "broken.jpg").write_bytes(PHOTO.read_bytes()[:900])
    (photos / "notes.txt").write_text("no photo")
    words = ("--model", "tiny.onnx", "--detector", "whole", "--out", "why")
    done = mien("explain", "photos", "none.jpg", *words, cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert sum("broken.jpg" in line for line in said) == 1
    assert sum("no such file: none.jpg" in line for line in said) == 1
    assert any(".txt" in line for line in said) and "written: why/explanation.html" in said
    assert "2 photos could not be read and are left out" in done.stdout
    values = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert [face["name"] for face in values["faces"]] == ["1.jpg", "2.jpg"]
    # Where nothing is left, nothing is written.
    done = mien("explain", "none.jpg", "photos/broken.jpg", *words[:-1], "w", cwd=tmp_path)
    assert done.returncode == 1 and "none of 2 photos can be read" in done.stderr
    (tmp_path / "empty").mkdir()
    done = mien("explain", "empty", *words[:-1], "w", cwd=tmp_path)
    assert_fails_on_one_line(done, "empty holds no pictures")
    assert not (tmp_path / "w").exists()


def test_the_mouth_speaks_for_a_smile() -> None:
    import mien as package

    result = package.explain(PHOTO, detector="haar", offline=True)
    values = result.faces[0].maps["occlusion"]
    assert values[30:].mean() > values[:24].mean()
    row, _ = np.unravel_index(int(values.argmax()), values.shape)
    assert row > 28


def test_a_data_set_has_a_mean_map_for_each_class(tmp_path: Path, shared_folder: Path) -> None:
    pytest.importorskip("matplotlib")
    data = shared_folder / "data" / "muxspace" / "faces.zip"
    words = ("explain", "--data", data, "--split", "test", "--model", "mien-tiny")
    done = mien(*words, "--faces-per-class", "2", "--out", "why", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert len(values["classes"]) >= 6 and values["faces"] == []
    assert {part["n"] for part in values["classes"]} <= {1, 2}


def test_classes_without_a_face_that_is_right_are_named(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    faces = random_faces(7)
    answers = Classifier(tmp_path / "tiny.onnx").probabilities(faces).argmax(axis=1)
    labels = [int(answers[0])] * 4 + [int(answers[0] + 1) % 7] * 3
    (tmp_path / "f.csv").write_bytes(fer_csv(faces, labels, ["PublicTest"] * 7))
    lines = explain_data(tmp_path / "f.csv", model=tmp_path / "tiny.onnx").lines
    right = {FER2013.keys[one] for one, label in zip(answers, labels, strict=True) if one == label}
    without = [key for key in FER2013.keys if key not in right]
    assert f"Without such a face, and so without a map: {', '.join(without)}." in lines
    assert not any("(1 faces)" in line for line in lines)


def test_a_split_without_rows_is_told_with_those_that_have_some(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    usages = ["Training"] * 5 + ["PrivateTest"] * 2
    (tmp_path / "f.csv").write_bytes(fer_csv(random_faces(7), list(range(7)), usages))
    with pytest.raises(DatasetError, match=r"no split validation; .*: train \(5\), test \(2\)$"):
        explain_data(tmp_path / "f.csv", model=tmp_path / "tiny.onnx")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    (tmp_path / "broken.jpg").write_bytes(PHOTO.read_bytes()[:900])
    (tmp_path / "why").mkdir()
    (tmp_path / "why" / "mine.txt").write_text("x")
    base = ("explain", PHOTO, "--model", "tiny.onnx", "--detector", "whole", "--out")
    assert_fails_on_one_line(mien(*base, "why", cwd=tmp_path), "other files")
    done = mien(*base, "w", "--method", "grad-cam", cwd=tmp_path)
    assert_fails_on_one_line(done, "no gradients", "--method occlusion")
    done = mien(*base, "w", "--expression", "hapy", cwd=tmp_path)
    assert_fails_on_one_line(done, "did you mean happy")
    done = mien("explain", "broken.jpg", "--detector", "whole", "--out", "w", cwd=tmp_path)
    assert_fails_on_one_line(done, "broken.jpg")
    assert mien("explain", cwd=tmp_path).returncode == 2
    both = mien("explain", PHOTO, "--data", "x", cwd=tmp_path)
    assert both.returncode == 2 and "not both in one run" in both.stderr
    assert not (tmp_path / "w").exists()
