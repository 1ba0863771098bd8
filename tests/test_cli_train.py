"""Train, evaluate, export and recognise as people do it, on a tiny csv."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from command_line import assert_fails_on_one_line, mien, mien_process
from mien.recognition.classifier import Classifier
from samples_factory import fer_csv, png

RECIPE = """
from mien.data.augmentation import Augmentation
from mien.training.recipe import Recipe
RECIPE = Recipe(
    "tiny", "slim_resnet",
    architecture_options={"stem": 8, "widths": [16], "depths": [1]},
    augmentation=Augmentation(horizontal_flip=True), epochs=9, batch_size=16, learning_rate=0.05,
)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, a csv and a trained run."""
    folder = tmp_path_factory.mktemp("train")
    labels = [row % 7 for row in range(84)]
    random = np.random.default_rng(0)
    images = random.integers(0, 60, (84, 48, 48)) + 28 * np.array(labels)[:, None, None]
    usages = [("Training", "PublicTest", "PrivateTest")[row // 7 % 3] for row in range(84)]
    (folder / "faces.csv").write_bytes(fer_csv(images.astype(np.uint8), labels, usages))
    (folder / "face.png").write_bytes(png(images[3].astype(np.uint8)))
    (folder / "tiny.py").write_text(RECIPE)
    done = mien(
        *("train", "tiny.py", "--data", "faces.csv", "--out", "run", "--epochs", "2"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert "validation accuracy" in done.stdout
    assert "agrees with Keras" in done.stdout
    assert "temperature 1, as none could be fitted: 28 faces are too few" in done.stdout
    assert "epoch   2/2" in done.stderr
    return folder


def test_every_export_of_a_run_is_the_same_file(place: Path) -> None:
    done = mien("export", "run", "--out", "again.onnx", cwd=place)
    assert done.returncode == 0, done.stderr
    assert (place / "again.onnx").read_bytes() == (place / "run" / "model.onnx").read_bytes()


def test_override_reached_the_run(place: Path) -> None:
    assert json.loads((place / "run" / "recipe.json").read_text())["epochs"] == 2
    assert len((place / "run" / "history.csv").read_text().splitlines()) == 3


def test_evaluate_then_scores_into_the_card(place: Path) -> None:
    done = mien(
        *("evaluate", "run", "--data", "faces.csv", "--split", "validation", "--out", "report"),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((place / "report" / "metrics.json").read_text())
    assert metrics["n"] == 28
    assert metrics["n_seen_duplicates"] == 0
    done = mien(
        *("export", "run", "--scores", "report/metrics.json", "--out", "scored.onnx"), cwd=place
    )
    assert done.returncode == 0, done.stderr
    (score,) = Classifier(place / "scored.onnx").card.scores
    assert score.accuracy == metrics["accuracy"]
    assert score.split == "faces.csv validation"
    assert score.data_sha256 == metrics["data_sha256"]
    # The scored file is another one, so its old evaluation does not fit it any more.
    (place / "other").mkdir(exist_ok=True)
    (place / "other" / "model.onnx").write_bytes((place / "scored.onnx").read_bytes())
    done = mien("export", "other", "--scores", "report/metrics.json", cwd=place)
    assert_fails_on_one_line(done, "another model file")
    # What is part of the package stays as it is.
    done = mien("export", "default", "--scores", "report/metrics.json", cwd=place)
    assert done.returncode == 2 and "part of the package" in done.stderr


def test_export_again_proves_parity(place: Path) -> None:
    done = mien("export", "run", "--data", "faces.csv", "--out", "again.onnx", cwd=place)
    assert done.returncode == 0, done.stderr
    again, first = Classifier(place / "again.onnx"), Classifier(place / "run" / "model.onnx")
    assert again.card == first.card
    faces = np.random.default_rng(0).uniform(0, 255, (4, 48, 48, 1)).astype(np.float32)
    np.testing.assert_allclose(again.logits(faces), first.logits(faces), atol=1e-5)


def test_recognize_with_the_run(place: Path) -> None:
    options = ("--model", "run", "--detector", "whole", "--json")
    first, second = (mien("recognize", "face.png", *options, cwd=place) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    (face,) = json.loads(first.stdout)["faces"]
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-6)


def test_a_used_folder_and_a_wrong_field_are_one_line(place: Path) -> None:
    train = ("train", "tiny.py", "--data", "faces.csv")
    assert_fails_on_one_line(mien(*train, "--out", "run", cwd=place), "run", "--resume")
    done = mien(*train, "--out", "new", "--set", "epoch=2", cwd=place)
    assert_fails_on_one_line(done, "a recipe has no field 'epoch'; did you mean")
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    "command",
    [("train", "tiny.py", "--data", "faces.csv"), ("export", "run", "--data", "faces.csv")],
)
def test_without_keras_the_extra_is_named(place: Path, command: tuple[str, ...]) -> None:
    (place / "blocked" / "keras").mkdir(parents=True, exist_ok=True)
    (place / "blocked" / "keras" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'keras'\", name='keras')"
    )
    done = mien_process(*command, "--out", "nothing", cwd=place, path=place / "blocked")
    assert_fails_on_one_line(done, "keras is not installed", "[train]'")


def test_faces_that_a_recipe_carved_out_are_measured_again(place: Path) -> None:
    done = mien(
        *("train", "tiny.py", "--data", "faces.csv", "--out", "carved", "--set", "epochs=1"),
        *("--set", "split.validation_fraction=0.3"),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    data = json.loads((place / "carved" / "data.json").read_text())
    done = mien(
        *("evaluate", "carved", "--data", "faces.csv", "--out", "report_carved", "--recipe-split"),
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((place / "report_carved" / "metrics.json").read_text())
    assert metrics["n"] == data["validation"]["n"] == 7
    assert metrics["data_sha256"] == data["validation"]["sha256"]
    assert "--recipe-split" in metrics["command"]
    assert "was chosen on the validation split" in metrics["cautions"][0]
