from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs the train extra")

from mien.errors import RecipeError
from mien.training.recipe import Recipe, load_recipe

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=lambda path: path.stem)
def test_every_published_recipe_loads_and_states_its_command(path: Path):
    recipe = load_recipe(path)
    assert recipe.name.replace("-", "_") == path.stem
    text = path.read_text(encoding="utf-8")
    assert f"mien train recipes/{path.name}" in text
    assert "CLAIM" not in text
    assert recipe.as_dict()["seed"] == recipe.seed


def test_fields_are_set_by_name():
    recipe = Recipe("r", "plain_cnn").replace(
        [
            "epochs=2",
            "precision=mixed_bfloat16",
            "augmentation.rotation_deg=10",
            "drop_duplicates=true",
        ]
    )
    assert (recipe.epochs, recipe.precision, recipe.drop_duplicates) == (2, "mixed_bfloat16", True)
    assert recipe.augmentation.rotation_deg == 10


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epoch=2", r"a recipe has no field 'epoch'; did you mean epochs\?$"),
        ("learnrate=1", r"did you mean learning_rate\?$"),
        ("lr=1", r"did you mean learning_rate\?$"),
        ("rotation_deg=1", r"did you mean augmentation.rotation_deg\?$"),
        ("patience=1", "did you mean early_stopping.patience or reduce_on_plateau.patience"),
        ("early_stoping.patience=1", "did you mean early_stopping.patience"),
        ("qqqq=1", r"no field 'qqqq'; known: name, .* and \d+ more, which pydoc mien.training"),
        ("epochs", "expected FIELD=VALUE"),
        ("epochs=two", "cannot be 'two'; it takes a whole number$"),
        ("early_stopping.patience=x", "'patience' cannot be 'x'; it takes a whole number$"),
        ("clip_norm=x", "it takes a number or null$"),
        ("seed=true", "'seed' cannot be True; it takes a whole number$"),
        ("epochs=-1", "r: epochs must be at least 1"),
        ("batch_size=0", "r: batch_size must be at least 1"),
        ("epochs=1.5", "cannot be 1.5"),
        ("drop_duplicates=1", "cannot be 1"),
        ("optimizer=lion", "must be one of sgd, adam, adamw, muon"),
        ("augmentation=1", "is a group"),
        ("augmentation.spin=1", "Augmentation in the recipe has no field 'spin'; known"),
        ("augmentation.zoom=2", "zoom must be below 1"),
        ("learning_rate=0", "r: learning_rate must be above 0$"),
        ("learning_rate=1e999", "r: learning_rate must be a finite number$"),
        ("augmentation.contrast=1e999", r"r: augmentation\.contrast must be a finite number$"),
        ("weight_decay=-1", "r: weight_decay must not be below 0$"),
        ("ferplus_weight=-1", "r: ferplus_weight must not be below 0$"),
        ("warmup_epochs=-1", "r: warmup_epochs must not be below 0$"),
        ("clip_norm=0", "r: clip_norm must be above 0$"),
        ("label_smoothing=1", r"r: label_smoothing must lie in \[0, 1\)$"),
        ("step_factor=1", "r: step_factor must lie between 0 and 1$"),
        ("phases.1.epochs=3", r"has 0 entries; there is no phases.1 \(the first is 0\)"),
        ("name.first=a", "has no field 'first'"),
    ],
)
def test_impossible_overrides_are_explained(override: str, message: str):
    with pytest.raises(RecipeError, match=message) as raised:
        Recipe("r", "plain_cnn").replace([override])
    assert len(str(raised.value)) < 300


def test_recipe_files_that_are_none_are_explained(tmp_path: Path):
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(tmp_path / "missing.py")
    with pytest.raises(RecipeError, match=r"plain_cn\.py; did you mean .*/plain_cnn\.py\?$"):
        load_recipe(RECIPES / "plain_cn.py")
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(RecipeError, match="no mien Recipe named RECIPE"):
        load_recipe(tmp_path / "empty.py")
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(RecipeError, match="ZeroDivisionError"):
        load_recipe(tmp_path / "broken.py")


def test_fields_that_belong_together_are_set_in_any_order():
    taught = Recipe("student", "slim_resnet", teacher_weight=0.5, teacher_views=3)
    both = ["teacher_weight=0", "teacher_views=0"]
    assert taught.replace(both) == taught.replace(both[::-1]) == Recipe("student", "slim_resnet")
    stepped = taught.replace(["schedule=step", "step_epochs=[3, 5]"])
    assert (stepped.schedule, stepped.step_epochs) == ("step", (3, 5))
    with pytest.raises(RecipeError, match="has no teacher_weight"):
        taught.replace(both[:1])
    twice = taught.replace(["augmentation.zoom=0.1", "augmentation.zoom=0.2", "epochs=3"])
    assert (twice.augmentation.zoom, twice.epochs) == (0.2, 3)
