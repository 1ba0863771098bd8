"""Whom a model reads worse: measures per group, the largest gap, and whether chance made it.

Three things make small groups look bad without being so, and each has its answer here. Few rows:
a group under `TOO_SMALL` faces is counted, not estimated, and all others have intervals
(`mien.evaluation.group_measures`). Many groups: the gap between the best and the worst of many is
large by chance alone, so it is compared with the gaps of `PERMUTATIONS` random divisions into
groups of the same sizes, and beside it stands the gap that these have. Many questions: the p
values of a report are corrected together by Holm's method.

In the test each group's value is centred and scaled by its own mean and deviation over the random
divisions, and the statistic is the largest difference of two groups, divided by the deviation of
that difference. So a noisy small group does not drown a true gap between two large ones, and the
upward bias of the ECE in small groups is taken away. Macro recall is permuted within each class:
groups that show other expressions do not differ in it for that reason alone.

Sources: permutation tests: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 3rd
ed., 2005; p with 1 added: Phipson & Smyth, Statistical Applications in Genetics and Molecular
Biology 9, 2010; Holm, Scandinavian Journal of Statistics 6, 1979; disaggregated evaluation:
Buolamwini & Gebru, Gender Shades, 2018; Barocas et al., AIES 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.bootstrap import Interval
from mien.evaluation.compare import SIGNIFICANCE, holm
from mien.evaluation.group_measures import Measure

TOO_SMALL = 30
"""Faces below which a group is counted, not estimated."""

PERMUTATIONS = 9_999
"""Random divisions in a test; the smallest p is 1 / 10,000."""


@dataclass(frozen=True, slots=True)
class Score:
    """One measure of one group."""

    measure: str
    """Its name."""
    value: float | None
    """The value; None where there is nothing to measure."""
    ci95: Interval | None
    """Its 95 % interval; None without a value."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of faces."""

    name: str
    """Value of the column."""
    n: int
    """Faces."""
    scores: tuple[Score, ...]
    """A score per measure; empty where the group is too small."""

    @property
    def is_too_small(self) -> bool:
        """Whether it is only counted."""
        return self.n < TOO_SMALL


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference between two groups, and whether chance explains it."""

    measure: str
    """Name of the measure."""
    low: str
    """The group with the lowest value."""
    high: str
    """The group with the highest value."""
    worst: str | None
    """The one of the two that is worse off; None where neither end is worse."""
    gap: float
    """Highest less lowest value, at least 0."""
    by_chance: float
    """Median gap of random divisions into groups of the same sizes."""
    p: float
    """Permutation test of whether all groups are alike, in (0, 1]."""
    p_holm: float
    """p after Holm's correction for all tests of the report."""

    @property
    def is_found(self) -> bool:
        """True where chance alone is no likely explanation."""
        return self.p_holm < SIGNIFICANCE


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Faces divided by one column, or by the intersection of some."""

    title: str
    """The column or columns."""
    groups: tuple[Group, ...]
    """Its groups, sorted."""
    gaps: tuple[Gap, ...]
    """A gap per measure; empty where fewer than two groups are large enough."""
    n_unknown: int
    """Measured faces whose group is not known."""
    recall_classes: tuple[str, ...] = ()
    """Keys of the classes in the macro recall: those with enough faces in every compared group."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """All breakdowns of some faces."""

    everyone: Group
    """All faces as one group."""
    breakdowns: tuple[Breakdown, ...]
    """Divided by each column."""
    min_confidence: float
    """Confidence below which a face counts as uncertain."""
    detector: str | None
    """What searched the pictures for faces; None: nothing did, so no face can be missed."""
    notes: tuple[str, ...] = ()
    """What else a reader must know."""

    @property
    def found(self) -> tuple[tuple[str, Gap], ...]:
        """(Title of the breakdown, gap) of gaps that chance does not explain: the smallest
        corrected p first, then the largest gap."""
        gaps = [(part.title, gap) for part in self.breakdowns for gap in part.gaps if gap.is_found]
        return tuple(sorted(gaps, key=lambda pair: (pair[1].p_holm, -pair[1].gap)))


def compare_groups(
    divided: Sequence[tuple[str, tuple[str, ...], NDArray[np.int64], Sequence[Measure]]],
    everyone: Sequence[Measure],
    *,
    min_confidence: float,
    detector: str | None,
    notes: Sequence[str] = (),
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Grouped:
    """Measure groups and test the gaps between them.

    Args:
        divided: of each breakdown its title, its groups' names, the position of each face's group
            among them (int64 (n,), -1 where unknown), and what is measured.
        everyone: what is measured of all faces together.
        min_confidence: stated in the result; the measures were made with it.
        detector: as `Grouped.detector`.
        notes: as `Grouped.notes`.
        permutations: random divisions in a test.
        seed: of all chance; the same seed gives the same result.
    """
    breakdowns = [
        _breakdown(title, names, codes, measures, permutations, seed)
        for title, names, codes, measures in divided
    ]
    corrected = iter(holm([gap.p for part in breakdowns for gap in part.gaps]))
    breakdowns = [
        replace(part, gaps=tuple(replace(gap, p_holm=next(corrected)) for gap in part.gaps))
        for part in breakdowns
    ]
    n = everyone[0].n
    rows = np.arange(n)
    whole = Group("all faces", n, _scores(everyone, rows, seed))
    return Grouped(whole, tuple(breakdowns), min_confidence, detector, tuple(notes))


def large_enough(names: Sequence[str], codes: NDArray[np.int64]) -> list[int]:
    """Positions of the groups that are estimated and compared."""
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return [code for code in range(len(names)) if counts[code] >= TOO_SMALL]


def _breakdown(
    title: str,
    names: tuple[str, ...],
    codes: NDArray[np.int64],
    measures: Sequence[Measure],
    permutations: int,
    seed: int,
) -> Breakdown:
    compared = large_enough(names, codes)
    groups = []
    for code, name in enumerate(names):
        rows = np.flatnonzero(codes == code)
        scores = _scores(measures, rows, seed) if code in compared else ()
        groups.append(Group(name, len(rows), scores))
    gaps = []
    if len(compared) > 1:
        new_code = np.full(len(names) + 1, -1)
        new_code[compared] = np.arange(len(compared))
        rows = np.flatnonzero(new_code[codes] >= 0)
        part = new_code[codes][rows]
        for measure in measures:
            gap = _gap(measure, [names[code] for code in compared], rows, part, permutations, seed)
            if gap is not None:
                gaps.append(gap)
    classes = next((measure.classes for measure in measures if measure.classes), ())
    return Breakdown(title, tuple(groups), tuple(gaps), int((codes < 0).sum()), classes)


def _scores(measures: Sequence[Measure], rows: NDArray[np.int64], seed: int) -> tuple[Score, ...]:
    scores = []
    for measure in measures:
        value = measure.value(rows)
        ci95 = None if value is None else measure.ci95(rows, np.random.default_rng(seed))
        scores.append(Score(measure.name, value, ci95))
    return tuple(scores)


def _gap(
    measure: Measure,
    names: list[str],
    rows: NDArray[np.int64],
    codes: NDArray[np.int64],
    permutations: int,
    seed: int,
) -> Gap | None:
    values = [measure.statistic(rows[codes == code]) for code in range(len(names))]
    if any(value is None for value in values):
        return None
    observed = np.array(values, np.float64)
    permuted = measure.permuted(rows, codes, permutations, np.random.default_rng(seed))
    more = (_statistic(permuted, permuted) >= _statistic(observed[None], permuted) - 1e-12).sum()
    if measure.is_biased:  # what chance adds, it adds to small groups most
        observed, permuted = observed - permuted.mean(axis=0), permuted - permuted.mean(axis=0)
    low, high = int(observed.argmin()), int(observed.argmax())
    worst = {"high": low, "low": high}.get(measure.better)
    return Gap(
        measure=measure.name,
        low=names[low],
        high=names[high],
        worst=None if worst is None else names[worst],
        gap=float(observed[high] - observed[low]),
        by_chance=float(np.median(np.ptp(permuted, axis=1))),
        p=float((1 + more) / (1 + permutations)),
        p_holm=1.0,
    )


def _statistic(values: NDArray[np.float64], permuted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest standardised difference of two groups, (...), of values (..., groups)."""
    centred = values - permuted.mean(axis=0)
    variances = permuted.var(axis=0)
    largest = np.zeros(len(values))
    for one in range(values.shape[1]):
        for two in range(one):
            deviation = np.sqrt(variances[one] + variances[two])
            if deviation > 0:
                difference = np.abs(centred[:, one] - centred[:, two]) / deviation
                np.maximum(largest, difference, out=largest)
    return largest
