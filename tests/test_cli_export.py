"""``mien export``, and Keras files in ``mien evaluate`` and ``mien recognize``, as people type."""

import hashlib
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from typer.testing import CliRunner

from command_line import assert_fails_on_one_line, mien_process
from keras_factory import L, mini_xception, outputs, save, tutorial_cnn
from mien import zoo
from mien.cli.app import app
from mien.cli.export import Format
from mien.formats.saving import FORMATS
from mien.labels import FER2013
from mien.recognition.classifier import Classifier

LABELS = ",".join(FER2013.keys)
SAID = ("--labels", LABELS, "--scaling", "-1..1")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with faces of 64 x 64, so that nothing is resized."""
    root = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in FER2013:
            folder = root / split / label.key
            folder.mkdir(parents=True)
            for i in range(3):
                pixels = generator.integers(0, 256, (64, 64), dtype=np.uint8)
                PIL.Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    return save(mini_xception(), tmp_path / "face.h5")


def write_run(folder: Path) -> Path:
    """The files of a training that `mien export` reads."""
    spec = zoo.ARCHITECTURES["slim_resnet"].default_input
    options = {"stem": 4, "widths": [4, 8], "depths": [1, 1]}
    folder.mkdir()
    zoo.build("slim_resnet", spec, 7, **options).save(folder / "best.keras")
    recipe = {
        "name": "tiny",
        "architecture": "slim_resnet",
        "architecture_options": options,
        "framing": "fer2013",
        "licence": "MIT",
        "checkpoint": {"monitor": "val_accuracy"},
    }
    part = {"n": 7, "sha256": "1" * 64}
    data = {"labels": list(FER2013.keys), "train": part, "validation": part}
    for name, content in (("recipe", recipe), ("data", data), ("environment", {"commit": "c"})):
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "history.csv").write_text("epoch,loss,val_accuracy\n1,1.5,0.25\n")
    return folder


def run(*arguments: object) -> str:
    """A command that must work; what it printed on stdout."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def failing(*arguments: object) -> str:
    """A command that must fail with one line; that line."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("mien: ")
    return result.stderr


def test_formats_of_the_command_line_are_those_that_there_are():
    assert {choice.value for choice in Format} == {"onnx", "onnx-int8", *FORMATS}


def test_a_run_is_exported_in_its_folder(tmp_path: Path, faces: Path):
    folder = write_run(tmp_path / "run")
    before = {path.name for path in folder.iterdir()}
    assert "model.onnx: agrees with Keras to" in run("export", folder, "--data", faces)
    assert "on 42 faces" in run("export", folder, "--data", faces, "--to", "keras")
    run("export", folder, "--data", faces, "--to", "h5", "--weights-only")
    made = {path.name for path in folder.iterdir()} - before
    assert made == {"model.onnx", "model.keras", "model.weights.h5"}
    assert Classifier(folder / "model.onnx").card.chosen["value"] == 0.25
    # All three, and the training's own network with the card of its folder, are the same.
    photo = next((faces / "test").rglob("*.png"))
    distributions = []
    for name in ("model.onnx", "model.keras", "model.weights.h5", "best.keras"):
        line = run("recognize", photo, "--model", folder / name, "--detector", "whole", "--json")
        probabilities = json.loads(line)["faces"][0]["probabilities"]
        assert tuple(probabilities) == FER2013.keys
        distributions.append(list(probabilities.values()))
    np.testing.assert_allclose(distributions, [distributions[0]] * 4, atol=1e-4)


def test_an_export_does_not_overwrite_what_it_exports(tmp_path: Path, faces: Path, foreign: Path):
    before = foreign.read_bytes()
    line = failing("export", foreign, *SAID, "--data", faces, "--to", "h5")
    assert "is what is exported; name another file with --out" in line
    assert foreign.read_bytes() == before
    folder = write_run(tmp_path / "run")
    line = failing(
        *("export", folder, "--data", faces, "--to", "keras", "--out", folder / "best.keras")
    )
    assert "is what is exported" in line


def test_a_foreign_classifier_is_measured_as_it_computes(
    tmp_path: Path, faces: Path, foreign: Path
):
    out = tmp_path / "report"
    run("evaluate", foreign, *SAID, "--data", faces, "--split", "test", "--out", out)
    metrics = json.loads((out / "metrics.json").read_text())
    pictures = [
        np.asarray(PIL.Image.open(path)) for path in sorted((faces / "test").rglob("*.png"))
    ]
    truth = [FER2013.index(path.parent.name) for path in sorted((faces / "test").rglob("*.png"))]
    inputs = (np.stack(pictures)[..., np.newaxis] / 255 - 0.5) * 2
    predicted = outputs(mini_xception(), inputs).argmax(axis=1)
    assert metrics["n"] == len(pictures)
    assert metrics["accuracy"] == pytest.approx((predicted == truth).mean())
    for word in ("--labels", LABELS, "--scaling", "-1..1"):
        assert word in metrics["command"]
    assert metrics["model_sha256"] == hashlib.sha256(foreign.read_bytes()).hexdigest()


def test_a_foreign_classifier_is_converted_and_recognises(
    tmp_path: Path, faces: Path, foreign: Path
):
    photo = next((faces / "test").rglob("*.png"))
    on_whole = ("--detector", "whole", "--json")
    direct = json.loads(run("recognize", photo, "--model", foreign, *SAID, *on_whole))
    assert "agrees with Keras" in run("export", foreign, *SAID, "--data", faces)
    bundle = tmp_path / "face.onnx"
    converted = json.loads(run("recognize", photo, "--model", bundle, *on_whole))
    ours, theirs = (
        list(result["faces"][0]["probabilities"].values()) for result in (direct, converted)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_what_is_not_said_or_wrong_is_one_line_with_what_the_file_has(
    tmp_path: Path, faces: Path, foreign: Path
):
    out = ("--data", faces, "--out", tmp_path / "report")
    line = failing("evaluate", foreign, *out)
    assert "64x64 pixels and has 7 outputs" in line and "--labels" in line
    line = failing("recognize", faces, "--model", foreign, "--labels", LABELS)
    assert "--scaling, one of: 0..255" in line
    line = failing("export", foreign, *SAID[2:], "--labels", "sad,happy", "--data", faces)
    assert "7 outputs, but --labels names 2 classes" in line
    assert "leave out --labels" in failing("evaluate", "default", *SAID, *out)
    assert not (tmp_path / "report").exists()


def test_wrong_usage(tmp_path: Path, faces: Path, foreign: Path):
    for arguments, message in (
        (("export", foreign), "--data"),
        (("export", foreign, "--scaling", "0..2", "--data", faces), "-1..1"),
        (("export", foreign, "--weights-only", "--data", faces), "--weights-only"),
        (("export", foreign, "--to", "h5", "--scores", "m.json", "--data", faces), "--scores"),
    ):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_files_that_are_not_opened(tmp_path: Path, faces: Path):
    (tmp_path / "empty.h5").write_bytes(b"")
    evil = save(tutorial_cnn(end=lambda x: L.Lambda(lambda t: t)(x)), tmp_path / "evil.h5")
    line = failing("recognize", faces, "--model", tmp_path / "empty.h5", *SAID)
    assert "empty.h5 is empty" in line
    line = failing("export", evil, *SAID, "--data", faces)
    assert "runs code from the file" in line
    assert "has no best.keras" in failing("export", tmp_path, "--data", faces)
    assert "no such model file" in failing("export", tmp_path / "no.h5", "--data", faces)
    assert "only become onnx-int8" in failing("export", "mien-tiny", "--data", faces)
    folder = write_run(tmp_path / "run")
    (folder / "recipe.json").write_text("{}")
    assert "lacks 'name'" in failing("export", folder, "--data", faces)
    assert {path.name for path in tmp_path.iterdir()} == {"empty.h5", "evil.h5", "run"}


def test_nothing_but_results_is_printed(tmp_path: Path, faces: Path, foreign: Path):
    """In a process of its own: TensorFlow writes past Python's streams."""
    done = mien_process(
        "export", foreign, *SAID, "--to", "litert", "--data", faces, cwd=tmp_path, timeout_s=300
    )
    assert done.returncode == 0, done
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert (tmp_path / "face.tflite").is_file()
    done = mien_process(
        "evaluate", foreign, "--data", faces, "--out", "report", cwd=tmp_path, timeout_s=300
    )
    assert_fails_on_one_line(done, "face.h5", "7 outputs", "--labels")
