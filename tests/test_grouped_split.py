"""A validation part whose duplicates do not lie in training."""

import numpy as np
import pytest

from mien.data.grouped_split import grouped_split


def digests_of(groups):
    """A digest per row from a group's number per row; they do not sort like the numbers."""
    return np.array([f"{(number * 7919) % 9973:05d}" for number in groups], "S16")


def test_without_duplicates_each_class_gives_its_fraction():
    labels = np.repeat([0, 1, 2], [40, 25, 10])
    first, second = grouped_split(labels, digests_of(range(75)), 0.1, seed=0)
    assert np.bincount(labels[second]).tolist() == [4, 2, 1]
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(75))
    assert (np.diff(first) > 0).all() and (np.diff(second) > 0).all()


def test_no_group_lies_on_both_sides():
    random = np.random.default_rng(0)
    groups = random.integers(0, 900, 1200)  # many of two and three
    labels = groups % 5
    for seed in range(5):
        first, second = grouped_split(labels, digests_of(groups), 0.1, seed)
        assert not set(groups[first]) & set(groups[second])
        assert len({*groups[second].tolist()}) < len(second), "no duplicate was drawn"
        wanted = np.floor(0.1 * np.bincount(labels))
        assert np.array_equal(np.bincount(labels[second]), wanted)


def test_groups_under_several_labels_stay_for_training():
    labels = np.array([0, 1, *[0] * 9, *[1] * 9])
    groups = np.array([99, 99, *range(18)])
    for seed in range(40):
        first, second = grouped_split(labels, digests_of(groups), 0.4, seed)
        assert {0, 1} <= set(first.tolist())
        assert np.bincount(labels[second]).tolist() == [4, 4]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1], 0),  # a single picture
        ([3], 0),  # one picture three times
        ([1, 1], 1),
        ([1] * 9, 1),
        ([5, 5], 5),  # no group fits, half may go
        ([6, 4], 4),
        ([8, 1, 1], 1),
        ([], 0),
    ],
)
def test_small_classes(sizes, expected):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.full(len(groups), 3)
    _, second = grouped_split(labels, digests_of(groups), 0.1, seed=1)
    assert len(second) == expected


def test_the_seed_decides_and_nothing_else():
    labels = np.arange(300) % 3
    one, again, other = (
        grouped_split(labels, digests_of(range(300)), 0.2, seed)[1].tolist() for seed in (1, 1, 2)
    )
    assert one == again != other
    # Digests only say what is equal: how they are made changes nothing.
    renamed = np.array([f"{999 - row:03d}" for row in range(300)], "S16")
    assert grouped_split(labels, renamed, 0.2, 1)[1].tolist() == one
