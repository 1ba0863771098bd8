"""Which of several models is better on the same faces, and whether chance explains it.

Intervals of two accuracies are the wrong tool: both models classified the same faces, so most of
the chance in the two is shared. What tells them apart are the faces on which one is right and the
other wrong. Their counts give the difference with a paired bootstrap interval, and McNemar's
test; with several pairs, Holm's correction keeps one lucky pair from being a finding.

McNemar's test is the exact binomial one below 25 such faces, else the chi-square test with
continuity correction, which comes close to it. Among tests on one test set it is the one whose
false alarms keep to their level; about another training with another seed it says nothing
(Dietterich, 1998). The mid-p variant finds a little more, and was left out for the better known
test, which errs on the safe side (Fagerland et al., 2013).

Sources: McNemar, Psychometrika 12, 1947; Edwards, Psychometrika 13, 1948 (correction); Holm,
Scandinavian Journal of Statistics 6, 1979; Dietterich, Neural Computation 10, 1998; Fagerland,
Lydersen & Laake, BMC Medical Research Methodology 13:91, 2013.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import DatasetError
from mien.evaluation.bootstrap import Interval, bootstrap, interval
from mien.evaluation.metrics import RESAMPLES, Evaluation, evaluate
from mien.evaluation.predictions import Predictions

EXACT_BELOW = 25
"""Faces that tell two models apart below which the exact test is used; the usual bound."""

SIGNIFICANCE = 0.05
"""Corrected p below which a pair counts as told apart."""

EXACT, CHI_SQUARE = "exact binomial", "chi-square, continuity-corrected"
"""The two forms of McNemar's test."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One measured model."""

    name: str
    """What it is called in the comparison."""
    predictions: Predictions
    """What it said of every face."""
    data_sha256: str
    """Hash of the measured rows, `Samples.sha256`."""
    model: str
    """Name in its card."""
    model_sha256: str
    """Hash of its file."""
    architecture: str = ""
    """Name in the zoo; empty where unknown."""
    parameters: int | None = None
    """Weights and other parameters; None where unknown."""
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Which epoch was kept and why, as in its card."""
    cautions: tuple[str, ...] = ()
    """What a reader of its score must know."""
    curve: tuple[tuple[float, float], ...] = ()
    """(epoch, accuracy on its own validation faces) of its training; empty where unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A model with its scores."""

    candidate: Candidate
    """The model."""
    evaluation: Evaluation
    """Its scores."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models, the first of which has the higher accuracy, or the same."""

    first: str
    """Name of the better one."""
    second: str
    """Name of the other."""
    difference: float
    """Accuracy of the first less that of the second, at least 0."""
    difference_ci95: Interval
    """95 % interval, percentile bootstrap over rows, paired."""
    only_first: int
    """Faces on which only the first is right."""
    only_second: int
    """Faces on which only the second is right."""
    p: float
    """McNemar's p, two-sided."""
    test: str
    """`EXACT` or `CHI_SQUARE`."""
    p_holm: float
    """p after Holm's correction for all pairs."""

    @property
    def told_apart(self) -> bool:
        """True where chance alone is no likely explanation."""
        return self.p_holm < SIGNIFICANCE


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Several models on the same faces."""

    entries: tuple[Entry, ...]
    """The models, the most accurate first."""
    pairs: tuple[Pair, ...]
    """Every two of them, in that order."""
    n_resamples: int
    """Bootstrap resamples."""
    seed: int
    """Seed of the bootstrap."""

    @property
    def table(self) -> Predictions:
        """The best one's predictions, which name the faces, split and source of all."""
        return self.entries[0].candidate.predictions


