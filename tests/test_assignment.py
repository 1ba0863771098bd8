"""The assignment problem, against SciPy."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from mien.recognition.assignment import cheapest_pairs


def check(costs: np.ndarray) -> None:
    rows, columns = cheapest_pairs(costs)
    assert len(rows) == len(columns) == min(costs.shape)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(set(columns.tolist())) == len(columns)
    least = costs[linear_sum_assignment(costs)].sum()
    assert costs[rows, columns].sum() == pytest.approx(least, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (3, 3), (2, 7), (10, 6), (40, 40)])
def test_costs_of_all_kinds(shape) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        check(rng.uniform(0, 20, shape))
        check(rng.normal(0, 5, shape))
        check(np.minimum(rng.uniform(0, 20, shape), 12.0))  # cut off, as those of tracks
        check(rng.integers(0, 3, shape).astype(np.float64))  # many ties
        check(np.add.outer(rng.uniform(size=shape[0]), rng.uniform(size=shape[1])))
        check(1e6 * rng.uniform(size=shape) ** 8)


def test_few_against_all_permutations() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        costs = rng.uniform(0, 1, (4, 6))
        least = min(costs[range(4), list(chosen)].sum() for chosen in permutations(range(6), 4))
        assert costs[cheapest_pairs(costs)].sum() == pytest.approx(least)


def test_the_cheapest_for_each_is_not_the_cheapest_for_all() -> None:
    rows, columns = cheapest_pairs(np.array([[1.0, 2.0], [1.0, 9.0]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_pair(shape) -> None:
    rows, columns = cheapest_pairs(np.empty(shape))
    assert (len(rows), len(columns)) == (0, 0)
    assert np.empty(shape)[rows, columns].shape == (0,)


@pytest.mark.parametrize("costs", [np.array([1.0]), np.array([[np.nan]]), np.array([[np.inf, 1]])])
def test_what_is_no_table_of_costs(costs) -> None:
    with pytest.raises(ValueError, match="expected a table of finite costs"):
        cheapest_pairs(costs)
