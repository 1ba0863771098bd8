"""Temperature scaling: one number that makes confidences as high as the network is right.

In goes the table of predictions, out come the temperature with the smallest NLL and what it does
to the calibration error, also on rows that it was not fitted on. The logarithms of probabilities
serve as logits: they differ from the network's by one number per row, which the softmax takes
out, and they are there for averaged probabilities, too. Vector scaling, a temperature per class
and isotonic regression were measured and left out: see LOG.md.

Source: Guo et al., 2017, https://arxiv.org/abs/1706.04599, section 4.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import CalibrationError
from mien.evaluation.confidence import ece, nll, reliability
from mien.evaluation.predictions import Predictions
from mien.model.card import Calibration, ModelCard
from mien.provenance import commit
from mien.samples import Split

METHOD = "temperature scaling, smallest NLL (Guo et al., 2017)"
"""What `fit` does, for the card."""

TEMPERATURES = (0.05, 20.0)
"""Temperatures that are searched. A network that wants another is always right, or never learnt."""

SMALLEST_FIT = 200
"""Rows below which no temperature is fitted. Chance moves it by about 90 % / sqrt(n): by 6 % with
200 rows, which costs less than 0.001 nats, and by 13 % with 50, which costs 0.01."""

FOLDS = 5
"""Folds of the cross-fitting."""

SEED = 0
"""Seed of the folds."""

_PRECISION = 1e-9
"""Of 1 / temperature: 35 halvings."""

_SMALLEST = 1e-300  # whose logarithm is a number


@dataclass(frozen=True, slots=True)
class Fit:
    """A temperature and what it does to the rows that it was fitted on."""

    temperature: float
    """What the logits are divided by."""
    n: int
    """Rows."""
    nll_before: float
    """Mean negative log-likelihood at temperature 1, in nats."""
    nll_after: float
    """The same at the fitted temperature."""
    nll_cross_fitted: float
    """The same, where each row's temperature was fitted without it."""
    ece_before: float
    """Expected calibration error at temperature 1, 15 bins, in [0, 1]."""
    ece_after: float
    """The same at the fitted temperature."""
    ece_cross_fitted: float
    """The same, where each row's temperature was fitted without it."""

    def record(self, source: str, split: str, data_sha256: str) -> Calibration:
        """What the card keeps of it.

        Args:
            source: where the rows come from, as the user named it.
            split: their split.
            data_sha256: their hash, `Samples.sha256`.
        """
        return Calibration(
            method=METHOD,
            source=Path(source).name,
            split=split,
            n=self.n,
            data_sha256=data_sha256,
            nll_before=self.nll_before,
            nll_after=self.nll_after,
            ece_before=self.ece_before,
            ece_after=self.ece_after,
            ece_cross_fitted=self.ece_cross_fitted,
            commit=commit(),
        )


def check(predictions: Predictions) -> None:
    """Refuse rows that say too little.

    Raises:
        CalibrationError: there are fewer than `SMALLEST_FIT`, or nearly all are of one class.
    """
    n = len(predictions)
    if n < SMALLEST_FIT:
        raise CalibrationError(
            f"{n:,} faces are too few to fit a temperature on; it takes {SMALLEST_FIT}"
        )
    if (np.bincount(predictions.labels) >= FOLDS).sum() < 2:
        raise CalibrationError(
            f"all of {n:,} faces, or nearly, are of one class; a temperature is fitted on "
            f"{FOLDS} faces or more of two"
        )


def fit(predictions: Predictions) -> Fit:
    """Fit a temperature and measure what it does.

    Args:
        predictions: probabilities at temperature 1.

    Raises:
        CalibrationError: the rows are too few, of one class, or want no temperature in
            `TEMPERATURES`.
    """
    check(predictions)
    temperature = fit_temperature(logits_of(predictions), predictions.labels)
    tables = (predictions, tempered(predictions, temperature), cross_fitted(predictions))
    nlls = [nll(table) for table in tables]
    eces = [ece(reliability(table)) for table in tables]
    return Fit(temperature, len(predictions), *nlls, *eces)


