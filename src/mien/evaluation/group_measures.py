"""What is measured of a group of faces: a value, its interval, and its values in random groups.

Intervals are bootstrap intervals that hold for 30 faces as for 30,000. The percentile bootstrap,
which reports use for whole splits, was tried and left out here: where all 30 are right it has no
width, and its interval of a small ECE never contains the true one, because resampling adds to
the ECE's upward bias. Instead:

* shares (accuracy, uncertain, not found, answers) and recalls: the Bayesian bootstrap (Rubin,
  1981) with half a row of each kind added (Jeffreys), so shares are drawn from a beta distribution;
* means: the Bayesian bootstrap, rows weighted by draws from a flat Dirichlet distribution;
* ECE: the test is inverted; see `mien.evaluation.group_calibration`.

tests/test_group_coverage.py measures how often each contains the truth.

Sources: Rubin, The Annals of Statistics 9, 1981; Brown, Cai & DasGupta, Statistical Science 16,
2001 (Jeffreys' interval).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.bootstrap import Interval, interval
from mien.evaluation.metrics import RESAMPLES

Better = Literal["high", "low", "neither"]
"""Which end of a measure is the better one."""

CLASS_ROWS = 5
"""Faces of a class in every compared group, below which it is left out of the macro recall."""

_CHUNK = 4_000_000
"""Random numbers drawn at a time."""


class Measure(Protocol):
    """Something that can be measured of any of the faces."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def better(self) -> Better:
        """Which end is the better one."""
        ...

    @property
    def is_biased(self) -> bool:
        """Whether chance moves its `statistic` in small groups."""
        ...

    @property
    def n(self) -> int:
        """Faces that there are."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Keys of the classes that it averages over; empty for none."""
        ...

    def value(self, rows: NDArray[np.int64]) -> float | None:
        """The value for the faces at these positions; None where there is nothing to measure."""
        ...

    def statistic(self, rows: NDArray[np.int64]) -> float | None:
        """What `permuted` gives for random groups; the value, unless chance moves that upwards."""
        ...

    def ci95(self, rows: NDArray[np.int64], generator: np.random.Generator) -> Interval:
        """Its 95 % interval."""
        ...

    def of_expressions(
        self, rows: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """Values that the groups would have if each class were read alike in all of them, so that
        they differ by the expressions that they show alone, (groups,); None where that says
        nothing.

        Args:
            rows: positions of the compared faces, (m,).
            codes: group of each, from 0, (m,).
        """
        ...

    def permuted(
        self,
        rows: NDArray[np.int64],
        codes: NDArray[np.int64],
        n_permutations: int,
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Values of random groups of the same sizes, (n_permutations, groups).

        Args:
            rows: positions of the compared faces, (m,).
            codes: group of each, from 0, (m,).
            n_permutations: random divisions.
            generator: source of chance.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """The part of the faces of which something is true."""

    name: str
    """What it is called."""
    hits: NDArray[np.bool_]
    """Of which faces it is true, (n,)."""
    better: Better
    """Which end is the better one."""
    among: NDArray[np.bool_] | None = None
    """The faces that count, (n,); all where None."""
    labels: NDArray[np.int64] | None = None
    """Class of each face, (n,); None where that is not known."""
    classes: tuple[str, ...] = ()
    """None."""
    is_biased: bool = False
    """It is not."""

    @property
    def n(self) -> int:
        """Faces that there are."""
        return len(self.hits)

    def value(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.value`."""
        rows = _those(rows, self.among)
        return float(self.hits[rows].mean()) if len(rows) else None

    def statistic(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.statistic`."""
        return self.value(rows)

    def ci95(self, rows: NDArray[np.int64], generator: np.random.Generator) -> Interval:
        """See `Measure.ci95`."""
        rows = _those(rows, self.among)
        hits, n = int(self.hits[rows].sum()), len(rows)
        return _around(interval(_shares(hits, n, generator)), hits / n)

    def of_expressions(
        self, rows: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """See `Measure.of_expressions`."""
        if self.labels is None or self.among is not None:
            return None
        labels = self.labels[rows]
        of_class = np.bincount(labels, self.hits[rows]) / np.maximum(np.bincount(labels), 1)
        return np.asarray(np.bincount(codes, of_class[labels]) / np.bincount(codes))

    def permuted(
        self,
        rows: NDArray[np.int64],
        codes: NDArray[np.int64],
        n_permutations: int,
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See `Measure.permuted`."""
        if self.among is not None:
            rows, codes = rows[self.among[rows]], codes[self.among[rows]]
        sizes = np.bincount(codes)
        hits = int(self.hits[rows].sum())
        # How many hits fall to each group where rows are dealt out at random.
        dealt = generator.multivariate_hypergeometric(sizes, hits, size=n_permutations)
        return np.asarray(dealt / sizes)


@dataclass(frozen=True, slots=True, eq=False)
class MacroRecall:
    """Mean recall over classes that every compared group has enough faces of."""

    name: str
    """What it is called."""
    labels: NDArray[np.int64]
    """Class of each face, (n,)."""
    correct: NDArray[np.bool_]
    """Whether each was classified right, (n,)."""
    averaged: tuple[int, ...]
    """The classes that count; see `shared_classes`."""
    classes: tuple[str, ...]
    """Their keys."""
    better: Better = "high"
    """More is better."""
    is_biased: bool = False
    """It is not."""

    @property
    def n(self) -> int:
        """Faces that there are."""
        return len(self.labels)

    def value(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.value`."""
        hits, counts = self._counted(rows)
        if not self.averaged or not counts.all():
            return None
        return float((hits / counts).mean())

    def statistic(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.statistic`."""
        return self.value(rows)

    def ci95(self, rows: NDArray[np.int64], generator: np.random.Generator) -> Interval:
        """See `Measure.ci95`."""
        hits, counts = self._counted(rows)
        drawn = [_shares(h, n, generator) for h, n in zip(hits, counts, strict=True)]
        return _around(interval(np.mean(drawn, axis=0)), float((hits / counts).mean()))

    def of_expressions(
        self, rows: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """None: see `Measure.of_expressions`."""
        return None

    def permuted(
        self,
        rows: NDArray[np.int64],
        codes: NDArray[np.int64],
        n_permutations: int,
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See `Measure.permuted`; rows are dealt out within each class."""
        n_groups = int(codes.max()) + 1
        total = np.zeros((n_permutations, n_groups))
        for label in self.averaged:
            of_class = self.labels[rows] == label
            sizes = np.bincount(codes[of_class], minlength=n_groups)
            hits = int(self.correct[rows][of_class].sum())
            total += generator.multivariate_hypergeometric(sizes, hits, size=n_permutations) / sizes
        return total / len(self.averaged)

    def _counted(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hits and faces of each class that counts."""
        n_classes = max((int(self.labels.max()), *self.averaged)) + 1
        counts = np.bincount(self.labels[rows], minlength=n_classes)
        hits = np.bincount(self.labels[rows][self.correct[rows]], minlength=n_classes)
        chosen = list(self.averaged)
        return hits[chosen], counts[chosen]


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """The mean of a number that every face has."""

    name: str
    """What it is called."""
    values: NDArray[np.float64]
    """The number of each face, (n,)."""
    better: Better = "neither"
    """Which end is the better one."""
    among: NDArray[np.bool_] | None = None
    """The faces that count, (n,); all where None."""
    classes: tuple[str, ...] = ()
    """None."""
    is_biased: bool = False
    """It is not."""

    @property
    def n(self) -> int:
        """Faces that there are."""
        return len(self.values)

    def value(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.value`."""
        rows = _those(rows, self.among)
        return float(self.values[rows].mean()) if len(rows) else None

    def statistic(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.statistic`."""
        return self.value(rows)

    def ci95(self, rows: NDArray[np.int64], generator: np.random.Generator) -> Interval:
        """See `Measure.ci95`."""
        values = self.values[_those(rows, self.among)]
        step = max(1, _CHUNK // len(values))
        means = []
        for start in range(0, RESAMPLES, step):
            weights = generator.standard_exponential((min(step, RESAMPLES - start), len(values)))
            means.append(weights @ values / weights.sum(axis=1))
        return interval(np.concatenate(means))

    def of_expressions(
        self, rows: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """None: see `Measure.of_expressions`."""
        return None

    def permuted(
        self,
        rows: NDArray[np.int64],
        codes: NDArray[np.int64],
        n_permutations: int,
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See `Measure.permuted`."""
        if self.among is not None:
            rows, codes = rows[self.among[rows]], codes[self.among[rows]]
        values, sizes = self.values[rows], np.bincount(codes)
        result = np.empty((n_permutations, len(sizes)))
        for row in result:
            row[:] = np.bincount(codes, generator.permutation(values), len(sizes)) / sizes
        return result


def shared_classes(
    labels: NDArray[np.int64], codes: NDArray[np.int64], compared: Sequence[int], n_classes: int
) -> tuple[int, ...]:
    """The classes of which every compared group has at least `CLASS_ROWS` faces.

    Args:
        labels: class of each face, (n,).
        codes: group of each face, (n,).
        compared: the groups.
        n_classes: how many classes there are.
    """
    counts = [np.bincount(labels[codes == code], minlength=n_classes) for code in compared]
    if not counts:
        return ()
    return tuple(np.flatnonzero(np.min(counts, axis=0) >= CLASS_ROWS).tolist())


def _those(rows: NDArray[np.int64], among: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    return rows if among is None else rows[among[rows]]


def _shares(hits: int, n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draws of a share whose hits were counted."""
    return generator.beta(hits + 0.5, n - hits + 0.5, RESAMPLES)


def _around(drawn: Interval, value: float) -> Interval:
    """The interval, up to the value where that is 0 or 1 (as Brown et al. have it)."""
    return min(drawn[0], value), max(drawn[1], value)
