"""Splits: official ones as they come, stratified ones by the class."""

import numpy as np
import pytest

from mien.data.splits import (
    OFFICIAL,
    SplitPlan,
    assign,
    cautions,
    divided,
    resolved,
    stratified_split,
    without_training_duplicates,
    without_validation_duplicates,
)
from mien.errors import DatasetError
from mien.samples import Split
from samples_factory import SPLITS, random_faces, samples_of

FER2013_TRAINING = (3995, 436, 4097, 7215, 4830, 3171, 4965)


def made_up(n=60):
    splits = [SPLITS[0]] * (n - 10) + [SPLITS[1]] * 5 + [SPLITS[2]] * 5
    return samples_of(random_faces(n, side=8), [i % 3 for i in range(n)], splits)


def test_published_counts_of_fer2013():
    labels = np.repeat(np.arange(7), FER2013_TRAINING)
    first, second = stratified_split(labels, 0.3, seed=42)
    assert (len(first), len(second)) == (20_099, 8_610)
    per_class = np.bincount(labels[second])
    assert per_class.tolist() == [int(n * 3 // 10) for n in FER2013_TRAINING]
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(len(labels)))
    assert (np.diff(first) > 0).all() and (np.diff(second) > 0).all()


def test_floor_does_not_suffer_from_binary_fractions():
    labels = np.zeros(10, dtype=np.int64)
    for tenths in range(10):
        assert len(stratified_split(labels, tenths / 10, seed=0)[1]) == tenths


def test_seed_decides_which_rows():
    labels = np.arange(300) % 3
    _, one = stratified_split(labels, 0.2, seed=1)
    _, again = stratified_split(labels, 0.2, seed=1)
    _, other = stratified_split(labels, 0.2, seed=2)
    assert np.array_equal(one, again)
    assert len(one) == len(other) == 60
    assert not np.array_equal(one, other)


def test_rows_are_not_taken_by_position():
    _, second = stratified_split(np.zeros(1000, dtype=np.int64), 0.5, seed=0)
    assert 400 < second.mean() < 600


def test_official_splits_stay():
    samples = made_up()
    for planned in (assign(samples), assign(samples, OFFICIAL)):
        assert planned.splits is samples.splits
        assert planned.images is samples.images
        assert planned.layout == "used as they are"


def test_carving_validation_out_of_train():
    samples = made_up()
    planned = assign(samples, SplitPlan(validation_fraction=0.25, seed=3))
    counts = {split.value: int(count.sum()) for split, count in planned.counts().items()}
    assert counts == {"train": 38, "validation": 12, "test": 10}  # 17, 17, 16 rows: 4 each
    assert (planned.splits[50:] == "test").all()
    assert planned.labels is samples.labels
    assert planned.layout == (
        "25 % of each training class carved out for validation, validation rows moved to test"
    )
    assert (samples.splits[:50] == "train").all()


def two_parts():
    """Train and test alone; every training picture twice, and one of them in test as well."""
    images = random_faces(120, side=8)
    images[1:100:2] = images[0:100:2]
    images[110] = images[0]
    labels = [row // 2 % 5 for row in range(120)]
    return samples_of(images, labels, ["train"] * 100 + ["test"] * 20)


def test_a_tenth_validates_where_there_is_no_validation_part():
    samples = two_parts()
    planned = assign(samples, SplitPlan())
    counts = {split.value: rows[:5].tolist() for split, rows in planned.counts().items()}
    assert counts == {"train": [18] * 5, "validation": [2] * 5, "test": [4] * 5}
    assert (planned.splits[100:] == "test").all()
    assert (planned.splits[:100:2] == planned.splits[1:100:2]).all(), "duplicates lie apart"
    assert planned.layout == (
        "no validation part, so 10 % of each training class carved out for validation, "
        "duplicates kept on one side"
    )
    other = assign(samples, SplitPlan(seed=1))
    assert not np.array_equal(other.splits, planned.splits)


def test_the_plan_that_a_card_keeps_gives_the_same_split():
    samples = two_parts()
    plan = resolved(samples, SplitPlan(seed=4))
    assert plan == SplitPlan(0.1, seed=4, duplicates_together=True)
    assert np.array_equal(assign(samples, plan).splits, assign(samples, SplitPlan(seed=4)).splits)
    assert resolved(samples, OFFICIAL) == OFFICIAL
    assert resolved(samples, SplitPlan(0.3)) == SplitPlan(0.3)


def test_a_validation_part_that_is_there_is_used():
    samples = made_up()
    assert resolved(samples, SplitPlan()) == OFFICIAL
    assert assign(samples, SplitPlan()).splits is samples.splits
    moved = assign(samples, SplitPlan(0.1, duplicates_together=True))
    assert moved.layout.endswith("validation rows moved to test, duplicates kept on one side")
    # Nothing is carved out where nobody wants it.
    assert Split.VALIDATION not in assign(two_parts(), OFFICIAL).counts()


def test_a_class_too_small_for_a_tenth_stops_nothing():
    parts = assign(of_counts([20, 1, 3, 20]), SplitPlan()).counts()
    assert parts[Split.VALIDATION][:4].tolist() == [2, 0, 1, 2]
    assert parts[Split.TRAIN][:4].tolist() == [18, 1, 2, 18]


def test_rows_divided_as_a_recipe_does():
    samples = two_parts()
    assert np.array_equal(divided(samples, SplitPlan()).splits, assign(samples, SplitPlan()).splits)
    assert len(divided(samples, OFFICIAL, drop_duplicates=True)) == 118  # both of test's picture
    apart = assign(samples, SplitPlan(0.5))
    seen = without_validation_duplicates(apart)
    assert len(seen) < len(samples)
    again = divided(samples, SplitPlan(0.5), drop_validation_duplicates=True)
    assert list(again.names) == list(seen.names)


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5])
def test_impossible_fractions(fraction):
    with pytest.raises(ValueError, match="fraction in"):
        SplitPlan(validation_fraction=fraction)