def compare(
    candidates: Sequence[Candidate], *, n_resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare models that classified the same faces.

    Args:
        candidates: two or more, with names of their own.
        n_resamples: bootstrap resamples per interval, at least 1.
        seed: of the bootstrap; the same seed gives the same intervals.

    Returns:
        Scores of each, and every pair.

    Raises:
        DatasetError: two of them did not classify the same faces, with the same labels.
        ValueError: there are fewer than two, or two have one name.
    """
    names = [candidate.name for candidate in candidates]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"expected at least two different names, got {names}")
    for other in candidates[1:]:
        _check_same_rows(candidates[0], other)
    entries = sorted(
        (
            Entry(candidate, evaluate(candidate.predictions, n_resamples=n_resamples, seed=seed))
            for candidate in candidates
        ),
        key=lambda entry: -entry.evaluation.accuracy,
    )
    pairs = [
        _pair(first.candidate, second.candidate, n_resamples, seed)
        for first, second in combinations(entries, 2)
    ]
    corrected = holm([pair.p for pair in pairs])
    return Comparison(
        entries=tuple(entries),
        pairs=tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True)),
        n_resamples=n_resamples,
        seed=seed,
    )


def mcnemar(only_first: int, only_second: int) -> tuple[float, str]:
    """McNemar's test of whether two models are right equally often.

    Args:
        only_first: faces on which only the first is right.
        only_second: faces on which only the second is right.

    Returns:
        Two-sided p in (0, 1] (0 where it is too small for a float), and which form gave it.
    """
    n = only_first + only_second
    if n < EXACT_BELOW:
        tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
        return min(1.0, 2 * tail / 2**n), EXACT
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / n
    # With one degree of freedom, chi-square is the square of a normal variable.
    return math.erfc(math.sqrt(statistic / 2)), CHI_SQUARE


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected by Holm's step-down method, in the given order, at most 1."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def paired_interval(
    first_correct: NDArray[np.bool_], second_correct: NDArray[np.bool_], n_resamples: int, seed: int
) -> Interval:
    """95 % bootstrap interval of the difference of two accuracies on the same faces.

    Rows are drawn with what both models made of them. The difference depends only on how many
    rows fall to each of four cases, so one multinomial draw is a resample.

    Args:
        first_correct: True where the first is right, (n,).
        second_correct: True where the second is right, (n,).
        n_resamples: resamples to draw, at least 1.
        seed: of the bootstrap.

    Returns:
        Lower and upper end of first less second.
    """
    cells = np.bincount(2 * first_correct.astype(np.int64) + second_correct, minlength=4)
    drawn = bootstrap(cells.reshape(2, 2), n_resamples, np.random.default_rng(seed))
    return interval((drawn[:, 1, 0] - drawn[:, 0, 1]) / len(first_correct))


def _pair(first: Candidate, second: Candidate, n_resamples: int, seed: int) -> Pair:
    one, two = first.predictions.correct, second.predictions.correct
    only_first, only_second = int((one & ~two).sum()), int((two & ~one).sum())
    p, test = mcnemar(only_first, only_second)
    return Pair(
        first=first.name,
        second=second.name,
        difference=(only_first - only_second) / len(one),
        difference_ci95=paired_interval(one, two, n_resamples, seed),
        only_first=only_first,
        only_second=only_second,
        p=p,
        test=test,
        p_holm=p,
    )


def _check_same_rows(first: Candidate, other: Candidate) -> None:
    one, two = first.predictions, other.predictions
    if one.split != two.split:
        raise DatasetError(
            f"{first.name} was measured on {one.split} and {other.name} on {two.split}; "
            "measure all on one split"
        )
    remedy = "measure all on the same source with the same labels"
    if len(one) != len(two):
        raise DatasetError(
            f"{first.name} was measured on {len(one):,} faces of {one.source} and {other.name} "
            f"on {len(two):,} of {two.source}; {remedy}"
        )
    for row, pair in enumerate(zip(_rows(one), _rows(two), strict=True)):
        if pair[0] != pair[1]:
            raise DatasetError(
                f"face {row + 1} of {first.name} is {' '.join(pair[0])}, but of {other.name} it "
                f"is {' '.join(pair[1])}; {remedy}"
            )
    if first.data_sha256 != other.data_sha256:
        raise DatasetError(
            f"{first.name} and {other.name} were measured on other pictures ({one.source} and "
            f"{two.source}); {remedy}"
        )


def _rows(predictions: Predictions) -> list[tuple[str, str]]:
    keys = predictions.label_set.keys
    labels = predictions.labels.tolist()
    return [
        (name, f"({keys[label]})") for name, label in zip(predictions.names, labels, strict=True)
    ]