def calibrate_card(
    card: ModelCard, predictions: Predictions, data_sha256: str
) -> tuple[ModelCard, Fit]:
    """Fit the temperature of a model on what it said of validation rows.

    Args:
        card: the model's card; whatever temperature it has is taken out first.
        predictions: what the model made of the rows with that temperature, without test-time
            augmentation.
        data_sha256: hash of the rows, `Samples.sha256`.

    Returns:
        The card with the temperature and its record, and the fit.

    Raises:
        CalibrationError: the rows are not of a validation split, the model was trained on them,
            or as `fit`.
    """
    if predictions.split != Split.VALIDATION:
        raise CalibrationError(
            f"a temperature is fitted on a validation split, not on {predictions.split}"
        )
    if card.split_with_hash(data_sha256) == Split.TRAIN:
        raise CalibrationError(
            f"{card.name} was trained on these very faces, by their hash; it is more "
            "confident of them than of new ones: name others"
        )
    found = fit(tempered(predictions, 1 / card.temperature))
    record = found.record(predictions.source, predictions.split, data_sha256)
    return card.calibrated(found.temperature, record), found


def cross_fitted(predictions: Predictions) -> Predictions:
    """The table with the probabilities that temperatures give to rows that they never saw.

    The rows are dealt into `FOLDS` folds, stratified by class, by a fixed seed. Each fold's
    temperature is fitted on the others.

    Raises:
        CalibrationError: as `fit`.
    """
    check(predictions)
    folds = stratified_folds(predictions.labels, FOLDS, SEED)
    probabilities = held_out_probabilities(logits_of(predictions), predictions.labels, folds)
    return replace(predictions, probabilities=probabilities)


def tempered(predictions: Predictions, temperature: float) -> Predictions:
    """The table with its logits divided by a temperature; 1 / T takes a temperature T back."""
    return replace(predictions, probabilities=_softmax(logits_of(predictions) / temperature))


def logits_of(predictions: Predictions) -> NDArray[np.float64]:
    """Logarithms of the probabilities, (n, classes): logits up to one number per row."""
    return np.asarray(np.log(np.maximum(predictions.probabilities, _SMALLEST)))


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature with the smallest mean negative log-likelihood.

    The NLL is convex in b = 1 / T, so its slope in b, the mean of (expected logit - logit of the
    label), crosses 0 once at most, and halving an interval finds that place.

    Args:
        logits: (n, classes).
        labels: true class per row, (n,).

    Raises:
        CalibrationError: none in `TEMPERATURES` is the best.
    """
    given = logits[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        expected = (_softmax(logits * inverse) * logits).sum(axis=1)
        return float((expected - given).mean())

    coldest, hottest = TEMPERATURES
    if slope(1 / coldest) <= 0:
        raise CalibrationError(
            f"all of {len(labels):,} faces are classified right, or nearly: no temperature above "
            f"{coldest:g} is the best"
        )
    if slope(1 / hottest) >= 0:
        raise CalibrationError(
            f"{len(labels):,} faces are classified no better than by chance: no temperature below "
            f"{hottest:g} is the best"
        )
    low, high = 1 / hottest, 1 / coldest
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def stratified_folds(labels: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Deal rows into folds: the fold per row, (n,).

    Folds differ by one row at most, in all and of each class.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[by_class] = np.arange(len(labels)) % folds
    return fold


def held_out_probabilities(
    logits: NDArray[np.float64], labels: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probabilities (n, classes) of each fold at the temperature that the other folds want.

    Args:
        logits: (n, classes).
        labels: true class per row, (n,).
        folds: fold per row, (n,).

    Raises:
        CalibrationError: the other folds of one want no temperature in `TEMPERATURES`.
    """
    probabilities = np.empty(logits.shape)
    for fold in np.unique(folds):
        inside = folds == fold
        temperature = fit_temperature(logits[~inside], labels[~inside])
        probabilities[inside] = _softmax(logits[inside] / temperature)
    return probabilities


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
