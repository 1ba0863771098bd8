"""How good predictions are: numbers with intervals, in plain numpy.

In goes the table of predictions, out comes one frozen `Evaluation`. The formulas, their sources
and what each number can and cannot say stand in docs/evaluation.md. scikit-learn was left out:
its metrics take one table at a time, and the bootstrap needs two thousand; tests hold both
against each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import CalibrationError
from mien.evaluation.bootstrap import Interval, bootstrap, interval
from mien.evaluation.calibration import cross_fitted
from mien.evaluation.confidence import (
    Answered,
    ConfidenceBin,
    CoveragePoint,
    answered,
    brier,
    coverage_at,
    coverage_curve,
    ece,
    ece_by_chance,
    nll,
    reliability,
)
from mien.evaluation.predictions import Predictions
from mien.labels import LabelSet

RESAMPLES = 2000
"""Bootstrap resamples per interval."""

_COVERAGES = tuple(percent / 100 for percent in range(10, 101, 10))


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class's part. None where a ratio is 0 / 0: there was nothing to measure."""

    key: str
    """The label's key."""
    support: int
    """Rows of this class."""
    predicted: int
    """Rows predicted as this class."""
    precision: float | None
    """Part of the rows predicted as this class that are of it; None where none was predicted."""
    recall: float | None
    """Part of this class's rows that were predicted as it; None where it has no rows."""
    f1: float | None
    """2 TP / (support + predicted); None where the class has no rows."""
    f1_ci95: Interval | None
    """95 % interval of the F1; None where no resample holds a row of the class."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How good the predictions of one split are."""

    split: str
    """The split."""
    n: int
    """Rows."""
    label_set: LabelSet
    """The classes, in the order of the confusion matrix."""
    accuracy: float
    """Part of the rows whose most probable class is the label."""
    accuracy_ci95: Interval
    """95 % interval, percentile bootstrap over rows."""
    accuracy_unseen: float | None
    """Accuracy on the rows without a pixel-identical duplicate in training; None where unknown, or
    where every row has one."""
    accuracy_unseen_ci95: Interval | None
    """95 % interval of it."""
    n_seen_duplicates: int | None
    """Rows with such a duplicate; None where the source has no training rows to compare with."""
    balanced_accuracy: float
    """Mean recall over the classes that have rows."""
    balanced_accuracy_ci95: Interval
    """95 % interval of it."""
    macro_f1: float
    """Mean F1 over the classes that have rows."""
    macro_f1_ci95: Interval
    """95 % interval of it."""
    nll: float
    """Mean negative log-likelihood of the labels, in nats."""
    brier: float
    """Mean squared distance between the probabilities and the label's one-hot row, in [0, 2]."""
    ece: float
    """Expected calibration error over 15 bins, in [0, 1]."""
    ece_cross_fitted: float | None
    """The same after temperature scaling, where each row is scaled by a temperature that was
    fitted on others; None where the rows are too few, or no temperature can be fitted."""
    ece_by_chance: float
    """The ECE that a perfectly calibrated network would have on so few rows."""
    per_class: tuple[ClassScore, ...]
    """One score per class, in the label set's order."""
    confusion_matrix: NDArray[np.int64]
    """Rows per (label, predicted class), (classes, classes)."""
    reliability: tuple[ConfidenceBin, ...]
    """The bins of the ECE, from 0 to 1."""
    coverage: tuple[CoveragePoint, ...]
    """Accuracy at coverages of about 10, 20 ... 100 %."""
    answered: tuple[Answered, ...]
    """Coverage and accuracy at round thresholds of confidence."""
    n_resamples: int
    """Bootstrap resamples."""
    seed: int
    """Seed of the bootstrap."""


