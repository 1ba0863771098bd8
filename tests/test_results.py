import dataclasses
import json
import math

import pytest

from mien.labels import FER2013
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
