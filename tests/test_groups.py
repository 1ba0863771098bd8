"""Groups: a planted gap is found, random groups are alike, and small ones are not estimated."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.evaluation.group_columns import ACCURACY, RECALL, error_measures, recall_classes
from mien.evaluation.groups import TOO_SMALL, Gap, Grouped, compare_groups, large_enough
from mien.evaluation.predictions import Predictions, predict
from mien.labels import FER2013
from mien.model.names import resolve_model
from mien.recognition.classifier import Classifier
from mien.samples import Samples, Split
from samples_factory import samples_of


def predictions_of(n: int, right: NDArray[np.float64], seed: int = 0) -> Predictions:
    """Faces of all classes, each right with its own probability, at that confidence."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 7
    correct = generator.random(n) < right
    answers = np.where(correct, labels, (labels + 1) % 7)
    confidence = np.maximum(right, 0.2)
    probabilities = np.repeat((1 - confidence)[:, None] / 6, 7, axis=1)
    probabilities[np.arange(n), answers] = confidence
    names = tuple(f"row {number}" for number in range(n))
    return Predictions(names, labels, probabilities, FER2013, "test", "made up")


def compared(
    predictions: Predictions,
    codes: NDArray[np.int64],
    names: tuple[str, ...],
    missed: NDArray[np.bool_] | None = None,
    permutations: int = 999,
) -> Grouped:
    classes = recall_classes(predictions, codes, large_enough(names, codes))
    measures = error_measures(predictions, missed, 0.5, classes)
    everyone = error_measures(predictions, missed, 0.5, tuple(range(7)))
    return compare_groups(
        [("site", names, codes, measures)],
        everyone,
        min_confidence=0.5,
        detector=None,
        permutations=permutations,
    )


def gap_of(grouped: Grouped, measure: str) -> Gap:
    return next(gap for gap in grouped.breakdowns[0].gaps if gap.measure == measure)


def test_values_are_those_of_the_rows() -> None:
    predictions = predictions_of(700, np.full(700, 0.7))
    codes = np.arange(700) // 350
    grouped = compared(predictions, codes, ("A", "B"))
    first = grouped.breakdowns[0].groups[0]
    scores = {score.measure: score for score in first.scores}
    correct, labels = predictions.correct[:350], predictions.labels[:350]
    assert scores[ACCURACY].value == pytest.approx(correct.mean())
    recalls = [correct[labels == label].mean() for label in range(7)]
    assert scores[RECALL].value == pytest.approx(np.mean(recalls))
    for score in first.scores:
        assert score.ci95 is not None and score.value is not None
        assert score.ci95[0] <= score.value <= score.ci95[1]
    assert grouped.everyone.n == 700


def test_a_planted_gap_is_found_and_named() -> None:
    codes = np.arange(1200) % 3
    predictions = predictions_of(1200, np.where(codes == 1, 0.55, 0.75))
    grouped = compared(predictions, codes, ("A", "B", "C"))
    gap = gap_of(grouped, ACCURACY)
    assert gap.worst == "B" and gap.is_found and gap.p_holm < 0.01
    assert ("site", gap) in grouped.found


def test_missed_faces_are_a_gap_of_their_own() -> None:
    codes = np.arange(600) % 2
    missed = np.zeros(600, bool)
    missed[codes == 1] = np.random.default_rng(0).random(300) < 0.2
    grouped = compared(predictions_of(600, np.full(600, 0.7)), codes, ("A", "B"), missed)
    assert [gap.measure for _, gap in grouped.found] == ["face not found"]


def test_other_expressions_are_no_gap_in_macro_recall() -> None:
    """Both groups are read alike, but one smiles more, and smiles are easier."""
    generator = np.random.default_rng(9)
    easy = np.arange(2100) % 7 == 3
    predictions = predictions_of(2100, np.where(easy, 0.95, 0.5))
    codes = np.where(easy, generator.random(2100) < 0.9, generator.random(2100) < 0.4).astype(int)
    grouped = compared(predictions, codes, ("A", "B"))
    assert gap_of(grouped, ACCURACY).is_found
    assert not gap_of(grouped, RECALL).is_found


def test_random_groups_are_alike() -> None:
    """A gap is found in one of twenty such divisions on average, and hardly ever in four."""
    predictions = predictions_of(1500, np.random.default_rng(5).uniform(0.4, 1.0, 1500))
    found = 0
    for seed in range(20):
        codes = np.random.default_rng(seed).integers(0, 4, 1500)
        found += bool(compared(predictions, codes, ("A", "B", "C", "D"), permutations=399).found)
    assert found <= 3


def test_few_faces_are_counted_not_estimated() -> None:
    codes = np.where(np.arange(200) < TOO_SMALL - 1, 0, 1 + np.arange(200) % 2)
    codes[-1] = -1
    grouped = compared(predictions_of(200, np.full(200, 0.7)), codes, ("few", "A", "B"))
    few = grouped.breakdowns[0].groups[0]
    assert few.is_too_small and few.n == TOO_SMALL - 1 and few.scores == ()
    assert grouped.breakdowns[0].n_unknown == 1
    assert all("few" not in (gap.low, gap.high) for gap in grouped.breakdowns[0].gaps)


def test_one_large_group_is_not_compared() -> None:
    codes = np.zeros(100, np.int64)
    grouped = compared(predictions_of(100, np.full(100, 0.7)), codes, ("A",))
    assert grouped.breakdowns[0].gaps == () and grouped.found == ()


def test_classes_that_a_group_lacks_are_left_out_for_all() -> None:
    predictions = predictions_of(700, np.full(700, 0.7))
    codes = np.where(predictions.labels == 1, 0, np.arange(700) // 7 % 2)
    grouped = compared(predictions, codes, ("A", "B"))
    assert FER2013.keys[1] not in grouped.breakdowns[0].recall_classes
    assert len(grouped.breakdowns[0].recall_classes) == 6


@pytest.fixture(scope="module")
def faces(fer2013: tuple[np.ndarray, list[dict[str, str]]]) -> Samples:
    """Every second PublicTest face."""
    images, rows = fer2013
    chosen = [index for index, row in enumerate(rows) if row["Usage"] == "PublicTest"][::2]
    labels = [int(rows[index]["emotion"]) for index in chosen]
    return samples_of(images[chosen], labels, ["validation"] * len(chosen))


def test_a_blurred_group_of_real_faces_is_found(faces: Samples) -> None:
    classifier = Classifier(resolve_model("default"))
    codes = np.random.default_rng(0).integers(0, 3, len(faces))
    images = np.array(faces.images)
    for row in np.flatnonzero(codes == 2):
        images[row] = cv2.GaussianBlur(images[row], (0, 0), 1.5)
    plain = predict(classifier.probabilities, faces, Split.VALIDATION)
    assert not compared(plain, codes, ("A", "B", "C")).found
    blurred = predict(classifier.probabilities, replace(faces, images=images), Split.VALIDATION)
    gap = gap_of(compared(blurred, codes, ("A", "B", "C"), permutations=9999), ACCURACY)
    assert gap.worst == "C" and gap.p_holm < 0.01
