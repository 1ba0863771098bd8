"""The calibration error of a group, with an interval that holds for 30 faces as for 30,000.

The ECE of few faces is too large: chance moves the accuracy of a bin away from its confidence in
either direction, and both count. So the test is inverted. The gaps between confidence and accuracy
in the bins are scaled by a common factor, chance is added, and the interval holds the ECEs whose
middle 95 % of outcomes contain the measured one. The value is the ECE whose median outcome it is.

tests/test_group_coverage.py measures how often the interval contains the truth.

Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, section 13.5 (inverting a test).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.bootstrap import Interval
from mien.evaluation.confidence import ECE_BINS, bin_of
from mien.evaluation.group_measures import Better
from mien.evaluation.metrics import RESAMPLES

_FACTORS = np.linspace(0.0, 3.0, 41)
_FACES_ADDED = 2
"""Calibrated faces added to each bin, for the smaller of two estimates of how much chance moves
its gap. The larger one alone makes intervals too long for 60 faces, this one alone too short for
300; their mean was the best of ten ways (LOG.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedCalibrationError:
    """The expected calibration error, over the bins of `mien.evaluation.confidence`."""

    name: str
    """What it is called."""
    confidence: NDArray[np.float64]
    """Confidence of each face, (n,)."""
    correct: NDArray[np.bool_]
    """Whether each was classified right, (n,)."""
    better: Better = "low"
    """Less is better."""
    classes: tuple[str, ...] = ()
    """None."""
    is_biased: bool = True
    """It is: the ECE of few faces is too large."""
    _bins: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_bins", bin_of(self.confidence))

    @property
    def n(self) -> int:
        """Faces that there are."""
        return len(self.confidence)

    def value(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.value`: the ECE of which the measured one is the median outcome."""
        if not len(rows):
            return None
        return self._inverted(rows, np.random.default_rng(0), (50.0,))[0]

    def statistic(self, rows: NDArray[np.int64]) -> float | None:
        """See `Measure.statistic`: the ECE as it is measured."""
        if not len(rows):
            return None
        return float(np.abs(self._sums(self._bins[rows], self._gaps(rows))).sum() / len(rows))

    def ci95(self, rows: NDArray[np.int64], generator: np.random.Generator) -> Interval:
        """See `Measure.ci95`."""
        # The smallest ECE whose upper end reaches the measured one, and the largest whose lower
        # end does.
        low, high = self._inverted(rows, generator, (97.5, 2.5))
        return low, high

    def of_expressions(
        self, rows: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """None: see `Measure.of_expressions`."""
        return None

    def _inverted(
        self, rows: NDArray[np.int64], generator: np.random.Generator, percentiles: Sequence[float]
    ) -> list[float]:
        """For each percentile, the ECE of whose outcomes the measured one is that percentile."""
        bins, gaps, confidence = self._bins[rows], self._gaps(rows), self.confidence[rows]
        sums, faces = self._sums(bins, gaps), np.bincount(bins, minlength=ECE_BINS)
        # Of drawing rows; but a bin with two faces seems to vary not at all, so for few faces what
        # answers vary that are right as often as their confidence says counts as well.
        drawn = self._sums(bins, gaps**2) - sums**2 / len(rows)
        calibrated = self._sums(bins, np.maximum(confidence * (1 - confidence), 0.0))
        mixed = (faces * drawn + _FACES_ADDED * calibrated) / (faces + _FACES_ADDED)
        variances = (mixed + np.maximum(drawn, calibrated)) / 2
        chance = generator.standard_normal((RESAMPLES // 2, ECE_BINS)) * np.sqrt(variances)
        outcomes = np.array([np.abs(f * sums + chance).sum(axis=1) for f in _FACTORS])
        measured = float(np.abs(sums).sum())
        curves = np.percentile(outcomes, percentiles, axis=1)  # each grows with the factor
        factors = [float(np.interp(measured, curve, _FACTORS)) for curve in curves]
        return [min(1.0, factor * measured / len(rows)) for factor in factors]

    def permuted(
        self,
        rows: NDArray[np.int64],
        codes: NDArray[np.int64],
        n_permutations: int,
        generator: np.random.Generator,
    ) -> NDArray[np.float64]:
        """See `Measure.permuted`."""
        sizes = np.bincount(codes)
        bins, gaps = self._bins[rows], self._gaps(rows)
        result = np.empty((n_permutations, len(sizes)))
        for row in result:
            cells = generator.permutation(codes) * ECE_BINS + bins
            sums = np.bincount(cells, gaps, len(sizes) * ECE_BINS).reshape(len(sizes), ECE_BINS)
            row[:] = np.abs(sums).sum(axis=1) / sizes
        return result

    def _gaps(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.correct[rows] - self.confidence[rows])

    @staticmethod
    def _sums(bins: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(bins, values, ECE_BINS), np.float64)
