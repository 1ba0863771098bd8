"""What a newcomer does first: an archive.zip with train/ and test/, a recipe, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from typer.testing import CliRunner, Result

from mien.cli.app import app
from mien.labels import FER2013
from mien.recognition.classifier import Classifier
from samples_factory import png, zip_of

RECIPE = """
from mien.training.recipe import Recipe
RECIPE = Recipe(
    "tiny", "slim_resnet",
    architecture_options={"stem": 4, "widths": [4, 8], "depths": [1, 1]},
    epochs=9, batch_size=32, learning_rate=0.05,
    ferplus_weight=0.5, teacher_weight=0.5, teacher_views=2,
)
"""


def mien(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def picture(random: np.random.Generator, label: int) -> bytes:
    return png((random.integers(0, 60, (48, 48)) + 25 * label).astype(np.uint8))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.py and archive.zip: 20 training pictures a class, every one twice."""
    folder = tmp_path_factory.mktemp("first")
    random = np.random.default_rng(0)
    members = {}
    for index, label in enumerate(FER2013):
        for number in range(10):
            content = picture(random, index)
            for copy in "ab":
                members[f"train/{label.key}/{number}{copy}.png"] = content
        for number in range(3):
            members[f"test/{label.key}/{number}.png"] = picture(random, index)
    zip_of(folder / "archive.zip", members)
    (folder / "tiny.py").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def trained(place: Path) -> Result:
    """The training by its one command."""
    return mien(*train(place))


def train(place: Path, *more: object) -> tuple[object, ...]:
    data, run = place / "archive.zip", place / "run"
    return ("train", place / "tiny.py", "--data", data, "--out", run, "--epochs", 1, *more)


def read(place: Path, name: str) -> dict[str, object]:
    values: dict[str, object] = json.loads((place / "run" / name).read_text())
    return values


def test_the_table_says_what_validates_and_what_was_left_out(trained: Result, place: Path):
    told = " ".join(trained.stderr.split())
    assert "no validation part, so 10 % of each training class carved out" in told
    assert "caution: tiny without FER+ votes (--ferplus FILE)" in told
    assert "caution: tiny without teachers (--teacher MODEL)" in told
    rows = {line.split("│")[1].strip(): line for line in trained.stderr.splitlines() if "│" in line}
    assert [word.strip() for word in rows["all"].split("│")[2:5]] == ["126", "14", "21"]
    assert "agrees with Keras to" in trained.stdout and "on 14 faces" in trained.stdout


@pytest.mark.usefixtures("trained")
def test_the_run_and_the_card_say_so_too(place: Path):
    data, recipe = read(place, "data.json"), read(place, "recipe.json")
    assert data["layout"] == (
        "train/ and test/ class folders in a zip; no validation part, so 10 % of each training "
        "class carved out for validation, duplicates kept on one side"
    )
    assert recipe["split"] == {"validation_fraction": 0.1, "seed": 0, "duplicates_together": True}
    assert (recipe["ferplus_weight"], recipe["teacher_weight"], recipe["epochs"]) == (0, 0, 1)
    card = Classifier(place / "run" / "model.onnx").card
    assert card.data["layout"] == data["layout"]
    assert card.recipe["split"] == recipe["split"]


@pytest.mark.usefixtures("trained")
def test_it_is_measured_on_the_faces_that_were_carved_out(place: Path, tmp_path: Path):
    data = ("--data", place / "archive.zip")
    done = mien("evaluate", place / "run", *data, "--out", tmp_path / "report")
    assert "14 faces, those that its training carved out" in done.stdout
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    validation = read(place, "data.json")["validation"]
    assert {"n": metrics["n"], "sha256": metrics["data_sha256"]} == validation
    assert metrics["n_seen_duplicates"] == 0
    # A network that the card of another training knows nothing of has no such faces here.
    done = mien("evaluate", "default", *data, "--out", tmp_path / "other", code=1)
    assert "has no split validation; measure one that has rows" in done.stderr
    done = mien("evaluate", place / "run", *data, "--split", "test", "--out", tmp_path / "test")
    assert "on test of" in done.stdout and "carved out" not in done.stdout
    done = mien("calibrate", place / "run", *data, "--out", tmp_path / "c.onnx", code=1)
    assert "14 faces are too few" in done.stderr
    done = mien("compare", place / "run", place / "run" / "best.keras", *data)
    assert "14 faces" in done.stdout


