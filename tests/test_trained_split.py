"""Validation rows that a training carved out, found again."""

from dataclasses import replace

import numpy as np
import pytest

from mien.data.splits import OFFICIAL, SplitPlan, assign, divided, resolved
from mien.errors import ModelError
from mien.labels import FER2013
from mien.model.card import ModelCard
from mien.samples import Samples, Split
from mien.workflows import trained_split
from mien.workflows.trained_split import with_validation
from samples_factory import random_faces, samples_of


def two_parts(seed: int = 0) -> Samples:
    images = random_faces(90, side=8, seed=seed)
    images[1] = images[0]
    return samples_of(images, [row % 7 for row in range(90)], ["train"] * 70 + ["test"] * 20)


def card_of(samples: Samples, plan: SplitPlan, **recipe: object) -> ModelCard:
    """The card of a training on these rows."""
    parts = divided(samples, plan, **{name: bool(value) for name, value in recipe.items()})
    data = {
        split.value: {"n": len(parts.of(split)), "sha256": parts.of(split).sha256()}
        for split in (Split.TRAIN, Split.VALIDATION)
    }
    fields = {
        "validation_fraction": plan.validation_fraction,
        "seed": plan.seed,
        "duplicates_together": plan.duplicates_together,
    }
    shape = (8, 8, 1)
    return ModelCard(
        *("m", "a", FER2013.keys, shape, "fer2013"), recipe={"split": fields, **recipe}, data=data
    )


def test_rows_of_the_same_set_are_divided_as_they_were():
    samples = two_parts()
    card = card_of(samples, resolved(samples, SplitPlan()))
    found = with_validation(samples, card)
    assert np.array_equal(found.splits, assign(samples, SplitPlan()).splits)
    assert np.array_equal(with_validation(samples, card, card).splits, found.splits)
    dropping = card_of(samples, SplitPlan(0.4), drop_validation_duplicates=True)
    rows = with_validation(samples, dropping).of(Split.VALIDATION)
    assert rows.sha256() == dropping.data["validation"]["sha256"]


def test_other_rows_are_left_as_they_are():
    samples = two_parts()
    plan = resolved(samples, SplitPlan())
    card = card_of(samples, plan)
    other = two_parts(seed=1)
    assert with_validation(other, card) is other
    tests_alone = samples.of(Split.TEST)
    assert with_validation(tests_alone, card) is tests_alone
    own = replace(samples, splits=np.where(np.arange(90) < 60, "train", "validation"))
    assert with_validation(own, card) is own
    # A network that was trained on some of the other's validation rows is not measured on them.
    second = card_of(samples, replace(plan, seed=5))
    assert with_validation(samples, card, second) is samples
    assert with_validation(samples, second) is not samples
    for unknown in (
        replace(card, recipe={}),
        replace(card, data={}),
        replace(card, recipe={"split": {"validation_fraction": 7}}),
        card_of(own, OFFICIAL),
    ):
        assert with_validation(samples, unknown) is samples
    few = samples_of(random_faces(8, side=8), [0] * 7 + [1], ["train"] * 8)
    assert with_validation(few, card_of(samples, SplitPlan(0.3))) is few


def test_a_card_without_a_plan_is_explained():
    samples = two_parts()
    card = card_of(samples, SplitPlan(0.2))
    assert np.array_equal(
        trained_split.divided(samples, card).splits, assign(samples, SplitPlan(0.2)).splits
    )
    with pytest.raises(ModelError, match=r"m does not say how .* leave out --recipe-split"):
        trained_split.divided(samples, replace(card, recipe={}))
