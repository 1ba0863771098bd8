"""Words that are not known, and what may have been meant."""

import pytest

from mien.spelling import did_you_mean, nearest

KNOWN = [
    *("epochs", "step_epochs", "learning_rate", "batch_size", "weight_decay", "licence"),
    *("augmentation", "augmentation.rotation_deg", "augmentation.zoom", "early_stopping.patience"),
]


@pytest.mark.parametrize(
    ("word", "best"),
    [
        ("epoch", "epochs"),
        ("Epochs", "epochs"),
        ("--batch-size", "batch_size"),
        ("bacthsize", "batch_size"),
        ("lr", "learning_rate"),
        ("wd", "weight_decay"),
        ("rate", "learning_rate"),
        ("patience", "early_stopping.patience"),
        ("rotation", "augmentation.rotation_deg"),
        ("aug.zoom", "augmentation.zoom"),
    ],
)
def test_the_nearest_word_comes_first(word: str, best: str) -> None:
    assert nearest(word, KNOWN)[0] == best


def test_an_exact_part_leaves_vaguer_words_out() -> None:
    assert nearest("zoom", KNOWN) == ["augmentation.zoom"]
    assert len(nearest("e", ["ea", "eb", "ec", "ed"], most=2)) == 2


@pytest.mark.parametrize("word", ["qqqq", "", "--"])
def test_nothing_is_near(word: str) -> None:
    assert nearest(word, KNOWN) == []
    assert did_you_mean(word, KNOWN) == ""


def test_words_for_a_message() -> None:
    assert did_you_mean("epoch", ["epochs", "step_epochs"], most=1) == "did you mean epochs?"
    assert did_you_mean("epoch", ["epochs", "epoch_s"]).count(" or ") == 1
