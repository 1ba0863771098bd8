"""Recipes made to fit one run: options of their own, and what there is to learn from."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs the train extra")

from mien.errors import RecipeError
from mien.training.adjusting import adjusted, for_run, with_what_there_is
from mien.training.phases import Phase
from mien.training.recipe import Recipe, load_recipe

RECIPES = Path(__file__).parent.parent / "recipes"
PLAIN = Recipe("r", "plain_cnn", learning_rate=0.01)
PHASED = Recipe(
    "p",
    "resnet50",
    learning_rate=0.1,
    phases=(
        Phase(trainable="head", epochs=5, learning_rate=1e-3),
        Phase(learning_rate=1e-5),
        Phase(),
    ),
)


def test_options_set_their_fields():
    options = {
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.5,
        "seed": 9,
        "precision": "mixed_bfloat16",
    }
    changed = adjusted(PLAIN, options, ["augmentation.zoom=0.2"])
    assert {name: getattr(changed, name) for name in options} == options
    assert changed.augmentation.zoom == 0.2
    assert adjusted(PLAIN, dict.fromkeys(options)) == PLAIN


def test_epochs_count_for_every_phase_and_set_for_one():
    assert [phase.epochs for phase in adjusted(PHASED, {"epochs": 1}).plan] == [1, 1, 1]
    changed = adjusted(PHASED, {"epochs": 1}, ["phases.0.epochs=4"])
    assert [phase.epochs for phase in changed.plan] == [4, 1, 1]
    assert [phase.trainable for phase in changed.plan] == ["head", "all", "all"]


def test_rates_of_later_phases_keep_their_proportion():
    rates = [phase.learning_rate for phase in adjusted(PHASED, {"learning_rate": 2e-3}).plan]
    assert rates == pytest.approx([2e-3, 2e-5, 0.2])
    assert rates[0] == 2e-3
    assert adjusted(PLAIN, {"learning_rate": 0.3}).learning_rate == 0.3
    later = Recipe("l", "resnet50", learning_rate=0.1, phases=(Phase(), Phase(learning_rate=0.01)))
    rates = [phase.learning_rate for phase in adjusted(later, {"learning_rate": 0.05}).plan]
    assert rates == pytest.approx([0.05, 0.005])


@pytest.mark.parametrize(
    ("options", "overrides", "message"),
    [
        ({"epochs": 0}, [], "p: epochs must be at least 1"),
        ({"learning_rate": 0.0}, [], "p: learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, [], "p: learning_rate must be a finite number"),
        ({"batch_size": -1}, [], "p: batch_size must be at least 1"),
        ({"precision": "float8"}, [], "must be one of float32, mixed_bfloat16, mixed_float16"),
        ({"batch_size": 3}, ["batch_size=4"], "batch_size is given twice, by --batch-size and by"),
        ({"seed": 3}, ["sed=4"], "did you mean seed"),
    ],
)
def test_impossible_options_are_explained(options, overrides, message):
    with pytest.raises(RecipeError, match=message):
        adjusted(PHASED, options, overrides)


TAUGHT = Recipe(
    "t", "slim_resnet", ferplus_weight=1.0, teacher_weight=0.7, teacher_views=4, teacher_mixup=0.5
)


def test_what_is_not_there_is_left_out_and_told():
    recipe, notes = with_what_there_is(TAUGHT, votes=False, teachers=0)
    assert recipe == Recipe("t", "slim_resnet")
    assert notes == (
        "without FER+ votes (--ferplus FILE): it learns without the second head",
        "without teachers (--teacher MODEL): it learns from the labels alone",
    )
    assert with_what_there_is(TAUGHT, votes=True, teachers=2) == (TAUGHT, ())
    half, notes = with_what_there_is(TAUGHT, votes=True, teachers=0)
    assert (half.ferplus_weight, half.teacher_weight, len(notes)) == (1.0, 0.0, 1)
    assert with_what_there_is(PLAIN, votes=False, teachers=0) == (PLAIN, ())


def test_what_a_person_asked_for_is_not_left_out():
    recipe, notes = for_run(TAUGHT, {}, ["teacher_weight=0.2"], votes=False, teachers=0)
    assert (recipe.teacher_weight, recipe.ferplus_weight) == (0.2, 0.0)
    assert [note.split()[1] for note in notes] == ["FER+"]
    with pytest.raises(RecipeError, match="name them: --teacher"):
        recipe.check_teachers(0)
    recipe, notes = for_run(PLAIN, {}, ["ferplus_weight=0.5"], votes=False, teachers=0)
    assert (recipe.ferplus_weight, notes) == (0.5, ())
    with pytest.raises(RecipeError, match=r"--ferplus fer2013new\.csv, or --set ferplus_weight=0"):
        recipe.check_votes(False)


def test_a_file_of_weights_that_is_not_there(tmp_path: Path):
    weights = tmp_path / "faces.dat"
    recipe = Recipe("d", "face_resnet", pretrained=str(weights), phases=(Phase(trainable="head"),))
    changed, (note,) = with_what_there_is(recipe, votes=False, teachers=0)
    assert (changed.pretrained, changed.phases) == ("none", ())
    blended = replace(recipe, start_share=0.5)
    assert with_what_there_is(blended, votes=False, teachers=0)[0].start_share == 0
    assert str(weights) in note and "starts anew" in note
    kept, (note,) = with_what_there_is(recipe, votes=False, teachers=0, asked=["phases"])
    assert kept.phases == recipe.phases and note.endswith("it starts anew")
    # As it was asked for, it stays, and the training says that it is not there.
    asked, notes = for_run(PLAIN, {"pretrained": str(weights)}, votes=False, teachers=0)
    assert (asked.pretrained, notes) == (str(weights), ())
    weights.write_bytes(b"")
    assert with_what_there_is(recipe, votes=False, teachers=0) == (recipe, ())
    imagenet = Recipe("i", "resnet50", pretrained="imagenet")
    assert with_what_there_is(imagenet, votes=False, teachers=0) == (imagenet, ())


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=lambda path: path.stem)
def test_every_published_recipe_asks_for_nothing_but_faces(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    recipe, _ = for_run(load_recipe(path), {"epochs": 1}, votes=False, teachers=0)
    recipe.check_votes(False)
    recipe.check_teachers(0)
    assert recipe.total_epochs == len(recipe.plan)
    assert recipe.pretrained in ("none", "imagenet")
