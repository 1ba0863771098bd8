import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mien.cli.app import app
from mien.model import store
from mien.zoo.catalogue import ARCHITECTURES, MEASURED_ON, Architecture

RECIPES = Path(__file__).parent.parent / "recipes"


def models(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["models", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_and_is_whole(monkeypatch: pytest.MonkeyPatch, columns: int):
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = models().split("\nModels\n")[0]
    assert max(map(len, shown.splitlines())) <= columns
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line}
    for name, entry in ARCHITECTURES.items():
        cells = rows[name]
        assert cells[1] == f"{entry.parameters:,}"
        assert cells[3] == "x".join(map(str, entry.default_input.shape))
    assert "69.3 (67.7-70.7)" in shown
    assert f"{MEASURED_ON}." in shown.splitlines()


def test_json_has_every_fact():
    (line,) = models("--json").splitlines()
    facts = json.loads(line)
    assert [network["name"] for network in facts["networks"]] == list(ARCHITECTURES)
    for network in facts["networks"]:
        assert set(network) == {"name", *(field.name for field in fields(Architecture))}
        entry = ARCHITECTURES[network["name"]]
        assert network["parameters"] == entry.parameters
        assert network["default_input"] == list(entry.default_input.shape)
    assert [file["name"] for file in facts["models"]] == list(store.MODEL_FILES)
    assert facts["models"][0]["path"] == str(store.find("mien-small"))
    assert facts["measured_on"] == MEASURED_ON


def test_the_catalogues_scores_are_of_recipes_of_these_very_networks():
    pytest.importorskip("keras", reason="needs the train extra")
    from mien.training.recipe import load_recipe

    recipes = {load_recipe(path).name: load_recipe(path) for path in RECIPES.glob("*.py")}
    measured = {name: entry.public_test for name, entry in ARCHITECTURES.items()}
    assert sum(score is not None for score in measured.values()) >= 3
    for name, score in measured.items():
        if score is not None:
            recipe = recipes[score.recipe.split(",")[0]]
            assert (recipe.architecture, recipe.architecture_options) == (name, {})


def test_the_catalogue_makes_sense():
    for name, entry in ARCHITECTURES.items():
        # Four bytes for each parameter; the exporter folds some of batch normalisation's.
        assert entry.onnx_bytes == pytest.approx(4 * entry.parameters, rel=0.02), name
        assert entry.ms_per_face is None or entry.ms_per_face > 0
        assert entry.head or not entry.pretrained
        if entry.public_test:
            low, high = entry.public_test.accuracy_ci95
            assert 0 < low < entry.public_test.accuracy < high < 1


def test_no_keras_is_needed():
    """The zoo's facts, where only the run time is installed."""
    blocked = "import sys; sys.modules['keras'] = sys.modules['tensorflow'] = None; "
    run = "from mien.cli.app import main; sys.argv = ['mien', 'models']; main()"
    done = subprocess.run(
        [sys.executable, "-c", blocked + run], capture_output=True, text=True, check=True
    )
    assert "resnet50" in done.stdout
    build = (
        "from mien import zoo; from mien.preprocessing import InputSpec\n"
        "try: zoo.build('plain_cnn', InputSpec(48, 48, 1), 7)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    code = f"import sys; sys.modules['keras'] = None\n{build}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingExtraError keras")


def test_a_damaged_default_model_is_one_line(tmp_path: Path):
    path = tmp_path / "mien-small.onnx"
    path.write_bytes(b"broken")
    code = (
        "import sys; from pathlib import Path; from mien.model import store; "
        f"store._PACKAGED = Path({str(tmp_path)!r}); "
        "from mien.cli.app import main; sys.argv = ['mien', 'models']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: ")
