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

Beside a gap stands what other expressions alone would make of it: each group's value if every
class were read as it is in all of them together, so that the groups differ by their classes alone
(indirect standardisation; Kitagawa, Components of a difference between two rates, JASA 50, 1955).

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
from mien.evaluation.group_measures import Better, Measure

EVERYONE, TOGETHER = "all faces", "all compared"
"""Names of all measured faces, and of those in the groups of one column that are compared."""

TOO_SMALL = 30
"""Faces below which a group is counted, not estimated."""

PERMUTATIONS = 9_999
"""Random divisions in a test; the smallest p is 1 / 10,000."""

_VALUED_PERMUTATIONS = 99
"""Random divisions whose ECE beyond chance is estimated, which takes long. Enough for a median."""

_TIED_DECIMALS = 3
"""Values that are alike to so many decimals are shown as one number."""


@dataclass(frozen=True, slots=True)
class Score:
    """One measure of one group."""

    measure: str
    """Its name."""
    value: float | None
    """The value; None where there is nothing to measure."""
    ci95: Interval | None
    """Its 95 % interval; None without a value."""
    classes: tuple[str, ...] = ()
    """Keys of the classes that it averages over; empty where it averages over none."""


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
    lows: tuple[str, ...]
    """The group with the lowest value. Where several have it to a tenth of a point, all of them,
    the one with the most faces first."""
    highs: tuple[str, ...]
    """The same for the highest value."""
    better: Better
    """Which end is the better one."""
    low_value: float
    """The lowest value."""
    high_value: float
    """The highest value."""
    by_chance: float
    """Median gap of random divisions into groups of the same sizes."""
    p: float
    """Permutation test of whether all groups are alike, in (0, 1]."""
    p_holm: float
    """p after Holm's correction for all tests of the report."""
    of_expressions: float | None = None
    """What is left of the gap, with its sign, where each class is read alike in all groups: the
    part that other expressions make. None where that says nothing."""
    classes: tuple[str, ...] = ()
    """As `Score.classes`."""

    @property
    def low(self) -> str:
        """The first of those with the lowest value."""
        return self.lows[0]

    @property
    def high(self) -> str:
        """The first of those with the highest value."""
        return self.highs[0]

    @property
    def worst(self) -> str | None:
        """The first of those that are worse off; None where neither end is worse."""
        return next(iter(self.worst_ones), None)

    @property
    def worst_ones(self) -> tuple[str, ...]:
        """Those that are worse off; empty where neither end is worse."""
        return {"high": self.lows, "low": self.highs}.get(self.better, ())

    @property
    def gap(self) -> float:
        """Highest less lowest value, at least 0."""
        return self.high_value - self.low_value

    @property
    def is_of_expressions(self) -> bool:
        """Whether other expressions make at least half of it, so that no group is read worse for
        all that it says."""
        return self.of_expressions is not None and self.of_expressions >= self.gap / 2

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
    together: Group
    """The faces of the groups that are large enough as one group, measured as these are."""
    recall_classes: tuple[str, ...] = ()
    """Keys of the classes in the macro recall: those with enough faces in every compared group."""

    def classes_of(self, measure: str) -> tuple[str, ...]:
        """Keys of the classes that a measure averages over; empty where it averages over none."""
        scores = self.together.scores
        return next((score.classes for score in scores if score.measure == measure), ())

    def gap_in(self, measure: str) -> Gap | None:
        """The gap in one measure; None where nothing was compared."""
        return next((gap for gap in self.gaps if gap.measure == measure), None)


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
    labels: tuple[str, ...] = ()
    """Keys of all classes."""

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
    labels: Sequence[str] = (),
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
        labels: as `Grouped.labels`.
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
    whole = Group(EVERYONE, n, _scores(everyone, rows, seed))
    return Grouped(whole, tuple(breakdowns), min_confidence, detector, tuple(notes), tuple(labels))


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
    new_code = np.full(len(names) + 1, -1)  # the last one is for unknown groups, which are -1
    new_code[compared] = np.arange(len(compared))
    rows = np.flatnonzero(new_code[codes] >= 0)
    together = Group(TOGETHER, len(rows), _scores(measures, rows, seed) if compared else ())
    gaps = []
    if len(compared) > 1:
        part = new_code[codes][rows]
        for measure in measures:
            gap = _gap(measure, [names[code] for code in compared], rows, part, permutations, seed)
            if gap is not None:
                gaps.append(gap)
    classes = next((measure.classes for measure in measures if measure.classes), ())
    n_unknown = int((codes < 0).sum())
    return Breakdown(title, tuple(groups), tuple(gaps), n_unknown, together, classes)


def _scores(measures: Sequence[Measure], rows: NDArray[np.int64], seed: int) -> tuple[Score, ...]:
    scores = []
    for measure in measures:
        value = measure.value(rows)
        ci95 = None if value is None else measure.ci95(rows, np.random.default_rng(seed))
        scores.append(Score(measure.name, value, ci95, measure.classes))
    return tuple(scores)


def _gap(
    measure: Measure,
    names: list[str],
    rows: NDArray[np.int64],
    codes: NDArray[np.int64],
    permutations: int,
    seed: int,
) -> Gap | None:
    parts = [rows[codes == code] for code in range(len(names))]
    values, statistics = ([f(part) for part in parts] for f in (measure.value, measure.statistic))
    if any(value is None for value in (*values, *statistics)):
        return None
    shown, observed = np.array(values, np.float64), np.array(statistics, np.float64)
    permuted = measure.permuted(rows, codes, permutations, np.random.default_rng(seed))
    more = (_statistic(permuted, permuted) >= _statistic(observed[None], permuted) - 1e-12).sum()
    gaps = (
        _gaps_by_chance(measure, rows, codes, min(permutations, _VALUED_PERMUTATIONS), seed)
        if measure.is_biased
        else np.ptp(permuted, axis=1)
    )
    low, high = (_ties(shown, end, parts) for end in (shown.min(), shown.max()))
    mixed = measure.of_expressions(rows, codes)
    return Gap(
        measure=measure.name,
        lows=tuple(names[code] for code in low),
        highs=tuple(names[code] for code in high),
        better=measure.better,
        low_value=float(shown.min()),
        high_value=float(shown.max()),
        by_chance=float(np.median(gaps)),
        p=float((1 + more) / (1 + permutations)),
        p_holm=1.0,
        of_expressions=None if mixed is None else float(mixed[high[0]] - mixed[low[0]]),
        classes=measure.classes,
    )


def _ties(
    values: NDArray[np.float64], value: float, parts: Sequence[NDArray[np.int64]]
) -> list[int]:
    """Groups that have a value to a tenth of a point, those with more faces first."""
    tied = np.flatnonzero(values.round(_TIED_DECIMALS) == np.round(value, _TIED_DECIMALS))
    return sorted(tied.tolist(), key=lambda code: -len(parts[code]))


def _gaps_by_chance(
    measure: Measure, rows: NDArray[np.int64], codes: NDArray[np.int64], divisions: int, seed: int
) -> NDArray[np.float64]:
    """Gaps in the value of random groups, for measures whose test looks at something else."""
    generator = np.random.default_rng(seed)
    gaps = []
    for _ in range(divisions):
        dealt = generator.permutation(codes)
        values = [measure.value(rows[dealt == code]) for code in range(int(codes.max()) + 1)]
        gaps.append(np.ptp(np.array(values, np.float64)))
    return np.array(gaps)


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
