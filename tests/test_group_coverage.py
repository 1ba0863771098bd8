"""How often the intervals of groups contain the truth: 400 simulated data sets each.

With 400 simulations a true coverage of 95 % is measured as 93 to 97 % in 93 of 100 cases; seeds
are fixed. Where the truth is 0, as in the ECE of a calibrated network, an interval that begins
at 0 contains it, and 97.5 % is what can be had.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.evaluation.bootstrap import interval
from mien.evaluation.confidence import ECE_BINS, bin_of
from mien.evaluation.group_calibration import ExpectedCalibrationError
from mien.evaluation.group_measures import MacroRecall, Mean, Measure, Share

SIMULATIONS = 400
RECALLS = np.array([0.62, 0.55, 0.48, 0.88, 0.57, 0.8, 0.68])
"""About those of the default model."""
PARTS = np.array([0.13, 0.02, 0.14, 0.25, 0.17, 0.12, 0.17])

Draw = Callable[[np.random.Generator], Measure]


def covered(draw: Draw, truth: float, seed: int = 0) -> float:
    """Part of the simulations whose interval contains the truth."""
    generator = np.random.default_rng(seed)
    hits = 0
    for number in range(SIMULATIONS):
        measure = draw(generator)
        low, high = measure.ci95(np.arange(measure.n), np.random.default_rng(number))
        hits += low <= truth <= high
    return hits / SIMULATIONS


@pytest.mark.parametrize(
    ("n", "share"), [(3000, 0.7), (400, 0.9), (120, 0.7), (60, 0.55), (40, 0.25), (300, 0.05)]
)
def test_shares(n: int, share: float) -> None:
    part = covered(lambda g: Share("accuracy", g.random(n) < share, "high"), share)
    assert 0.93 <= part <= 0.97, part


@pytest.mark.parametrize("n", [200, 600, 3000])
def test_macro_recall(n: int) -> None:
    counts = np.maximum((n * PARTS).astype(int), 5)
    labels = np.repeat(np.arange(7), counts)

    def draw(generator: np.random.Generator) -> Measure:
        correct = generator.random(len(labels)) < RECALLS[labels]
        return MacroRecall("macro recall", labels, correct, tuple(range(7)), ("k",) * 7)

    part = covered(draw, float(RECALLS.mean()))
    assert 0.93 <= part <= 0.97, part


@pytest.mark.parametrize("n", [50, 150])
def test_mean_confidence(n: int) -> None:
    part = covered(lambda g: Mean("confidence", g.beta(3, 1.4, n)), 3 / 4.4)
    assert 0.93 <= part <= 0.97, part


def answers(
    n: int, slope: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidences, and how often answers of such a confidence are right; slope 1 is calibrated."""
    confidence = 0.15 + 0.85 * generator.beta(3, 1.4, n)
    odds = (confidence / (1 - confidence + 1e-9)) ** slope
    return confidence, odds / (1 + odds)


def calibration(n: int, slope: float) -> tuple[Draw, float]:
    confidence, right = answers(400_000, slope, np.random.default_rng(1))
    gaps = np.bincount(bin_of(confidence), right - confidence, ECE_BINS)

    def draw(generator: np.random.Generator) -> Measure:
        confidence, right = answers(n, slope, generator)
        return ExpectedCalibrationError("ECE", confidence, generator.random(n) < right)

    return draw, float(np.abs(gaps).sum() / len(confidence))


@pytest.mark.parametrize(
    ("n", "slope"),
    [(60, 0.9), (60, 0.7), (60, 0.5), (300, 0.9), (300, 0.7), (300, 0.5), (1500, 0.7), (300, 1.6)],
)
def test_calibration_error(n: int, slope: float) -> None:
    part = covered(*calibration(n, slope))
    assert 0.93 <= part <= 0.97, part


def test_calibration_error_of_a_calibrated_network() -> None:
    draw, _ = calibration(300, 1.0)
    assert covered(draw, 0.0) >= 0.93


def test_the_percentile_bootstrap_never_contains_the_ece() -> None:
    """Why it was left out; the other intervals are not better by accident."""
    draw, truth = calibration(300, 0.9)
    generator, hits = np.random.default_rng(0), 0
    for _ in range(50):
        measure = draw(generator)
        drawn = generator.integers(0, measure.n, (200, measure.n))
        low, high = interval(np.array([measure.statistic(rows) for rows in drawn], np.float64))
        hits += low <= truth <= high
    assert hits <= 5
