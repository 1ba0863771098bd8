"""Every published recipe on a small real archive.zip: trained, measured and exported, and nothing
said but the epochs. Slow, for the two large networks of keras.applications above all."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras
from typer.testing import CliRunner

from mien.cli.app import app
from mien.recognition.classifier import Classifier
from samples_factory import unpack_tool

RECIPES = sorted((Path(__file__).parent.parent / "recipes").glob("*.py"))
PRETRAINED_ON_IMAGENET = ("efficientnet_b2", "resnet50")
"""Their weights are downloaded, and tests have no network."""

ROWS = 300
"""Of each of FER-2013's parts that are there: 300 to train and 300 to test."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Path:
    """archive.zip with train/ and test/ class folders, as most people have FER-2013."""
    tool = unpack_tool(shared_folder)
    folder = tmp_path_factory.mktemp("archive")
    tool.write_folders(*tool.read(shared_folder / "data/fer2013", ROWS), folder / "archive")
    return Path(shutil.make_archive(str(folder / "archive"), "zip", folder / "archive"))


def mien(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_takes_nothing_but_faces(recipe: Path, archive: Path, tmp_path: Path) -> None:
    keras.backend.clear_session()
    run = tmp_path / recipe.stem
    weights = ("--pretrained", "none") if recipe.stem in PRETRAINED_ON_IMAGENET else ()
    data = ("--data", archive)
    told = mien("train", recipe, *data, "--out", run, "--epochs", 1, *weights)
    assert "agrees with Keras" in told
    facts = json.loads((run / "data.json").read_text())
    assert facts["train"]["n"] + facts["validation"]["n"] == ROWS
    if json.loads((run / "recipe.json").read_text())["split"]["duplicates_together"]:
        assert "no validation part" in facts["layout"] and facts["validation"]["n"] == 27
    mien("evaluate", run, *data, "--out", tmp_path / "report")
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert (metrics["n"], metrics["data_sha256"]) == tuple(facts["validation"].values())
    (run / "model.onnx").unlink()
    for name in ("h5", "keras", "onnx"):
        assert "agrees with Keras" in mien("export", run, "--to", name)
        assert (run / f"model.{name}").is_file()
    assert Classifier(run / "model.onnx").card.data["layout"] == facts["layout"]
