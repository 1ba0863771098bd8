from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import mien
from mien.errors import ModelError
from mien.labels import FER2013, FERPLUS
from mien.model.network import softmax
from mien.preprocessing import MAX_BATCH
from mien.recognition.classifier import Classifier
from onnx_factory import make_card, make_graph, make_model_bytes, with_card, write_model
from picture_factory import gradient, noise


@pytest.fixture(scope="module")
def classifier():
    return Classifier(make_model_bytes())


def test_from_path_string_and_bytes(tmp_path):
    path = write_model(tmp_path / "tiny.onnx")
    rows = [
        Classifier(model).probabilities([gradient()])
        for model in (path, str(path), path.read_bytes())
    ]
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[0], rows[2])


def test_card_and_labels(classifier):
    assert classifier.card.name == "tiny"
    assert classifier.label_set is FER2013


def test_logits_against_arithmetic():
    model = make_graph()
    classifier = Classifier(with_card(model, make_card(model)))
    weights, bias = (
        np.array(t.float_data or np.frombuffer(t.raw_data, "f4")) for t in model.graph.initializer
    )
    faces = noise(48, 48)[np.newaxis, ..., :1].astype(np.float32)
    cells = faces[0, ..., 0].reshape(4, 12, 4, 12).mean(axis=(1, 3)).ravel()
    expected = cells @ weights.reshape(16, 7) + bias
    logits = classifier.logits(faces)
    assert logits.shape == (1, 7)
    assert logits.dtype == np.float32
    assert np.allclose(logits[0], expected, atol=1e-4)


def test_no_faces(classifier):
    assert classifier.logits(np.empty((0, 48, 48, 1), np.float32)).shape == (0, 7)
    assert classifier.probabilities([]).shape == (0, 7)
    assert classifier.classify([]) == ()


def test_faces_of_any_size_and_order(classifier):
    faces = [gradient(), noise(), noise(7, 5)[..., 0], noise(48, 48)]
    probabilities = classifier.probabilities(faces)
    assert probabilities.shape == (4, 7)
    assert probabilities.dtype == np.float64
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    alone = np.concatenate([classifier.probabilities([face]) for face in faces])
    assert np.allclose(probabilities, alone, atol=1e-6)
    assert np.abs(np.diff(probabilities, axis=0)).max() > 1e-3


def test_long_streams_go_in_batches(classifier, monkeypatch):
    sizes = []
    run = Classifier.logits

    def spy(self, inputs):
        sizes.append(len(inputs))
        return run(self, inputs)

    monkeypatch.setattr(Classifier, "logits", spy)
    face = noise(48, 48)
    assert classifier.probabilities(face for _ in range(MAX_BATCH + 3)).shape == (259, 7)
    assert sizes == [MAX_BATCH, 3]


def test_classify_gives_distributions(classifier):
    (expression,) = classifier.classify([gradient()])
    assert expression.label_set is FER2013
    assert expression.probabilities == tuple(classifier.probabilities([gradient()])[0].tolist())


def test_temperature_softens():
    sharp = Classifier(make_model_bytes()).probabilities([gradient()])[0]
    soft = Classifier(make_model_bytes(temperature=3.0)).probabilities([gradient()])[0]
    assert soft.max() < sharp.max()
    assert np.array_equal(soft.argsort(), sharp.argsort())
    powers = sharp ** (1 / 3)
    assert np.allclose(soft, powers / powers.sum(), atol=1e-6)


def test_threads_do_not_change_the_result():
    face = noise(48, 48)
    rows = [Classifier(make_model_bytes(), threads=n).probabilities([face]) for n in (1, 2, 3)]
    assert np.allclose(rows[0], rows[1], atol=1e-6)
    assert np.allclose(rows[0], rows[2], atol=1e-6)


def test_other_label_sets_and_inputs():
    model = make_graph((32, 24, 3), classes=8)
    classifier = Classifier(with_card(model, make_card(model, labels=FERPLUS.keys)))
    assert classifier.label_set is FERPLUS
    assert classifier.probabilities([gradient()]).shape == (1, 8)


@pytest.mark.parametrize(
    "inputs",
    [
        np.zeros((1, 48, 48, 1)),
        np.zeros((1, 48, 48, 3), np.float32),
        np.zeros((48, 48, 1), np.float32),
    ],
)
def test_wrong_input_arrays(classifier, inputs):
    with pytest.raises(ValueError, match="expected float32"):
        classifier.logits(inputs)


