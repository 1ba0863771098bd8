import json
from dataclasses import replace

import numpy as np
import pytest

from mien.errors import ModelError
from mien.labels import FER2013
from mien.model.card import FORMAT_VERSION, Calibration, ModelCard, Score, golden_inputs
from mien.preprocessing import InputSpec

SCORE = Score(
    split="FER-2013 PublicTest",
    n=3589,
    accuracy=0.69,
    accuracy_ci95=(0.67, 0.71),
    accuracy_unseen=0.68,
    n_seen_duplicates=280,
    macro_f1=0.66,
    ece=0.02,
    tta="none",
    data_sha256="ab" * 32,
    command="mien evaluate default --data fer2013.csv --split validation",
    commit="abc",
)
CALIBRATION = Calibration(
    method="temperature scaling",
    source="fer2013.csv",
    split="validation",
    n=3589,
    data_sha256="ab" * 32,
    nll_before=0.87,
    nll_after=0.86,
    ece_before=0.023,
    ece_after=0.022,
    ece_cross_fitted=0.0225,
    commit="abc",
)
CARD = ModelCard(
    name="x",
    architecture="tiny",
    labels=FER2013.keys,
    input_shape=(48, 48, 1),
    framing="fer2013",
    recipe={"epochs": 3},
    scores=(SCORE,),
    temperature=1.3,
    golden=((1 / 7,) * 7,) * 3,
)


def test_json_round_trip():
    read = ModelCard.from_json(CARD.to_json())
    assert read == CARD
    assert read.to_json() == CARD.to_json()
    assert read.scores[0].accuracy_ci95 == (0.67, 0.71)
    assert read.label_set is FER2013
    assert read.input == InputSpec(48, 48, 1)
    fitted = replace(CARD, calibration=CALIBRATION)
    assert ModelCard.from_json(fitted.to_json()) == fitted


def test_a_card_without_calibration_is_what_it_was_before_there_was_one():
    assert FORMAT_VERSION == 1
    values = json.loads(CARD.to_json())
    assert "calibration" not in values
    assert ModelCard.from_json(json.dumps({**values, "calibration": None})) == CARD


def test_a_newer_card_is_called_newer_whatever_else_is_new_in_it():
    values = json.loads(CARD.to_json())
    newer = {**values, "format_version": FORMAT_VERSION + 1, "what_comes": 1, "labels": 3}
    with pytest.raises(ModelError, match="newer than this mien reads") as caught:
        ModelCard.from_json(json.dumps(newer))
    assert "damaged" not in str(caught.value)


def test_another_temperature_leaves_of_the_scores_what_stays_true():
    flipped = replace(SCORE, tta="flip")
    scored = replace(CARD, scores=(SCORE, flipped))
    changed = scored.calibrated(0.9, CALIBRATION)
    assert (changed.temperature, changed.calibration) == (0.9, CALIBRATION)
    assert changed.scores == (replace(SCORE, ece=None),)
    assert changed.scores[0].accuracy == SCORE.accuracy
    assert ModelCard.from_json(changed.to_json()) == changed
    # The same temperature leaves all as it is.
    assert scored.calibrated(1.3, CALIBRATION).scores == scored.scores
    assert changed.golden == CARD.golden


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": FORMAT_VERSION + 1}, "newer"),
        ({"labels": ("a", "a")}, "distinct"),
        ({"labels": ("a",)}, "distinct"),
        ({"labels": ("a", "Uncertain")}, "no class can be called 'uncertain'"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"golden": ((0.5, 0.5),)}, "golden"),
        ({"input_shape": (48, 48, 2)}, "input shape"),
    ],
)
def test_contradictions(changes, message):
    with pytest.raises(ModelError, match=message):
        replace(CARD, **changes)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "{}", '{"labels": 3}'),
        CARD.to_json().replace('"licence"', '"license"'),
        json.dumps({**json.loads(CARD.to_json()), "scores": [{"n": 1}]}),
        json.dumps({**json.loads(CARD.to_json()), "input_shape": [48, 48]}),
        json.dumps({**json.loads(CARD.to_json()), "calibration": {"method": "guess"}}),
        json.dumps({**json.loads(CARD.to_json()), "calibration": 3}),
        json.dumps({**json.loads(CARD.to_json()), "format_version": "2"}),
    ],
)
def test_damaged_cards(text):
    with pytest.raises(ModelError) as caught:
        ModelCard.from_json(text)
    assert "\n" not in str(caught.value)


def test_golden_inputs_are_fixed_for_ever():
    images = golden_inputs(InputSpec(48, 48, 1))
    assert images.shape == (3, 48, 48, 1)
    assert images.dtype == np.uint8
    assert images.astype(int).sum(axis=(1, 2, 3)).tolist() == [292609, 292656, 217472]
    assert len(np.unique(images[0])) > 50


def test_golden_inputs_of_other_shapes():
    color = golden_inputs(InputSpec(32, 20, 3))
    assert color.shape == (3, 32, 20, 3)
    assert np.array_equal(color[..., 0], color[..., 2])
    assert golden_inputs(InputSpec(1, 1, 1)).shape == (3, 1, 1, 1)