def evaluate(
    predictions: Predictions, *, n_resamples: int = RESAMPLES, seed: int = 0
) -> Evaluation:
    """Measure predictions.

    Args:
        predictions: the table.
        n_resamples: bootstrap resamples per interval, at least 1.
        seed: of the bootstrap; the same seed gives the same intervals.

    Returns:
        Every number of the report.
    """
    matrix = confusion_matrix(predictions)
    resampled = bootstrap(matrix, n_resamples, np.random.default_rng(seed))
    unseen = unseen_ci95 = n_seen = None
    if predictions.seen_duplicate is not None:
        n_seen = int(predictions.seen_duplicate.sum())
        if n_seen < len(predictions):
            unseen_matrix = confusion_matrix(predictions, ~predictions.seen_duplicate)
            unseen = float(accuracy(unseen_matrix))
            drawn = bootstrap(unseen_matrix, n_resamples, np.random.default_rng(seed))
            unseen_ci95 = interval(accuracy(drawn))
    bins = reliability(predictions)
    return Evaluation(
        split=predictions.split,
        n=len(predictions),
        label_set=predictions.label_set,
        accuracy=float(accuracy(matrix)),
        accuracy_ci95=interval(accuracy(resampled)),
        accuracy_unseen=unseen,
        accuracy_unseen_ci95=unseen_ci95,
        n_seen_duplicates=n_seen,
        balanced_accuracy=float(balanced_accuracy(matrix)),
        balanced_accuracy_ci95=interval(balanced_accuracy(resampled)),
        macro_f1=float(macro_f1(matrix)),
        macro_f1_ci95=interval(macro_f1(resampled)),
        nll=nll(predictions),
        brier=brier(predictions),
        ece=ece(bins),
        ece_cross_fitted=_ece_cross_fitted(predictions),
        ece_by_chance=ece_by_chance(predictions),
        per_class=_per_class(predictions.label_set, matrix, class_f1(resampled)),
        confusion_matrix=matrix,
        reliability=bins,
        coverage=coverage_at(coverage_curve(predictions), _COVERAGES),
        answered=answered(predictions),
        n_resamples=n_resamples,
        seed=seed,
    )


def confusion_matrix(
    predictions: Predictions, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count rows per (label, predicted class), int64 (classes, classes); those of ``mask``."""
    classes = len(predictions.label_set)
    cells = predictions.labels * classes + predictions.predicted
    if mask is not None:
        cells = cells[mask]
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def accuracy(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Part of the rows on the diagonal, (...), of confusion matrices (..., classes, classes)."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).sum(axis=-1)
    return np.asarray(hits / matrix.sum(axis=(-2, -1)), np.float64)


def class_f1(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 per class, (..., classes); NaN for a class without rows."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    supports = matrix.sum(axis=-1)
    return _ratio(2 * hits, np.where(supports > 0, supports + matrix.sum(axis=-2), 0))


def macro_f1(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean F1 over the classes that have rows, (...)."""
    return np.asarray(np.nanmean(class_f1(matrix), axis=-1))


def balanced_accuracy(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean recall over the classes that have rows, (...)."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    return np.asarray(np.nanmean(_ratio(hits, matrix.sum(axis=-1)), axis=-1))


def _ece_cross_fitted(predictions: Predictions) -> float | None:
    try:
        return ece(reliability(cross_fitted(predictions)))
    except CalibrationError:
        return None


def _per_class(
    label_set: LabelSet, matrix: NDArray[np.int64], resampled_f1: NDArray[np.float64]
) -> tuple[ClassScore, ...]:
    hits, supports, counts = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    precisions, recalls, f1 = _ratio(hits, counts), _ratio(hits, supports), class_f1(matrix)
    return tuple(
        ClassScore(
            key=key,
            support=int(supports[i]),
            predicted=int(counts[i]),
            precision=_or_none(precisions[i]),
            recall=_or_none(recalls[i]),
            f1=_or_none(f1[i]),
            f1_ci95=None if np.isnan(resampled_f1[:, i]).all() else interval(resampled_f1[:, i]),
        )
        for i, key in enumerate(label_set.keys)
    )


def _ratio(
    part: NDArray[np.float64] | NDArray[np.int64], whole: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``part / whole``, NaN where ``whole`` is 0."""
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole != 0)
    return result


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
