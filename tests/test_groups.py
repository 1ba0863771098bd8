"""Groups: a planted gap is found, random groups are alike, and small ones are not estimated."""

import csv
import io
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.evaluation.group_columns import (
    ACCURACY,
    ECE,
    NOT_FOUND,
    RECALL,
    error_measures,
    recall_classes,
)
from mien.evaluation.groups import TOO_SMALL, Gap, Grouped, compare_groups, large_enough
from mien.evaluation.predictions import Predictions, predict
from mien.labels import FER2013
from mien.model.names import resolve_model
from mien.recognition.classifier import Classifier
from mien.reports.group_words import measure_words
from mien.reports.groups import group_lines, group_tables, groups_csv
from mien.reports.groups_plot import groups_drawing, measure_title
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


def labelled(predictions: Predictions, codes: NDArray[np.int64], names: tuple[str, ...]) -> Grouped:
    return replace(compared(predictions, codes, names), labels=FER2013.keys)


def test_all_compared_are_the_same_faces_and_classes() -> None:
    """A class that one group lacks, and hard faces in no group, are in no row of the table."""
    right = np.full(1400, 0.8)
    right[1000:] = 0.1
    predictions = predictions_of(1400, right)
    codes = np.arange(1400) // 7 % 2
    codes[1000:] = -1
    codes[(predictions.labels == 1) & (codes == 1)] = -1
    grouped = labelled(predictions, codes, ("A", "B"))
    part = grouped.breakdowns[0]
    rows = np.flatnonzero(codes >= 0)
    assert part.together.n == len(rows)
    shown = {score.measure: score for score in part.together.scores}
    correct, labels = predictions.correct[rows], predictions.labels[rows]
    recalls = [correct[labels == label].mean() for label in range(7) if label != 1]
    assert shown[RECALL].value == pytest.approx(np.mean(recalls))
    assert shown[ACCURACY].value == pytest.approx(correct.mean())
    values = [s.value for g in part.groups for s in g.scores if s.measure == ACCURACY]
    assert min(values) <= shown[ACCURACY].value <= max(values)  # type: ignore[type-var, operator]
    # The classes stand beside the number, wherever it is.
    words = "macro recall (all but disgust)"
    scores, gaps = group_tables(grouped, part)
    assert scores.header[3] == words and scores.rows[-1][:2] == ("all compared", f"{len(rows)}")
    assert gaps.rows[1][0] == words
    assert measure_title(grouped, part, RECALL) == words
    assert f"<h3>{words}</h3>" in groups_drawing(grouped, part)
    lines = list(csv.DictReader(io.StringIO(groups_csv(grouped))))
    of_recall = [line for line in lines if line["measure"] == RECALL]
    assert [line["group"] for line in of_recall] == ["all faces", "A", "B", "all compared"]
    assert of_recall[0]["classes"].split() == list(FER2013.keys)
    assert of_recall[-1]["classes"].split() == [key for key in FER2013.keys if key != "disgust"]
    assert all(not line["classes"] for line in lines if line["measure"] != RECALL)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (FER2013.keys, "m (all 7 classes)"),
        (FER2013.keys[2:], "m (all but angry and disgust)"),
        (("happy", "sad"), "m (happy, sad)"),
        ((), "m"),
    ],
)
def test_classes_are_named(classes: tuple[str, ...], said: str) -> None:
    assert measure_words("m", classes, FER2013.keys) == said


def test_a_gap_is_the_difference_of_the_shown_values() -> None:
    """In the ECE, too, whose test looks at something else."""
    generator = np.random.default_rng(3)
    sure = predictions_of(1200, np.full(1200, 0.7), seed=3)
    wrong = generator.random(1200) < 0.3
    labels = np.where(wrong & (np.arange(1200) % 4 == 3), (sure.labels + 3) % 7, sure.labels)
    predictions = replace(sure, labels=labels)
    grouped = labelled(predictions, np.arange(1200) % 4, ("A", "B", "C", "D"))
    scores, gaps = group_tables(grouped, grouped.breakdowns[0])
    for column, row in enumerate(gaps.rows, start=2):
        shown = [float(line[column].split(" %")[0]) for line in scores.rows[:-1]]
        assert float(row[3]) == pytest.approx(max(shown) - min(shown), abs=1e-9), row
        for end, value in ((row[1], min(shown)), (row[2], max(shown))):
            for name in (
                end.replace("all alike", "A, B, C, D")
                .removesuffix(" (worst)")
                .replace(" and ", ", ")
                .split(", ")
            ):
                assert shown["ABCD".index(name)] == value, row
    assert gap_of(grouped, ECE).high == "D" and gap_of(grouped, ECE).high_value > 0.1


def test_groups_with_the_same_value_are_all_named() -> None:
    predictions = predictions_of(400, np.full(400, 0.9))
    codes = np.array([0, 1, 1, 2, 2, 2, 3, 3])[np.arange(400) % 8]
    missed = np.zeros(400, bool)
    grouped = compared(predictions, codes, ("A", "B", "C", "D"), missed)
    gap = gap_of(grouped, NOT_FOUND)
    # Those with the most faces first: what is known best.
    assert gap.lows == gap.highs == ("C", "B", "D", "A")
    row = next(r for r in group_tables(grouped, grouped.breakdowns[0])[1].rows if r[0] == NOT_FOUND)
    assert row[1:4] == ("all alike", "all alike", "0.0")
    missed[codes == 0] = True
    grouped = compared(predictions, codes, ("A", "B", "C", "D"), missed)
    row = next(r for r in group_tables(grouped, grouped.breakdowns[0])[1].rows if r[0] == NOT_FOUND)
    assert row[1:3] == ("C, B and D", "A (worst)")


def test_what_other_expressions_make_is_said_beside_the_gap() -> None:
    generator = np.random.default_rng(9)
    easy = np.arange(2100) % 7 == 3
    predictions = predictions_of(2100, np.where(easy, 0.95, 0.5))
    codes = np.where(easy, generator.random(2100) < 0.9, generator.random(2100) < 0.4).astype(int)
    grouped = labelled(predictions, codes, ("A", "B"))
    gap = gap_of(grouped, ACCURACY)
    share = [(predictions.labels[codes == code] == 3).mean() for code in (0, 1)]
    assert gap.of_expressions == pytest.approx(0.45 * (share[1] - share[0]), abs=0.03)
    assert gap.is_of_expressions
    (line,) = [line for line in group_lines(grouped) if "accuracy differs" in line]
    assert "Other expressions alone would make" in line and "no gap in macro recall" in line
    assert "worst" not in line
    (row,) = [r for r in group_tables(grouped, grouped.breakdowns[0])[1].rows if r[0] == ACCURACY]
    assert "(worst)" not in " ".join(row)
    # A group that is read worse, with the same expressions, is still called the worst.
    worse = labelled(
        predictions_of(1200, np.where(np.arange(1200) % 2, 0.5, 0.8)),
        np.arange(1200) % 2,
        ("A", "B"),
    )
    (line,) = [line for line in group_lines(worse) if "accuracy differs" in line]
    assert "worst: B. Other expressions do not explain it." in line


def test_names_stand_beside_the_drawing() -> None:
    codes = np.arange(600) % 2
    grouped = labelled(predictions_of(600, np.full(600, 0.7)), codes, ("Anna", "Berta"))
    page = groups_drawing(grouped, grouped.breakdowns[0])
    assert "<span>Anna (300)</span>" in page
    assert not re.search(r"<text[^>]*>[^<]*Anna", page)


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
