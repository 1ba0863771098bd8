"""Temperatures: found where they are known, measured on rows that they never saw, refused on too
little."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mien.errors import CalibrationError
from mien.evaluation import calibration
from mien.evaluation.calibration import (
    FOLDS,
    SMALLEST_FIT,
    calibrate_card,
    cross_fitted,
    fit,
    fit_temperature,
    held_out_probabilities,
    logits_of,
    stratified_folds,
    tempered,
)
from mien.evaluation.confidence import ece, ece_by_chance, nll, reliability
from mien.evaluation.metrics import evaluate
from mien.evaluation.predictions import Predictions
from mien.labels import FER2013
from mien.model.card import ModelCard


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def synthetic(
    n: int, temperature: float, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits whose labels are drawn from softmax(logits / temperature)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (n, 7))
    odds = softmax(logits).cumsum(axis=1)
    labels = (odds < generator.random((n, 1))).sum(axis=1)
    return logits * temperature, np.minimum(labels, 6)


def table(
    logits: NDArray[np.float64], labels: NDArray[np.int64], split: str = "validation"
) -> Predictions:
    return Predictions(
        names=tuple(map(str, range(len(labels)))),
        labels=labels,
        probabilities=softmax(logits),
        label_set=FER2013,
        split=split,
        source="a/faces.csv",
    )


@pytest.mark.parametrize("temperature", [0.2, 0.7, 1.0, 1.6, 5.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    logits, labels = synthetic(100_000, temperature, seed=1)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.015)
    # Probabilities serve as well as logits.
    assert fit_temperature(logits_of(table(logits, labels)), labels) == pytest.approx(
        fit_temperature(logits, labels), rel=1e-9
    )


def test_it_is_the_smallest_nll() -> None:
    logits, labels = synthetic(500, 1.7, seed=3)
    predictions = table(logits, labels)
    found = minimize_scalar(
        lambda t: nll(tempered(predictions, t)), bounds=(0.5, 5), method="bounded"
    )
    best = fit_temperature(logits, labels)
    assert best == pytest.approx(found.x, rel=1e-4)
    assert nll(tempered(predictions, best)) <= found.fun + 1e-12


def test_logits_of_any_size_and_offset_are_taken() -> None:
    logits, labels = synthetic(2000, 1.0)
    for scale in (0.06, 1.0, 19.0):
        offset = np.linspace(-5e4, 5e4, 2000)[:, np.newaxis]
        assert fit_temperature(scale * logits, labels) == pytest.approx(
            scale * fit_temperature(logits, labels), rel=1e-6
        )
        assert fit_temperature(logits + offset, labels) == pytest.approx(
            fit_temperature(logits, labels), rel=1e-6
        )
    # Certain and wrong: a probability of 0 is no infinity.
    certain = np.eye(7)[(labels + (np.arange(2000) % 3 == 0)) % 7]
    wrong = Predictions(("a",) * 2000, labels, certain, FER2013, "validation", "x")
    with pytest.raises(CalibrationError, match="no better than by chance"):
        fit(wrong)


def test_a_fit_measures_what_it_does() -> None:
    logits, labels = synthetic(4000, 2.5)
    predictions = table(logits, labels)
    result = fit(predictions)
    after = tempered(predictions, result.temperature)
    assert result.n == 4000
    assert (result.nll_before, result.nll_after) == (nll(predictions), nll(after))
    assert result.ece_before == ece(reliability(predictions)) > 0.15
    assert result.ece_after == ece(reliability(after)) < 0.02
    assert result.nll_after < result.nll_cross_fitted < result.nll_after + 1e-3
    assert result.ece_cross_fitted == evaluate(predictions, n_resamples=1).ece_cross_fitted
    # A temperature can be taken back.
    back = tempered(after, 1 / result.temperature)
    np.testing.assert_allclose(back.probabilities, predictions.probabilities, atol=1e-12)


def test_what_was_calibrated_already_has_the_same_cross_fitted_error() -> None:
    predictions = table(*synthetic(1000, 2.0))
    once = tempered(predictions, fit(predictions).temperature)
    assert fit(once).temperature == pytest.approx(1, abs=1e-6)
    assert fit(once).ece_cross_fitted == pytest.approx(fit(predictions).ece_cross_fitted, abs=1e-9)


def test_a_held_out_fold_does_not_touch_its_own_temperature() -> None:
    logits, labels = synthetic(600, 1.5)
    folds = stratified_folds(labels, FOLDS, 0)
    before = held_out_probabilities(logits, labels, folds)
    for fold in range(FOLDS):
        inside = folds == fold
        others = np.where(inside, (labels + 1) % 7, labels)
        after = held_out_probabilities(logits, others, folds)
        np.testing.assert_array_equal(after[inside], before[inside])
        # All other folds do learn from it.
        assert (after[~inside] != before[~inside]).any(axis=1).all()
        expected = fit_temperature(logits[~inside], labels[~inside])
        np.testing.assert_allclose(before[inside], softmax(logits[inside] / expected))


def test_cross_fitting_uses_those_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = synthetic(600, 1.5)
    judged = cross_fitted(table(logits, labels))
    folds = stratified_folds(labels, FOLDS, calibration.SEED)
    np.testing.assert_allclose(
        judged.probabilities, held_out_probabilities(logits, labels, folds), atol=1e-9
    )
    np.testing.assert_array_equal(judged.predicted, table(logits, labels).predicted)


def test_folds_are_even_stratified_and_a_function_of_the_seed() -> None:
    labels = np.repeat(np.arange(7), [467, 56, 496, 895, 653, 415, 607])
    folds = stratified_folds(labels, 5, 0)
    assert np.ptp(np.bincount(folds)) <= 1
    for label in range(7):
        assert np.ptp(np.bincount(folds[labels == label], minlength=5)) <= 1
    np.testing.assert_array_equal(folds, stratified_folds(labels, 5, 0))
    assert (folds != stratified_folds(labels, 5, 1)).any()
    # Neighbours, who may be frames of one person, do not come in turns.
    assert len(set(folds[:20].tolist())) == 5 and (np.diff(folds[:20]) != 1).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda logits, labels: (logits[:199], labels[:199]), "199 faces are too few .* 200"),
        (lambda logits, labels: (logits, labels * 0 + 3), "one class"),
        (lambda logits, labels: (logits, np.where(np.arange(300) < 4, 1, 0)), "one class"),
        (lambda logits, labels: (9 * np.eye(7)[labels], labels), "classified right"),
        (lambda logits, labels: (-logits, labels), "no better than by chance"),
        (lambda logits, labels: (0 * logits, labels), "no better than by chance"),
    ],
)
def test_rows_that_say_too_little_are_refused(change: object, message: str) -> None:
    assert callable(change)
    predictions = table(*change(*synthetic(300, 1.0)))
    for refuse in (fit, cross_fitted):
        with pytest.raises(CalibrationError, match=message) as caught:
            refuse(predictions)
        assert "\n" not in str(caught.value)
    assert evaluate(predictions, n_resamples=1).ece_cross_fitted is None
    assert SMALLEST_FIT == 200


CARD = ModelCard(
    name="x",
    architecture="tiny",
    labels=FER2013.keys,
    input_shape=(48, 48, 1),
    framing="fer2013",
    data={"train": {"n": 9, "sha256": "1" * 64}, "validation": {"n": 9, "sha256": "2" * 64}},
)


def test_a_card_gets_the_temperature_and_its_record() -> None:
    predictions = table(*synthetic(1000, 2.0))
    card, found = calibrate_card(CARD, predictions, "2" * 64)
    assert card.temperature == found.temperature == pytest.approx(2.0, rel=0.1)
    record = card.calibration
    assert record is not None
    assert (record.split, record.n, record.source) == ("validation", 1000, "faces.csv")
    assert record.data_sha256 == "2" * 64 and "Guo" in record.method and record.commit
    assert record.nll_before == found.nll_before > record.nll_after == found.nll_after
    assert record.ece_before == found.ece_before > record.ece_cross_fitted
    # What the model says with that temperature leads to it again.
    again, _ = calibrate_card(card, tempered(predictions, card.temperature), "2" * 64)
    assert again.temperature == pytest.approx(card.temperature, rel=1e-6)
    assert again.calibration is not None
    assert again.calibration.nll_before == pytest.approx(found.nll_before)


@pytest.mark.parametrize(
    ("split", "sha256", "message"),
    [
        ("test", "2" * 64, "on a validation split, not on test"),
        ("train", "2" * 64, "not on train"),
        ("validation", "1" * 64, "x was trained on these very faces"),
    ],
)
def test_a_card_takes_validation_rows_alone(split: str, sha256: str, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        calibrate_card(CARD, table(*synthetic(300, 2.0), split), sha256)


def test_the_error_that_chance_makes_is_that_of_calibrated_networks() -> None:
    for n in (300, 3589):
        predictions = table(*synthetic(n, 1.0))
        generator = np.random.default_rng(1)
        odds = predictions.probabilities.cumsum(axis=1)
        drawn = [
            ece(
                reliability(
                    table(
                        np.log(predictions.probabilities),
                        np.minimum((odds < generator.random((n, 1))).sum(axis=1), 6),
                    )
                )
            )
            for _ in range(200)
        ]
        assert ece_by_chance(predictions) == pytest.approx(np.mean(drawn), rel=0.06)
    certain = table(1e3 * np.eye(7)[[0, 1]], np.array([0, 1]))
    assert ece_by_chance(certain) == 0
