"""``mien calibrate`` from end to end: every kind of model, and what is refused."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mien.cli.app import COMMANDS, app
from mien.data import read_samples
from mien.evaluation.calibration import fit_temperature
from mien.formats.reading import Reading
from mien.labels import FER2013
from mien.model.card import METADATA_KEY
from mien.recognition.classifier import Classifier
from mien.samples import Split
from mien.workflows.models import open_model
from onnx_factory import make_card, make_graph, with_card
from samples_factory import class_folders, fer_csv, random_faces
from test_model_card import SCORE

N = 260
FACES = random_faces(N)


def drawn(probabilities: np.ndarray, temperature: float) -> list[int]:
    """Labels of which the network would be sure by its confidence at this temperature."""
    powers = probabilities ** (1 / temperature)
    odds = (powers / powers.sum(axis=1, keepdims=True)).cumsum(axis=1)
    chance = np.random.default_rng(5).random((len(odds), 1))
    return np.minimum((odds < chance).sum(axis=1), 6).tolist()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle, and labelled faces of all three splits."""
    folder = tmp_path_factory.mktemp("calibrate")
    model = make_graph(gain=1.5)
    (folder / "tiny.onnx").write_bytes(with_card(model, make_card(model, scores=(SCORE,))))
    labels = drawn(Classifier(folder / "tiny.onnx").probabilities(FACES), 2.0)
    write_csv(folder / "faces.csv", labels, ["PublicTest"] * N)
    return folder


def write_csv(path: Path, labels: list[int], usages: list[str]) -> Path:
    path.write_bytes(fer_csv(FACES, labels, usages))
    return path