@pytest.mark.usefixtures("trained")
def test_exports_need_no_data(place: Path, tmp_path: Path):
    run = place / "run"
    assert (
        "on 14 faces" in mien("export", run, "--to", "keras", "--out", tmp_path / "a.keras").stdout
    )
    mien("export", run, "--out", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (run / "model.onnx").read_bytes()
    best = mien("export", run / "best.keras", "--to", "h5", "--out", tmp_path / "a.h5")
    assert "on 14 faces" in best.stdout
    other = mien(
        *("export", run, "--to", "keras", "--out", tmp_path / "b.keras"),
        *("--data", place / "archive.zip"),
    )
    assert "on 161 faces" in other.stdout
    # What has no faces of its own, or no labels, says which it takes.
    done = mien("export", tmp_path / "a.h5", "--to", "keras", code=2)
    assert "--data" in done.stderr and "not of a training" in done.stderr
    done = mien("export", run, "--to", "onnx-int8", code=2)
    assert "measured on labelled faces" in done.stderr and "have no labels" in done.stderr
    kept = (run / "faces.png").rename(tmp_path / "faces.png")
    done = mien("export", run, "--to", "keras", "--out", tmp_path / "c.keras", code=1)
    assert "keeps no faces.png" in done.stderr
    kept.rename(run / "faces.png")


@pytest.mark.usefixtures("trained")
def test_8_bit_integers_are_measured_on_the_carved_out_faces(place: Path, tmp_path: Path):
    data = ("--data", place / "archive.zip", "--out", tmp_path / "int8.onnx")
    result = CliRunner().invoke(
        app, [str(word) for word in ("export", place / "run", "--to", "onnx-int8", *data)]
    )
    # Whether accuracy holds on 14 faces is chance; that these were judged is not.
    words = result.output
    assert "on 14 validation faces" in words or "on 14 faces, more than 0.3 points" in words, words


@pytest.mark.usefixtures("trained")
def test_the_same_command_resumes_and_another_recipe_does_not(place: Path):
    before = (place / "run" / "best.keras").read_bytes()
    mien(*train(place, "--resume"))
    assert (place / "run" / "best.keras").read_bytes() == before
    done = mien(*train(place, "--resume", "--set", "split.seed=3"), code=1)
    assert "is another recipe: split is" in done.stderr
    done = mien(*train(place, "--resume", "--set", "split.validation_fraction=0.2"), code=1)
    assert "is another recipe: split is" in done.stderr


def test_wrong_options_and_fields_name_the_nearest_right_one(place: Path, tmp_path: Path):
    begin = ("train", place / "tiny.py", "--data", place / "archive.zip", "--out", tmp_path / "x")
    for word, near in (
        ("--epoch", "did you mean --epochs?"),
        ("--lr", "did you mean --learning-rate?"),
        ("--weight-decay", "other fields of a recipe: --set weight_decay=VALUE"),
    ):
        done = mien(*begin, word, 3, code=2)
        assert f"no such option: {word}; " in done.stderr and near in done.stderr
    assert "did you mean weight_decay?" in mien(*begin, "--set", "wieght_decay=1", code=1).stderr
    done = mien(*begin, "--epochs", 2, "--set", "epochs=3", code=1)
    assert "epochs is given twice" in done.stderr
    assert "must be one of float32" in mien(*begin, "--precision", "half", code=1).stderr
    done = mien(*begin, "--set", "teacher_weight=0.5", code=1)
    assert "name them: --teacher MODEL" in done.stderr
    assert not (tmp_path / "x").exists()
    done = mien("recognize", "a.jpg", "--jsn", code=2)
    assert "no such option: --jsn; did you mean --json?" in done.stderr
    assert "--set" not in done.stderr