def of_counts(counts, *, validation=()):
    """Training rows of each class, then validation rows of each."""
    labels = [*np.repeat(np.arange(len(counts)), counts), *validation]
    splits = ["train"] * sum(counts) + ["validation"] * len(validation)
    return samples_of(random_faces(len(labels), side=8), labels, splits)


def test_no_training_rows():
    with pytest.raises(DatasetError, match="made up has no training rows"):
        assign(samples_of(random_faces(2, side=8), [0, 1], ["test", "test"]))


@pytest.mark.parametrize(("rows", "given"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (7, 2)])
def test_a_small_class_gives_one_row_and_keeps_its_last(rows, given):
    plan = SplitPlan(validation_fraction=0.3)
    parts = assign(of_counts([20, rows, 20]), plan).counts()
    assert parts[Split.VALIDATION][:3].tolist() == [6, given, 6]
    assert parts[Split.TRAIN][:3].tolist() == [14, rows - given, 14]


def test_cautions_name_the_classes():
    whole = of_counts([20] * 7, validation=range(7))
    assert cautions({split: whole.of(split) for split in Split}) == []
    poor = of_counts([20, 1, 9, 10], validation=[0, 0, 3])
    few, blind = cautions({split: poor.of(split) for split in Split})
    assert few.startswith("few training rows: disgust 1, fear 9, sad 0, surprise 0, neutral 0;")
    assert blind.startswith("no validation rows: disgust, fear;")
    assert cautions({Split.TEST: poor}) == []


def test_without_training_duplicates():
    images = random_faces(6, side=8)
    images[2] = images[4]  # train like validation
    images[1] = images[0]  # train like train
    splits = ["train", "train", "train", "train", "validation", "test"]
    kept = without_training_duplicates(samples_of(images, [0] * 6, splits))
    assert list(kept.names) == ["row 2", "row 3", "row 5", "row 6", "row 7"]
    assert kept.layout == "1 training rows with a duplicate in validation or test left out"


def test_without_validation_duplicates():
    images = random_faces(7, side=8)
    images[4] = images[2]  # validation like train
    images[5] = images[3]  # validation like test
    images[6] = images[1]  # test like train
    splits = ["train", "train", "train", "test", "validation", "validation", "test"]
    kept = without_validation_duplicates(samples_of(images, [0] * 7, splits))
    assert list(kept.names) == [f"row {number}" for number in (2, 3, 4, 5, 7, 8)]
    assert kept.layout == "1 validation rows with a duplicate in training left out"