def broken_models():
    model = make_graph()
    card = make_card(model)
    whole = with_card(model, card)
    shifted = tuple(tuple(np.roll(row, 1).tolist()) for row in card.golden)
    yield "empty", b"", "not a working ONNX file"
    yield "garbage", b"garbage" * 100, "not a working ONNX file"
    yield "broken off", whole[:600], "not a working ONNX file"
    yield "no card", with_card(model, None), "no model card"
    yield "damaged card", with_card(model, "{"), "card is damaged"
    yield "deep card", with_card(model, "[" * 100_000), "card is damaged"
    yield "no golden", with_card(model, replace(card, golden=())), "0 golden outputs"
    yield "golden", with_card(model, replace(card, golden=shifted)), "golden outputs differ"
    eight = replace(card, labels=FERPLUS.keys, golden=())
    yield "labels", with_card(model, eight), "output is"
    larger = replace(card, input_shape=(64, 64, 1))
    yield "input", with_card(model, larger), "input is"
    yield "batch", with_card(make_graph(batch=1), card), "input is"
    other = make_graph(seed=1)
    yield "other weights", with_card(other, card), "golden outputs differ"


@pytest.mark.parametrize(
    ("content", "message"),
    [pytest.param(content, message, id=name) for name, content, message in broken_models()],
)
def test_broken_models_are_refused_on_one_line(tmp_path, content, message, capfd):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        Classifier(path)
    assert "broken.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tuple(capfd.readouterr()) == ("", "")


def test_flipped_weight_bytes_are_noticed(tmp_path):
    content = bytearray(make_model_bytes())
    start = content.find(b"weights") + 60
    content[start : start + 40] = bytes(range(100, 140))
    with pytest.raises(ModelError):
        Classifier(bytes(content))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        Classifier(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="cannot read"):
        Classifier(tmp_path)


def test_softmax():
    assert softmax(np.array([[0.0, 0.0]], np.float32)).tolist() == [[0.5, 0.5]]
    large = softmax(np.array([[1e4, 0.0], [-1e4, 0.0]], np.float32))
    assert large.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert softmax(np.empty((0, 7), np.float32)).shape == (0, 7)


def test_a_session_that_fails_says_nothing_of_its_own(capfd):
    """ONNX Runtime prints "EP Error ... Falling back" where its error quotes what is no text."""
    content = make_model_bytes()
    for word in (b"AveragePool", b"Flatten", b"faces"):
        assert word in content
        damaged = content.replace(word, b"\xfe" + word[1:], 1)
        with pytest.raises(ModelError) as caught:
            Classifier(damaged)
        assert "\n" not in str(caught.value)
    assert tuple(capfd.readouterr()) == ("", "")


def test_any_changed_byte_is_noticed():
    """Weights in one place, the card in another; golden outputs alone would miss most."""
    content = make_model_bytes()
    random = np.random.default_rng(0)
    for position in random.integers(0, len(content), 60).tolist():
        changed = bytearray(content)
        changed[position] ^= 1 << int(random.integers(0, 7))
        with pytest.raises(ModelError):
            Classifier(bytes(changed))


def test_exchanged_labels_are_noticed():
    content = make_model_bytes()
    first, second = (f'"{key}"'.encode() for key in FER2013.keys[:2])
    assert content.count(first) == content.count(second) == 1
    aside = b"\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc"
    edited = content.replace(first, aside).replace(second, first).replace(aside, second)
    assert len(edited) == len(content)
    with pytest.raises(ModelError, match="edited"):
        Classifier(edited)


def test_nothing_is_printed_for_files_that_do_not_work(capfd) -> None:
    good = make_model_bytes()
    for content in (b"", b"garbage", good[: len(good) // 2], good[:40] + bytes(40) + good[80:]):
        with pytest.raises(ModelError):
            Classifier(content)
    assert capfd.readouterr() == ("", "")


def test_large_batches_go_in_parts(classifier, monkeypatch):
    faces = np.stack([noise(48, 48, seed)[..., :1] for seed in range(5)]).astype(np.float32)
    whole = classifier.logits(faces)
    monkeypatch.setattr(classifier.network, "_at_once", 2)
    np.testing.assert_allclose(classifier.logits(faces), whole, atol=1e-5)
    assert classifier.probabilities(faces[:0].astype(np.uint8)).shape == (0, 7)


def test_weights_in_a_second_file_are_named(tmp_path: Path) -> None:
    shipped = Path(mien.__file__).parent / "model/shipped/mien-tiny.onnx"
    onnx.save(
        onnx.load(shipped), tmp_path / "n.onnx", save_as_external_data=True, location="n.data"
    )
    with pytest.raises(ModelError, match="keeps weights in a second file"):
        Classifier(tmp_path / "n.onnx")
