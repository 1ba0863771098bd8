import json
from dataclasses import replace

import numpy as np
import pytest

from mien.errors import ModelError
from mien.labels import FER2013
from mien.model_card import FORMAT_VERSION, ModelCard, Score, golden_inputs
from mien.preprocessing import InputSpec

SCORE = Score(
    split="FER-2013 PublicTest",
    n=3589,
    accuracy=0.69,
    accuracy_ci95=(0.67, 0.71),
    accuracy_unseen=0.68,
    n_seen_twins=280,
    macro_f1=0.66,
    ece=0.02,
    tta="none",
    data_sha256="ab" * 32,
    command="mien evaluate default --data fer2013.csv --split validation",
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": FORMAT_VERSION + 1}, "newer"),
        ({"labels": ("a", "a")}, "distinct"),
        ({"labels": ("a",)}, "distinct"),
        ({"labels": ("a", "Uncertain")}, "no class can be called 'uncertain'"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
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