def run(*arguments: object) -> str:
    """A command that must work; what it printed on stdout."""
    result = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def failing(*arguments: object, code: int = 1) -> str:
    """A command that must fail with one line; that line."""
    result = CliRunner().invoke(app, ["calibrate", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    if code == 1:
        assert result.stderr.count("\n") == 1 and result.stderr.startswith("mien: ")
    return result.stderr


def test_a_bundle_gets_its_temperature(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "calibrated.onnx"
    text = run(place / "tiny.onnx", "--data", place / "faces.csv", "--out", out)
    before, after = Classifier(place / "tiny.onnx"), Classifier(out)
    card = after.card
    inputs = FACES[..., np.newaxis].astype(np.float32)
    rows = read_samples(place / "faces.csv").of(Split.VALIDATION)
    best = fit_temperature(before.logits(inputs).astype(np.float64), rows.labels)
    assert card.temperature == pytest.approx(best, rel=1e-6) and best > 1.3
    record = card.calibration
    assert record is not None
    assert (record.n, record.data_sha256) == (N, rows.sha256())
    for number in (
        f"temperature {card.temperature:.4g}",
        f"{record.nll_before:.4f}",
        f"{record.nll_after:.4f}",
        f"{100 * record.ece_before:.2f} %",
        f"{100 * record.ece_after:.2f} %",
        f"{100 * record.ece_cross_fitted:.2f} %",
        "chance alone",
        "cross-fitted",
        "their accuracies stay",
    ):
        assert number in text, number
    assert card.scores == (replace(SCORE, ece=None),)
    # The network is the same, and so is every answer.
    np.testing.assert_array_equal(after.logits(inputs), before.logits(inputs))
    assert replace(card, temperature=1.0, calibration=None, scores=(SCORE,)) == before.card
    assert [path.name for path in out.parent.iterdir()] == ["calibrated.onnx"]


def test_a_second_time_starts_from_the_network_not_from_the_temperature(
    place: Path, tmp_path: Path
) -> None:
    once, twice = tmp_path / "1.onnx", tmp_path / "2.onnx"
    run(place / "tiny.onnx", "--data", place / "faces.csv", "--out", once)
    text = run(once, "--data", place / "faces.csv", "--out", twice)
    first, second = Classifier(once).card, Classifier(twice).card
    assert second.temperature == pytest.approx(first.temperature, rel=1e-6)
    assert first.calibration is not None and second.calibration is not None
    assert second.calibration.nll_before == pytest.approx(first.calibration.nll_before)
    assert "as it was" in text


def test_the_folder_of_a_training_and_an_older_copy(place: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.onnx").write_bytes((place / "tiny.onnx").read_bytes())
    out = tmp_path / "run" / "calibrated.onnx"
    out.write_bytes(b"an older copy")
    run(tmp_path / "run", "--data", place / "faces.csv", "--out", out)
    assert Classifier(out).card.calibration is not None
    assert Classifier(tmp_path / "run" / "model.onnx").card.temperature == 1.0


def test_faces_that_a_recipe_carved_out(place: Path, tmp_path: Path) -> None:
    labels = read_samples(place / "faces.csv").labels.tolist()
    data = write_csv(tmp_path / "faces.csv", labels, ["Training"] * N)
    line = failing(place / "tiny.onnx", "--data", data, "--out", tmp_path / "o.onnx")
    assert "has no validation split" in line and "--recipe-split" in line
    assert f"only train ({N:,})" in line
    recipe = {"split": {"validation_fraction": 0.8, "seed": 1}}
    model = make_graph(gain=1.5)
    carved = with_card(model, make_card(model, recipe=recipe))
    (tmp_path / "carved.onnx").write_bytes(carved)
    run(
        *(tmp_path / "carved.onnx", "--data", data, "--out", tmp_path / "o.onnx"),
        "--recipe-split",
    )
    record = Classifier(tmp_path / "o.onnx").card.calibration
    assert record is not None and 200 <= record.n < N


def test_a_bundle_in_8_bit_integers(place: Path, tmp_path: Path) -> None:
    from mien.formats.int8 import to_int8
    from samples_factory import samples_of

    samples = read_samples(place / "faces.csv")
    few = samples_of(FACES[:8], samples.labels[:8].tolist(), ["validation"] * 8)
    made = to_int8((place / "tiny.onnx").read_bytes(), samples, few)
    assert made.card.calibration is None
    (tmp_path / "int8.onnx").write_bytes(made.bundle)
    out = tmp_path / "o.onnx"
    run(tmp_path / "int8.onnx", "--data", place / "faces.csv", "--out", out)
    card = Classifier(out).card
    assert card.precision == "int8" and card.calibration is not None
    assert card.temperature > 1.3


def test_a_keras_file(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs the train extra")
    from keras_factory import save, tutorial_cnn

    foreign = save(tutorial_cnn(), tmp_path / "net.h5")
    said = ",".join(FER2013.keys), "0..255"
    reading = Reading(FER2013.keys, said[1])
    probabilities = open_model(foreign, reading).classifier(FACES).probabilities(FACES)
    data = write_csv(tmp_path / "faces.csv", drawn(probabilities, 3.0), ["PublicTest"] * N)
    out = tmp_path / "net.onnx"
    words = ("--labels", said[0], "--scaling", said[1])
    run(foreign, *words, "--data", data, "--out", out)
    card = Classifier(out).card
    assert card.name == "net" and card.temperature > 1.3
    assert card.calibration is not None
    line = failing(foreign, "--data", data, "--out", tmp_path / "o.onnx")
    assert "--labels" in line


@pytest.mark.parametrize(
    ("split", "reason"), [("test", "no longer be measured"), ("train", "more confident")]
)
def test_other_splits_are_wrong_usage(place: Path, split: str, reason: str, tmp_path: Path) -> None:
    out = tmp_path / "o.onnx"
    words = ("--data", place / "faces.csv", "--split", split, "--out", out)
    text = failing(place / "tiny.onnx", *words, code=2)
    assert "--split" in text and reason in " ".join(text.split())
    assert not out.exists()


def test_faces_that_do_not_fit_are_one_line(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.onnx"
    tiny = place / "tiny.onnx"
    labels = read_samples(place / "faces.csv").labels.tolist()
    one_class = write_csv(tmp_path / "one.csv", [3] * N, ["PublicTest"] * N)
    few = write_csv(tmp_path / "few.csv", labels, ["PublicTest"] * 150 + ["Training"] * (N - 150))
    class_folders(tmp_path / "folders", ["validation/happy", "validation/sad"], per_folder=101)
    model = make_graph(classes=2)
    three = with_card(model, make_card(model, labels=("angry", "happy")))
    (tmp_path / "two.onnx").write_bytes(three)
    for model_file, data, message in (
        (tiny, one_class, "of one class"),
        (tiny, few, "150 faces are too few to fit a temperature on; it takes 200"),
        (tmp_path / "two.onnx", tmp_path / "folders", "101 rows are sad, which the model does not"),
        (tiny, tmp_path / "nowhere", "no such file or folder"),
        (tmp_path / "nothing.onnx", few, "no such model file"),
    ):
        assert message in failing(model_file, "--data", data, "--out", out)
        assert not out.exists()


def test_faces_that_were_trained_on_are_refused_by_their_hash(place: Path, tmp_path: Path) -> None:
    rows = read_samples(place / "faces.csv").of(Split.VALIDATION)
    model = make_graph(gain=1.5)
    card = make_card(model, data={"train": {"n": N, "sha256": rows.sha256()}})
    (tmp_path / "m.onnx").write_bytes(with_card(model, card))
    words = ("--data", place / "faces.csv", "--out", tmp_path / "o.onnx")
    assert "was trained on these very faces" in failing(tmp_path / "m.onnx", *words)
    assert not (tmp_path / "o.onnx").exists()


def test_places_that_cannot_be_written(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.onnx").write_bytes((place / "tiny.onnx").read_bytes())
    before = (tmp_path / "tiny.onnx").read_bytes()
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").write_text("x")
    words = (tmp_path / "tiny.onnx", "--data", place / "faces.csv", "--out")
    for out, message in (
        (tmp_path / "tiny.onnx", "is what the new file is made of; name another one with --out"),
        (tmp_path / "folder.onnx", "it is a folder; name a file"),
        (tmp_path / "model.keras", "must end in .onnx"),
        (tmp_path / "file" / "o.onnx", "cannot write"),
    ):
        assert message in failing(*words, out)
    older = tmp_path / "older.onnx"
    older.write_bytes(b"older")

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "No space left on device" in failing(*words, older)
    monkeypatch.undo()
    assert older.read_bytes() == b"older"
    assert (tmp_path / "tiny.onnx").read_bytes() == before
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"tiny.onnx", "folder.onnx", "file", "older.onnx"}


def test_no_keras_is_loaded_for_a_bundle(place: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom mien.cli.calibrate import calibrate\nfrom pathlib import Path\n"
        f"calibrate({str(place / 'tiny.onnx')!r}, {str(place / 'faces.csv')!r}, "
        f"Path({str(tmp_path / 'o.onnx')!r}))\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_help_says_when_and_stands_between_measuring_and_export() -> None:
    names = [command.__name__ for command in COMMANDS]
    assert names[names.index("calibrate") - 1 :][:3] == ["explain", "calibrate", "export"]
    text = " ".join(CliRunner().invoke(app, ["calibrate", "--help"]).output.split())
    assert "mien calibrate default --data" in text and "Training faces are refused" in text


def test_the_report_knows_the_temperature(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from report_factory import without_plots

    without_plots(monkeypatch)
    out = tmp_path / "o.onnx"
    run(place / "tiny.onnx", "--data", place / "faces.csv", "--out", out)
    words = ["--data", str(place / "faces.csv"), "--out", str(tmp_path / "report")]
    result = CliRunner().invoke(app, ["evaluate", str(out), *words])
    assert result.exit_code == 0, result.output
    values = json.loads((tmp_path / "report" / "metrics.json").read_text())
    record = Classifier(out).card.calibration
    assert record is not None
    assert values["temperature"] == Classifier(out).card.temperature
    assert values["calibration"]["data_sha256"] == values["data_sha256"]
    assert values["ece"] == pytest.approx(record.ece_after, abs=1e-6)
    assert values["ece_cross_fitted"] == pytest.approx(record.ece_cross_fitted, abs=1e-6)
    assert any("fitted on these very faces" in text for text in values["cautions"])
    assert "fitted on these very faces" in result.stdout and "cross-fitted" in result.stdout
    assert METADATA_KEY in out.read_bytes().decode("latin-1")
