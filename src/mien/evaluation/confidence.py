"""What the probabilities are worth: proper scores, calibration, and accuracy by coverage.

Accuracy asks only which class came first. These numbers ask whether a confidence of 0.8 is right
in four of five cases, and how accurate the answers become when unsure faces are left unanswered.
Formulas and their limits stand in docs/evaluation.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.predictions import Predictions

ECE_BINS = 15
"""Equal-width bins of confidence (Guo et al., 2017, https://arxiv.org/abs/1706.04599)."""

MIN_CONFIDENCES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Round thresholds that people choose among."""

SMALLEST_PROBABILITY = 1e-15
"""Probabilities below are raised to it in the NLL, so that one certain error stays finite."""


_EDGES = np.linspace(0.0, 1.0, ECE_BINS + 1)


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Rows whose confidence lies in (lower, upper]."""

    lower: float
    """Lower edge, not included."""
    upper: float
    """Upper edge, included."""
    n: int
    """Rows in the bin."""
    confidence: float | None
    """Their mean confidence; None where there are none."""
    accuracy: float | None
    """Their accuracy; None where there are none."""


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What remains when only faces with at least this confidence are answered."""

    coverage: float
    """Part of the rows that are answered, in (0, 1]."""
    accuracy: float
    """Accuracy on them."""
    threshold: float
    """Smallest confidence among them."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What remains at a threshold that was chosen beforehand."""

    threshold: float
    """Faces with at least this confidence are answered."""
    n: int
    """Rows that are answered."""
    coverage: float
    """Part of all rows, in [0, 1]."""
    accuracy: float | None
    """Accuracy on them; None where there are none."""


def nll(predictions: Predictions) -> float:
    """Mean negative log of the label's probability, in nats, at least 0."""
    rows = np.arange(len(predictions))
    given = predictions.probabilities[rows, predictions.labels]
    # Rows may sum to a little more than 1; a probability above 1 would be a negative loss.
    return float(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)).mean())


def brier(predictions: Predictions) -> float:
    """Mean squared distance to the label's one-hot row, summed over classes (Brier, 1950)."""
    one_hot = np.eye(len(predictions.label_set))[predictions.labels]
    return float(((predictions.probabilities - one_hot) ** 2).sum(axis=1).mean())


def reliability(predictions: Predictions) -> tuple[ConfidenceBin, ...]:
    """Accuracy by confidence, in `ECE_BINS` bins (lower, upper] of equal width."""
    confidence, correct = predictions.confidence, predictions.correct
    index = bin_of(confidence)
    counts = np.bincount(index, minlength=ECE_BINS)
    confidence_sums = np.bincount(index, confidence, ECE_BINS)
    hits = np.bincount(index, correct, ECE_BINS)
    return tuple(
        ConfidenceBin(
            float(_EDGES[i]),
            float(_EDGES[i + 1]),
            int(counts[i]),
            float(confidence_sums[i] / counts[i]) if counts[i] else None,
            float(hits[i] / counts[i]) if counts[i] else None,
        )
        for i in range(ECE_BINS)
    )


def ece(bins: tuple[ConfidenceBin, ...]) -> float:
    """Mean distance between confidence and accuracy over bins, weighted by their rows."""
    total = sum(part.n for part in bins)
    return sum(
        part.n / total * abs(part.accuracy - part.confidence)
        for part in bins
        if part.accuracy is not None and part.confidence is not None
    )


def ece_by_chance(predictions: Predictions) -> float:
    """The ECE that a perfectly calibrated network of these confidences has on so few rows.

    Being right is then a draw with the confidence as its odds, so a bin's gap is nearly normal
    around 0 with variance sum c (1 - c), and its mean size sqrt(2 / pi) times the deviation.
    """
    confidence = np.minimum(predictions.confidence, 1.0)
    variances = np.bincount(bin_of(confidence), confidence * (1 - confidence), ECE_BINS)
    return float(np.sqrt(2 / np.pi * variances).sum() / len(predictions))


def coverage_curve(predictions: Predictions) -> tuple[CoveragePoint, ...]:
    """Accuracy of the most confident rows, at every distinct confidence, from few to all."""
    order = np.argsort(-predictions.confidence, kind="stable")
    thresholds = predictions.confidence[order]
    hits = np.cumsum(predictions.correct[order])
    # Equal confidences are answered or refused together.
    last = np.flatnonzero(np.append(thresholds[:-1] != thresholds[1:], True))
    n = len(predictions)
    return tuple(
        CoveragePoint((i + 1) / n, float(hits[i]) / (i + 1), float(thresholds[i]))
        for i in last.tolist()
    )


def coverage_at(
    curve: tuple[CoveragePoint, ...], coverages: tuple[float, ...]
) -> tuple[CoveragePoint, ...]:
    """For each coverage, the first point of the curve that reaches it; each point once."""
    reached = np.array([point.coverage for point in curve])
    first = np.minimum(np.searchsorted(reached, np.array(coverages) - 1e-9), len(curve) - 1)
    return tuple(curve[i] for i in np.unique(first).tolist())


def answered(
    predictions: Predictions, thresholds: tuple[float, ...] = MIN_CONFIDENCES
) -> tuple[Answered, ...]:
    """Coverage and accuracy at thresholds of confidence."""
    confidence, correct = predictions.confidence, predictions.correct
    rows = []
    for threshold in thresholds:
        kept = confidence >= threshold
        n = int(kept.sum())
        hits = float(correct[kept].mean()) if n else None
        rows.append(Answered(threshold, n, n / len(predictions), hits))
    return tuple(rows)


def bin_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each confidence: (lower, upper]."""
    index = np.searchsorted(_EDGES, confidence, side="left") - 1
    return np.asarray(np.clip(index, 0, ECE_BINS - 1), np.int64)
