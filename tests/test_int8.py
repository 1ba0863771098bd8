"""Networks in 8-bit integers: kept where they are as good, refused where they are not."""

from pathlib import Path

import numpy as np
import pytest

from command_line import mien
from mien.errors import ModelError, ParityError
from mien.formats import int8
from mien.formats.int8 import to_int8
from mien.labels import FER2013, FERPLUS, FERPLUS_VOTE_COLUMNS
from mien.model.network import softmax
from mien.recognition.classifier import Classifier
from onnx_factory import make_card, make_graph, make_model_bytes, with_card
from samples_factory import fer_csv, random_faces, samples_of
from test_model_card import CALIBRATION, SCORE


@pytest.fixture(scope="module")
def bundle() -> bytes:
    model = make_graph(gain=20.0)
    return with_card(model, make_card(model))


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return random_faces(400)


def labelled_by(bundle: bytes, faces: np.ndarray, split: str = "validation"):
    """Samples whose labels are what the network says, so that its accuracy is 100 %."""
    labels = Classifier(bundle).probabilities(faces).argmax(axis=1)
    return samples_of(faces, labels.tolist(), [split] * len(faces))


def test_the_quantised_network_is_nearly_the_same(bundle: bytes, faces: np.ndarray) -> None:
    check = labelled_by(bundle, faces)
    made = to_int8(bundle, labelled_by(bundle, faces, "train"), check)
    assert (made.accuracy_before, made.n) == (1.0, 400)
    assert made.accuracy_after >= 0.997
    original, quantised = Classifier(bundle), Classifier(made.bundle)
    difference = quantised.probabilities(faces) - original.probabilities(faces)
    assert 0 < np.abs(difference).mean() < 0.01
    assert quantised.card == made.card
    assert quantised.card.precision == "int8"
    assert quantised.card.name == "tiny-int8"
    assert quantised.card.scores == ()
    assert b"QuantizeLinear" in made.bundle


def test_the_temperature_is_fitted_on_the_check_samples() -> None:
    """On the labels that people might give: each network is right by its confidence."""
    model = make_graph(gain=20.0)
    original = with_card(model, make_card(model, temperature=2.0, scores=(SCORE,)))
    faces = random_faces(1200)
    odds = softmax(Classifier(original).logits(faces[..., np.newaxis].astype(np.float32)) / 3)
    generator = np.random.default_rng(0)
    labels = np.minimum((odds.cumsum(axis=1) < generator.random((1200, 1))).sum(axis=1), 6)
    check = samples_of(faces, labels.tolist(), ["validation"] * 1200)
    made = to_int8(original, samples_of(faces, [0] * 1200, ["train"] * 1200), check)
    card = Classifier(made.bundle).card
    assert card == made.card and made.reason == ""
    assert card.temperature == pytest.approx(3.0, rel=0.15)
    assert card.calibration is not None and card.scores == ()
    assert (card.calibration.n, card.calibration.data_sha256) == (1200, check.sha256())
    assert card.calibration.nll_after < card.calibration.nll_before


def test_a_temperature_that_cannot_be_fitted_is_carried_over(
    bundle: bytes, faces: np.ndarray
) -> None:
    check = labelled_by(bundle, faces)
    made = to_int8(bundle, labelled_by(bundle, faces, "train"), check)
    assert (made.card.temperature, made.card.calibration) == (1.0, None)
    assert "of one class" in made.reason
    model = make_graph(gain=20.0)
    known = with_card(model, make_card(model, temperature=1.7, calibration=CALIBRATION))
    card = to_int8(known, labelled_by(bundle, faces, "train"), check).card
    assert card.temperature == 1.7 and card.calibration is not None
    assert card.calibration.n == CALIBRATION.n
    assert card.calibration.method.endswith("of the network before its quantisation")


def test_a_network_that_loses_accuracy_is_refused(bundle: bytes, faces: np.ndarray) -> None:
    black = samples_of(np.zeros((8, 48, 48), np.uint8), [0] * 8, ["train"] * 8)
    with pytest.raises(ParityError, match=r"falls from 100.00 % to .*nothing was written"):
        to_int8(bundle, black, labelled_by(bundle, faces))


