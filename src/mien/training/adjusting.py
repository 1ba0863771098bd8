"""A recipe made to fit: what a person changes of it, and what it can learn from here.

A recipe file says how a network was, or would best be, trained. Two things change for one run:
fields that are set by name, and what a recipe learns from beside labels where that is not there.
Nothing is changed in silence: what is left out is told before the first epoch, and the run folder
and the card have the recipe as it ran.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from mien.errors import RecipeError
from mien.training.overrides import field_of
from mien.training.pretrained import IMAGENET, NONE
from mien.training.recipe import Recipe

_OF_TEACHERS = ("teacher_", "teaching", "unlabelled_")
"""How the names of the fields begin that say what is learned from teachers."""


def for_run(
    recipe: Recipe,
    options: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    votes: bool,
    teachers: int,
) -> tuple[Recipe, tuple[str, ...]]:
    """A recipe for one run: `adjusted`, and without what is not there to learn from.

    Args:
        recipe: as its file has it.
        options: as in `adjusted`.
        overrides: as in `adjusted`.
        votes: whether there are FER+ votes.
        teachers: how many networks there are to learn from.

    Returns:
        The recipe, and a sentence for each thing that was left out (see `with_what_there_is`);
        what a person has set by name is never left out.

    Raises:
        RecipeError: as `adjusted`.
    """
    asked = [name for name, value in options.items() if value is not None]
    asked += map(field_of, overrides)
    changed = adjusted(recipe, options, overrides)
    return with_what_there_is(changed, votes=votes, teachers=teachers, asked=asked)


def adjusted(recipe: Recipe, options: Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """A recipe with fields changed as on a command line.

    Args:
        recipe: what is changed.
        options: fields with options of their own, by name; those that are None stay. ``epochs``
            counts for every phase. ``learning_rate`` is that of the first phase; the other rates
            keep their proportion to it.
        overrides: further fields as ``name=value``, see `Recipe.replace`.

    Raises:
        RecipeError: a field does not exist, a value is impossible, or a field is given twice.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in {field_of(override) for override in overrides} & set(given):
        raise RecipeError(
            f"{name} is given twice, by --{name.replace('_', '-')} and by --set; leave one out"
        )
    if "epochs" in given:
        phases = tuple(replace(phase, epochs=None) for phase in recipe.phases)
        recipe = replace(recipe, phases=phases)
    changed = replace(recipe, **given)
    if "learning_rate" in given:
        changed = replace(changed, **_rates(recipe, given["learning_rate"]))
    return changed.replace(overrides)


def with_what_there_is(
    recipe: Recipe, *, votes: bool, teachers: int, asked: Sequence[str] = ()
) -> tuple[Recipe, tuple[str, ...]]:
    """A recipe less what it would learn from beside the labels and what is not there.

    Args:
        recipe: as a person has changed it.
        votes: whether there are FER+ votes.
        teachers: how many networks there are to learn from.
        asked: names of fields that a person has set; they stay as they are, and the training
            says what they lack.

    Returns:
        The recipe, and a sentence for each thing that was left out.
    """
    left_out: dict[str, Any] = {}
    notes = []
    if recipe.ferplus_weight and not votes and "ferplus_weight" not in asked:
        left_out["ferplus_weight"] = 0.0
        notes.append("FER+ votes (--ferplus FILE): it learns without the second head")
    if recipe.teacher_weight and not teachers and not _any_of_teachers(asked):
        at_rest = Recipe("", "")
        of_teachers = [each.name for each in fields(Recipe) if _any_of_teachers([each.name])]
        left_out |= {name: getattr(at_rest, name) for name in of_teachers}
        notes.append("teachers (--teacher MODEL): it learns from the labels alone")
    if (
        recipe.pretrained not in (NONE, IMAGENET)
        and "pretrained" not in asked
        and not Path(recipe.pretrained).expanduser().is_file()
    ):
        left_out["pretrained"] = NONE
        ending = "it starts anew"
        if "start_share" not in asked:
            left_out["start_share"] = 0.0  # what a new network starts with is chance
        if recipe.phases and "phases" not in asked:
            left_out["phases"] = ()  # to freeze layers that have learned nothing would be wrong
            ending += ", and every layer learns"
        notes.append(f"{recipe.pretrained} (--pretrained FILE): {ending}")
    return replace(recipe, **left_out), tuple(f"without {note}" for note in notes)


def _any_of_teachers(names: Sequence[str]) -> bool:
    return any(name.startswith(_OF_TEACHERS) for name in names)


def _rates(recipe: Recipe, rate: float) -> dict[str, Any]:
    """The fields that hold learning rates, with this one in the first phase."""
    first = recipe.plan[0].learning_rate or recipe.learning_rate

    def scaled(value: float) -> float:
        return rate if value == first else value * rate / first

    phases = tuple(
        replace(phase, learning_rate=phase.learning_rate and scaled(phase.learning_rate))
        for phase in recipe.phases
    )
    return {"learning_rate": scaled(recipe.learning_rate), "phases": phases}
