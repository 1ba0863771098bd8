"""The six published pipelines, each by its one command on a reduced FER-2013, on both backends."""

import csv
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from command_line import mien

ROWS_PER_CLASS = {"Training": 40, "PublicTest": 10}
SMALL = ("input_size_px=32", "phases.0.epochs=1", "phases.1.epochs=1")
"""Two epochs of a transfer, at the smallest input: what is tested is the way, not the score."""
SETTINGS = {
    "plain_cnn": ("epochs=2",),
    "compact_cnn": ("epochs=2",),
    "batchnorm_cnn": ("epochs=2",),
    "wide_cnn": ("epochs=2", "input_size_px=24"),
    "resnet50": SMALL,
    "efficientnet_b2": SMALL,
}


@pytest.fixture(scope="module")
def reduced(
    tmp_path_factory: pytest.TempPathFactory, fer2013: tuple[np.ndarray, list[dict[str, str]]]
) -> Path:
    """A fer2013.csv with 40 rows of every class for training."""
    path = tmp_path_factory.mktemp("reduced") / "fer2013.csv"
    kept: dict[tuple[str, str], int] = {}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for image, row in zip(*fer2013, strict=True):
            key = (row["Usage"], row["emotion"])
            kept[key] = kept.get(key, 0) + 1
            if kept[key] <= ROWS_PER_CLASS[row["Usage"]]:
                pixels = " ".join(map(str, image.ravel().tolist()))
                writer.writerow([row["emotion"], pixels, row["Usage"]])
    return path


def mien_in(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A command in a folder; its arguments stand by their places, as `Run` passes them."""
    return mien(*words, cwd=folder)


def on_tensorflow(function: Callable[..., Any], *arguments: object) -> Any:
    """As `Run`, in this process."""
    assert keras.backend.backend() == "tensorflow"
    return function(*arguments)


def pipelines() -> Iterator[object]:
    """Each network on each backend; those that take up to two minutes are slow."""
    for name, settings in SETTINGS.items():
        is_large = settings is SMALL or name == "wide_cnn"
        for backend, is_slow in (("tensorflow", is_large), ("jax", name != "plain_cnn")):
            yield pytest.param(name, backend, marks=[pytest.mark.slow] if is_slow else [])


@pytest.mark.parametrize(("name", "backend"), list(pipelines()))
def test_a_pipeline_runs_by_one_command(
    name: str, backend: str, reduced: Path, tmp_path: Path, request: pytest.FixtureRequest
):
    run = request.getfixturevalue("on_jax") if backend == "jax" else on_tensorflow
    recipe = Path(__file__).parent.parent / "recipes" / f"{name}.py"
    settings = [word for setting in SETTINGS[name] for word in ("--set", setting)]
    words = ("train", recipe, "--data", reduced, "--out", "run", "--pretrained", "none", *settings)
    done = run(mien_in, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "run" / "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in history] == [1, 2]
    assert all(np.isfinite(float(value)) for row in history for value in row.values())
    recipe_there = json.loads((tmp_path / "run" / "recipe.json").read_text())
    expected = [1, 2] if recipe_there["phases"] else [1, 1]
    assert [float(row["phase"]) for row in history] == expected
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["backend"] == backend
    made = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"best.keras", "curves.png", "augmentation.png"} <= made
    assert ("model.onnx" in made) is (backend == "tensorflow")
    assert ("checkpoints" in made) is (name == "wide_cnn")