def test_a_few_faces_may_be_lost(
    bundle: bytes, faces: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = samples_of(np.zeros((8, 48, 48), np.uint8), [0] * 8, ["train"] * 8)
    check = labelled_by(bundle, faces)
    monkeypatch.setattr(int8, "LOST_BY_CHANCE", len(check))
    made = to_int8(bundle, black, check)
    n_lost = round(len(check) * (made.accuracy_before - made.accuracy_after))
    assert n_lost > 1
    monkeypatch.setattr(int8, "LOST_BY_CHANCE", n_lost)
    assert to_int8(bundle, black, check).accuracy_after == made.accuracy_after
    monkeypatch.setattr(int8, "LOST_BY_CHANCE", n_lost - 1)
    with pytest.raises(ParityError, match="nothing was written"):
        to_int8(bundle, black, check)


def test_another_loss_may_be_allowed(bundle: bytes, faces: np.ndarray) -> None:
    black = samples_of(np.zeros((8, 48, 48), np.uint8), [0] * 8, ["train"] * 8)
    check = labelled_by(bundle, faces)
    made = to_int8(bundle, black, check, largest_loss_points=100)
    lost_points = 100 * (made.accuracy_before - made.accuracy_after)
    assert lost_points > 1
    with pytest.raises(ParityError, match=r"more than 0\.5 points"):
        to_int8(bundle, black, check, largest_loss_points=0.5)


def test_what_is_quantised_already_is_refused(bundle: bytes, faces: np.ndarray) -> None:
    samples = labelled_by(bundle, faces)
    once = to_int8(bundle, samples, samples).bundle
    with pytest.raises(ModelError, match="in int8 already"):
        to_int8(once, samples, samples)


def test_other_classes_and_no_faces_are_refused(bundle: bytes, faces: np.ndarray) -> None:
    samples = labelled_by(bundle, faces)
    none = samples_of(faces[:0], [], [])
    with pytest.raises(ModelError, match="none were given"):
        to_int8(bundle, none, samples)
    model = make_graph(classes=3)
    other = with_card(model, make_card(model, labels=FER2013.keys[:3]))
    with pytest.raises(ModelError, match="the network's classes are"):
        to_int8(other, samples, samples)


def test_on_the_command_line(tmp_path: Path, bundle: bytes, faces: np.ndarray) -> None:
    labels = Classifier(bundle).probabilities(faces).argmax(axis=1).tolist()
    (tmp_path / "tiny.onnx").write_bytes(bundle)
    usages = ["Training"] * 200 + ["PublicTest"] * 200
    (tmp_path / "faces.csv").write_bytes(fer_csv(faces, labels, usages))
    done = mien("export", "tiny.onnx", "--to", "onnx-int8", "--data", "faces.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "tiny-int8.onnx" in done.stdout and "on 200 validation faces" in done.stdout
    assert "temperature 1 as before: all of 200 faces, or nearly, are of one class" in done.stdout
    assert not done.stderr
    assert Classifier(tmp_path / "tiny-int8.onnx").card.precision == "int8"

    words = ("export", "tiny.onnx", "--data", "faces.csv")
    done = mien(*words, "--to", "onnx-int8", "--largest-loss", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = mien(*words, "--to", "onnx-int8", "--largest-loss", "nan", cwd=tmp_path)
    assert done.returncode == 2 and "a number from 0 to 100" in done.stderr
    done = mien(*words, "--to", "onnx", "--largest-loss", "1", cwd=tmp_path)
    assert done.returncode == 2 and "goes with --to onnx-int8 alone" in done.stderr

    (tmp_path / "faces.csv").write_bytes(fer_csv(faces[:200], labels[:200], usages[:200]))
    done = mien("export", "tiny.onnx", "--to", "onnx-int8", "--data", "faces.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "no validation split" in done.stderr and "only train (200)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_precision_is_a_damaged_card() -> None:
    with pytest.raises(ModelError, match="precision 'int3' is none of"):
        Classifier(make_model_bytes(precision="int3"))


def test_a_network_of_ferplus_classes_is_checked_and_calibrated_by_votes(
    tmp_path: Path, faces: np.ndarray
) -> None:
    model = make_graph(classes=8, gain=8.0)
    content = with_card(model, make_card(model, labels=FERPLUS.keys))
    (tmp_path / "votes.onnx").write_bytes(content)
    # The majority is what the network says, but for every fifth face; the csv's labels are others.
    said = Classifier(content).probabilities(faces).argmax(axis=1)
    said[::5] = (said[::5] + 1) % 8
    usages = ["Training"] * 150 + ["PublicTest"] * 250
    (tmp_path / "faces.csv").write_bytes(fer_csv(faces, [0] * 400, usages))
    column = {label.key: place for place, label in enumerate(FERPLUS_VOTE_COLUMNS)}
    names = [*column, "unknown", "NF"]
    lines = [",".join(["Usage", "Image name", *names])]
    for row, (usage, index) in enumerate(zip(usages, said.tolist(), strict=True)):
        votes = [0] * 10
        votes[column[FERPLUS[index].key]] = 10
        lines.append(",".join([usage, f"f{row}.png", *map(str, votes)]))
    (tmp_path / "votes.csv").write_text("\n".join(lines) + "\n")
    data = ("--data", "faces.csv", "--ferplus", "votes.csv")
    wanted = ("--to", "onnx-int8", "--name", "small", *data)
    done = mien("export", "votes.onnx", *wanted, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy 80.00 %" in done.stdout
    card = Classifier(tmp_path / "votes-int8.onnx").card
    assert card.labels == FERPLUS.keys and card.calibration is not None
    assert card.name == "small"
    done = mien("calibrate", "votes.onnx", *data, "--out", "warm.onnx", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = Classifier(tmp_path / "warm.onnx").card
    assert again.temperature == pytest.approx(card.temperature, rel=0.05)
    assert again.temperature > 1.5, "it is sure, and wrong in a fifth of the cases"
    assert mien("export", "votes.onnx", *data, cwd=tmp_path).returncode == 2
