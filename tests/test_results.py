import dataclasses
import json
import math

import pytest

from mien.labels import FER2013, UNCERTAIN
from mien.results import Detection, Expression, Face, FrameResult

BOX = (1.0, 2.0, 30.0, 40.0)
HAPPY = Expression(FER2013, (0.01, 0.0, 0.02, 0.9, 0.03, 0.01, 0.03))


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 5), (0, 0, 5, -1), (0, 0, 5), (math.nan, 0, 1, 1), (0, math.inf, 1, 1)]
)
def test_impossible_boxes(box):
    with pytest.raises(ValueError, match="expected a box"):
        Detection(box, 0.5)
    with pytest.raises(ValueError, match="expected a box"):
        Face(box, 0.5)


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_impossible_scores(score):
    with pytest.raises(ValueError, match="score"):
        Detection(BOX, score)


@pytest.mark.parametrize(
    "probabilities",
    [(0.5, 0.5), (0.1,) * 7, (1.1, -0.1, 0, 0, 0, 0, 0), (math.nan,) * 7],
)
def test_impossible_distributions(probabilities):
    with pytest.raises(ValueError, match="expected"):
        Expression(FER2013, probabilities)


def test_expression_names_the_most_probable():
    assert HAPPY.index == 3
    assert HAPPY.label is FER2013[3]
    assert HAPPY.confidence == 0.9
    assert list(HAPPY.as_dict()) == list(FER2013.keys)
    tie = Expression(FER2013, (0.5, 0.5, 0, 0, 0, 0, 0))
    assert tie.index == 0


@pytest.mark.parametrize(
    ("min_confidence", "is_uncertain"), [(0.0, False), (0.5, False), (0.9, False), (0.91, True)]
)
def test_a_face_of_which_no_class_is_probable_enough(min_confidence, is_uncertain):
    expression = dataclasses.replace(HAPPY, min_confidence=min_confidence)
    assert expression.is_uncertain is is_uncertain
    assert expression.label is (UNCERTAIN if is_uncertain else FER2013[3])
    # Nothing is lost.
    assert (expression.index, expression.confidence) == (3, 0.9)
    assert expression.as_dict() == HAPPY.as_dict()
    row = Face(BOX, 0.5, expression=expression).as_dict()
    assert row["expression"] == ("uncertain" if is_uncertain else "happy")
    assert (row["confidence"], row["probabilities"]) == (0.9, HAPPY.as_dict())


def test_what_was_decided_over_time_counts():
    sure = dataclasses.replace(HAPPY, min_confidence=0.5, held_uncertain=True)
    assert sure.is_uncertain and sure.label is UNCERTAIN
    unsure = dataclasses.replace(HAPPY, held=3, min_confidence=0.95, held_uncertain=False)
    assert not unsure.is_uncertain and unsure.label is FER2013[3]


@pytest.mark.parametrize("min_confidence", [-0.1, 1.1, math.nan, math.inf])
def test_impossible_least_confidences(min_confidence):
    with pytest.raises(ValueError, match=r"min_confidence in \[0, 1\]"):
        dataclasses.replace(HAPPY, min_confidence=min_confidence)


def test_results_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HAPPY.probabilities = ()


def test_frame_as_the_json_contract():
    face = Face((1.234567, 2.0, 30.0, 40.0), 0.97, expression=HAPPY, track=4)
    unclassified = Face(BOX, 0.5)
    result = FrameResult(100, 60, "yunet", (face, unclassified), "a.jpg", 3, 0.125)
    read = json.loads(json.dumps(result.as_dict()))
    assert list(read) == ["source", "frame", "time_s", "width", "height", "detector", "faces"]
    assert (read["width"], read["height"], read["frame"], read["time_s"]) == (100, 60, 3, 0.125)
    assert len(read["faces"]) == 2
    first, second = read["faces"]
    assert list(first) == [
        *("box", "detection_score", "track", "expression", "confidence", "probabilities")
    ]
    assert first["box"] == [1.23, 2.0, 30.0, 40.0]
    assert first["track"] == 4
    assert first["expression"] == FER2013[3].key
    assert sum(first["probabilities"].values()) == pytest.approx(1.0, abs=1e-6)
    assert "expression" not in second
    assert second["track"] is None


def test_a_frame_without_faces_and_without_pixels():
    assert FrameResult(1, 1, "haar").as_dict()["faces"] == []
    with pytest.raises(ValueError, match="0 x 5"):
        FrameResult(0, 5, "haar")
