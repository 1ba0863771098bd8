"""Metrics against hand-computed cases, scikit-learn and a row-by-row bootstrap."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference

from mien.evaluation.bootstrap import bootstrap, interval
from mien.evaluation.confidence import (
    answered,
    brier,
    coverage_at,
    coverage_curve,
    ece,
    nll,
    reliability,
)
from mien.evaluation.metrics import (
    accuracy,
    balanced_accuracy,
    class_f1,
    confusion_matrix,
    evaluate,
    macro_f1,
)
from mien.evaluation.predictions import Predictions
from mien.labels import FER2013, LabelSet, label_set_of
from mien.reports.classification_report import (
    classification_report,
    macro_average,
    weighted_average,
)

THREE = label_set_of(FER2013.keys[:3])


def table(
    labels: list[int] | NDArray[np.int64],
    probabilities: object,
    label_set: LabelSet = THREE,
    seen_duplicate: NDArray[np.bool_] | None = None,
) -> Predictions:
    return Predictions(
        names=tuple(f"row {i}" for i in range(len(labels))),
        labels=np.asarray(labels, np.int64),
        probabilities=np.asarray(probabilities, np.float64),
        label_set=label_set,
        split="test",
        source="made up",
        seen_duplicate=seen_duplicate,
    )


def certain(labels: list[int], predicted: list[int], **more: object) -> Predictions:
    return table(labels, np.eye(3)[predicted], **more)  # type: ignore[arg-type]


def random_table(n: int, seed: int = 0, skill: float = 2.0) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = generator.choice(7, n, p=[0.14, 0.02, 0.14, 0.25, 0.16, 0.12, 0.17])
    logits = generator.normal(size=(n, 7)) + skill * np.eye(7)[labels]
    exponentials = np.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return table(labels, probabilities, FER2013, generator.random(n) < 0.08)


# Four rows of class 0, three hit; two of class 1, one hit; class 2 has none but is predicted once.
LABELS, PREDICTED = [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 2]


def test_hand_computed_case_with_a_class_without_rows() -> None:
    result = evaluate(certain(LABELS, PREDICTED))
    assert result.n == 6
    assert result.confusion_matrix.tolist() == [[3, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    first, second, third = result.per_class
    assert first.precision == 1.0 and first.recall == 0.75
    assert first.f1 == pytest.approx(6 / 7)
    assert second.f1 == pytest.approx(0.5)
    assert (third.support, third.predicted) == (0, 1)
    assert third.precision == 0.0
    assert third.recall is None and third.f1 is None and third.f1_ci95 is None
    # Over the classes that have rows: the third is left out, not counted as 0.
    assert result.macro_f1 == pytest.approx((6 / 7 + 1 / 2) / 2)


def test_class_that_is_never_predicted_has_no_precision_but_an_f1_of_zero() -> None:
    scores = evaluate(certain([0, 0, 1], [0, 0, 0])).per_class
    assert scores[1].precision is None
    assert scores[1].recall == 0.0 and scores[1].f1 == 0.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_scikit_learn(seed: int) -> None:
    predictions = random_table(700, seed)
    result = evaluate(predictions, n_resamples=10)
    true, predicted = predictions.labels, predictions.predicted
    assert result.accuracy == pytest.approx(reference.accuracy_score(true, predicted))
    assert result.balanced_accuracy == pytest.approx(
        reference.balanced_accuracy_score(true, predicted)
    )
    assert result.macro_f1 == pytest.approx(reference.f1_score(true, predicted, average="macro"))
    assert result.nll == pytest.approx(reference.log_loss(true, predictions.probabilities))
    assert result.brier == pytest.approx(
        ((predictions.probabilities - np.eye(7)[true]) ** 2).sum() / 700
    )
    np.testing.assert_array_equal(
        result.confusion_matrix, reference.confusion_matrix(true, predicted, labels=range(7))
    )
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        true, predicted, labels=range(7)
    )
    np.testing.assert_allclose([score.precision for score in result.per_class], precision)
    np.testing.assert_allclose([score.recall for score in result.per_class], recall)
    np.testing.assert_allclose([score.f1 for score in result.per_class], f1)
    assert [score.support for score in result.per_class] == support.tolist()


@pytest.mark.parametrize("seed", [1, 2])
def test_classification_report_is_scikit_learns(seed: int) -> None:
    predictions = random_table(700, seed)
    expected = reference.classification_report(
        predictions.labels,
        predictions.predicted,
        labels=range(7),
        target_names=list(FER2013.keys),
        digits=4,
    )
    assert classification_report(evaluate(predictions, n_resamples=2)) == expected


def test_averages_agree_with_scikit_learn() -> None:
    predictions = random_table(400)
    scores = evaluate(predictions, n_resamples=2).per_class
    for kind, average in (("macro", macro_average), ("weighted", weighted_average)):
        expected = reference.precision_recall_fscore_support(
            predictions.labels, predictions.predicted, average=kind
        )[:3]
        mean = average(scores)
        assert (mean.precision, mean.recall, mean.f1) == pytest.approx(expected)


def test_averages_leave_out_classes_without_rows_and_count_unpredicted_ones() -> None:
    result = evaluate(certain([0, 0, 1], [0, 0, 0]))
    mean = macro_average(result.per_class)
    assert mean.precision == pytest.approx((2 / 3 + 0) / 2)
    assert mean.recall == pytest.approx(result.balanced_accuracy)
    assert mean.f1 == pytest.approx(result.macro_f1)
    assert weighted_average(result.per_class).recall == pytest.approx(result.accuracy)
    lines = classification_report(result).splitlines()
    assert lines[3].split() == ["disgust", "n/a", "0.0000", "0.0000", "1"]
    assert lines[4].split() == ["fear", "n/a", "n/a", "n/a", "0"]


def test_macro_f1_agrees_with_scikit_learn_over_classes_that_have_rows() -> None:
    expected = reference.f1_score(LABELS, PREDICTED, labels=[0, 1], average="macro")
    assert evaluate(certain(LABELS, PREDICTED)).macro_f1 == pytest.approx(expected)


def test_unseen_accuracy_leaves_out_rows_with_a_duplicate() -> None:
    seen = np.array([True, True, False, False, False, False])
    result = evaluate(certain(LABELS, PREDICTED, seen_duplicate=seen))
    assert result.n_seen_duplicates == 2
    assert result.accuracy_unseen == pytest.approx(2 / 4)
    assert result.accuracy_unseen_ci95 is not None
    low, high = result.accuracy_unseen_ci95
    assert low < 0.5 < high


def test_unseen_accuracy_is_unknown_without_training_rows() -> None:
    result = evaluate(certain(LABELS, PREDICTED))
    assert result.accuracy_unseen is None and result.n_seen_duplicates is None
    assert result.accuracy_unseen_ci95 is None


def test_unseen_accuracy_is_unknown_where_every_row_was_seen() -> None:
    result = evaluate(certain(LABELS, PREDICTED, seen_duplicate=np.ones(6, bool)))
    assert result.accuracy_unseen is None and result.n_seen_duplicates == 6


def test_all_right() -> None:
    result = evaluate(certain([0, 1, 2], [0, 1, 2]))
    assert result.accuracy == result.macro_f1 == result.balanced_accuracy == 1.0
    assert result.accuracy_ci95 == (1.0, 1.0)
    assert result.nll == 0.0 and result.brier == 0.0 and result.ece == 0.0


def test_all_wrong_and_certain() -> None:
    result = evaluate(certain([0, 1, 2], [1, 2, 0]))
    assert result.accuracy == result.macro_f1 == result.balanced_accuracy == 0.0
    assert result.accuracy_ci95 == (0.0, 0.0)
    assert result.ece == 1.0 and result.brier == 2.0
    assert result.nll == pytest.approx(-np.log(1e-15))


def test_one_row() -> None:
    result = evaluate(table([1], [[0.2, 0.7, 0.1]], seen_duplicate=np.array([False])))
    assert result.n == 1 and result.accuracy == 1.0 and result.accuracy_ci95 == (1.0, 1.0)
    assert result.accuracy_unseen == 1.0
    assert result.ece == pytest.approx(0.3)
    assert result.coverage == result.coverage[:1]
    assert result.coverage[0].coverage == 1.0


def test_uniform_predictions_are_as_good_as_chance() -> None:
    labels = np.arange(70) % 7
    result = evaluate(table(labels, np.full((70, 7), 1 / 7), FER2013))
    assert result.accuracy == pytest.approx(1 / 7)
    assert result.nll == pytest.approx(np.log(7))
    assert result.ece == pytest.approx(0.0, abs=1e-12)


def test_ece_by_hand() -> None:
    # Confidences 0.9, 0.9 in one bin with accuracy 1/2, and 0.6 alone in another, right.
    predictions = table([0, 1, 0], [[0.9, 0.1, 0], [0.9, 0.1, 0], [0.6, 0.4, 0]])
    bins = reliability(predictions)
    assert sum(part.n for part in bins) == 3
    assert ece(bins) == pytest.approx(2 / 3 * abs(0.5 - 0.9) + 1 / 3 * abs(1 - 0.6))


def test_bins_are_open_below_and_closed_above() -> None:
    upper_edge = 9 / 15
    bins = reliability(table([0], [[upper_edge, 1 - upper_edge, 0]]))
    assert [part.n for part in bins].index(1) == 8
    assert bins[8].upper == pytest.approx(upper_edge)
    assert bins[0].confidence is None and bins[0].accuracy is None


def test_ece_agrees_with_a_loop_over_rows() -> None:
    predictions = random_table(500)
    expected = 0.0
    for i in range(15):
        rows = [
            (c, hit)
            for c, hit in zip(predictions.confidence, predictions.correct, strict=True)
            if i / 15 < c <= (i + 1) / 15
        ]
        if rows:
            confidence, hits = np.mean(rows, axis=0)
            expected += len(rows) / 500 * abs(confidence - hits)
    assert ece(reliability(predictions)) == pytest.approx(expected)


def test_nll_is_finite_and_never_negative() -> None:
    assert nll(table([0], [[1.0000001, 0, 0]])) == 0.0
    assert nll(table([1], [[1.0, 0, 0]])) == pytest.approx(34.54, abs=0.01)


def test_brier_of_uniform_rows() -> None:
    assert brier(table([0], [[1 / 3, 1 / 3, 1 / 3]])) == pytest.approx(2 / 3)


def test_coverage_curve_answers_equal_confidences_together() -> None:
    rows = [[0.9, 0.1, 0], [0.8, 0.2, 0], [0.8, 0.2, 0], [0.5, 0.4, 0.1]]
    curve = coverage_curve(table([0, 0, 1, 1], rows))
    assert [point.coverage for point in curve] == [0.25, 0.75, 1.0]
    assert [point.accuracy for point in curve] == pytest.approx([1.0, 2 / 3, 0.5])
    assert [point.threshold for point in curve] == [0.9, 0.8, 0.5]
    chosen = coverage_at(curve, (0.2, 0.5, 0.6, 1.0))
    assert [point.coverage for point in chosen] == [0.25, 0.75, 1.0]


def test_curve_ends_at_the_accuracy() -> None:
    predictions = random_table(300)
    result = evaluate(predictions, n_resamples=10)
    assert result.coverage[-1].coverage == 1.0
    assert result.coverage[-1].accuracy == pytest.approx(result.accuracy)
    assert len(result.coverage) == 10


def test_bootstrap_keeps_the_number_of_rows_and_empty_cells() -> None:
    matrix = np.array([[5, 0], [2, 0]])
    drawn = bootstrap(matrix, 500, np.random.default_rng(0))
    assert drawn.shape == (500, 2, 2)
    assert (drawn.sum(axis=(1, 2)) == 7).all()
    assert (drawn[:, :, 1] == 0).all()
    assert drawn[:, 0, 0].std() > 0


def test_bootstrap_agrees_with_drawing_rows_one_by_one() -> None:
    predictions = random_table(400)
    matrix = confusion_matrix(predictions)
    drawn = bootstrap(matrix, 4000, np.random.default_rng(0))
    generator = np.random.default_rng(1)
    by_row = np.empty((2, 4000))
    for k in range(4000):
        rows = generator.integers(0, 400, 400)
        cells = predictions.labels[rows] * 7 + predictions.predicted[rows]
        one = np.bincount(cells, minlength=49).reshape(7, 7)
        by_row[:, k] = accuracy(one), macro_f1(one)
    np.testing.assert_allclose(interval(accuracy(drawn)), interval(by_row[0]), atol=0.006)
    np.testing.assert_allclose(interval(macro_f1(drawn)), interval(by_row[1]), atol=0.01)


def test_interval_covers_the_truth_about_95_times_in_100() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        hits = int(generator.binomial(500, 0.7))
        matrix = np.array([[hits, 500 - hits], [0, 0]])
        low, high = interval(accuracy(bootstrap(matrix, 400, generator)))
        covered += low <= 0.7 <= high
    assert 0.90 <= covered / 300 <= 0.985


def test_intervals_are_a_function_of_the_seed() -> None:
    predictions = random_table(300)
    first, again = evaluate(predictions, seed=5), evaluate(predictions, seed=5)
    other = evaluate(predictions, seed=6)
    assert first.macro_f1_ci95 == again.macro_f1_ci95
    assert first.macro_f1_ci95 != other.macro_f1_ci95
    assert first.n_resamples == 2000


def test_intervals_hold_the_estimates() -> None:
    result = evaluate(random_table(500))
    for value, (low, high) in (
        (result.accuracy, result.accuracy_ci95),
        (result.accuracy_unseen, result.accuracy_unseen_ci95 or (2.0, 2.0)),
        (result.macro_f1, result.macro_f1_ci95),
        (result.balanced_accuracy, result.balanced_accuracy_ci95),
    ):
        assert value is not None and 0 <= low < value < high <= 1
    low, high = result.accuracy_ci95
    normal = 2 * 1.96 * np.sqrt(result.accuracy * (1 - result.accuracy) / 500)
    assert high - low == pytest.approx(normal, rel=0.1)


def test_stacked_matrices_give_what_single_ones_give() -> None:
    stack = bootstrap(confusion_matrix(random_table(200)), 5, np.random.default_rng(0))
    for metric in (accuracy, macro_f1, balanced_accuracy, class_f1):
        together = metric(stack)
        for k in range(5):
            np.testing.assert_allclose(together[k], metric(stack[k]))


@pytest.mark.filterwarnings("error")
def test_rare_class_and_few_resamples_raise_no_warning() -> None:
    labels = [0] * 40 + [1]
    for seed in range(5):
        result = evaluate(certain(labels, labels), n_resamples=1, seed=seed)
        assert result.macro_f1_ci95 == (1.0, 1.0)


def test_full_size_evaluation_is_quick() -> None:
    predictions = random_table(3589)
    start = time.perf_counter()
    evaluate(predictions)
    assert time.perf_counter() - start < 2.0


def test_answered_at_a_threshold_counts_it_in() -> None:
    predictions = table(
        [0, 0, 1, 1], [[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.5, 0.4, 0.1], [0.1, 0.7, 0.2]]
    )
    every, half, most, none = answered(predictions, (0.0, 0.5, 0.6, 0.95))
    assert (every.n, every.coverage, every.accuracy) == (4, 1.0, 0.75)
    assert (half.threshold, half.n, half.accuracy) == (0.5, 4, 0.75)
    assert (most.n, most.coverage, most.accuracy) == (2, 0.5, 1.0)
    assert (none.n, none.coverage, none.accuracy) == (0, 0.0, None)
