import pytest

from mien.labels import (
    FER2013,
    FERPLUS,
    FERPLUS_VOTE_COLUMNS,
    LABEL_SETS,
    UNCERTAIN,
    Label,
    LabelSet,
    label_set_of,
)


def test_the_orders_of_the_field():
    assert FER2013.keys == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert FERPLUS.keys == (*FER2013.keys, "contempt")
    assert [label.key for label in FERPLUS_VOTE_COLUMNS] == [
        *("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
    ]


def test_lookup_by_key_synonym_and_case():
    assert FER2013.index("happy") == FER2013.index("Happiness") == FER2013.index(" JOY ") == 3
    assert FER2013.index("anger") == 0
    assert "Surprised" in FER2013
    assert "contempt" not in FER2013
    assert 3 not in FER2013


def test_every_name_leads_to_its_own_class():
    for label_set in LABEL_SETS.values():
        for index, label in enumerate(label_set):
            assert label_set[index] is label
            for name in (label.key, label.display_name, *label.synonyms):
                assert label_set.index(name) == index


def test_unknown_name_lists_the_known():
    with pytest.raises(KeyError, match="angry, disgust, fear"):
        FER2013.index("bored")


def test_a_name_of_two_classes_is_refused():
    with pytest.raises(ValueError, match="twice"):
        LabelSet("x", (Label("a", "A", (0, 0, 0)), Label("b", "B", (0, 0, 0), ("a",))))


def test_colors_differ():
    assert len({label.color_rgb for label in FERPLUS}) == len(FERPLUS)


def test_label_set_of():
    assert label_set_of(FER2013.keys) is FER2013
    assert label_set_of(FERPLUS.keys) is FERPLUS
    other = label_set_of(("neutral", "bored"))
    assert other.keys == ("neutral", "bored")
    assert other[0] is FER2013[6]
    assert other[1].display_name == "Bored"
    assert len(label_set_of(tuple(reversed(FER2013.keys)))) == 7


@pytest.mark.parametrize("name", ["uncertain", "Uncertain", " UNCERTAIN "])
def test_no_class_can_be_called_uncertain(name):
    with pytest.raises(ValueError, match="no class can be called 'uncertain'"):
        label_set_of(("happy", name))
    with pytest.raises(ValueError, match="no class can be called 'uncertain'"):
        LabelSet("x", (Label("a", "A", (0, 0, 0), (name,)),))


def test_uncertain_is_in_no_set_and_looks_like_none():
    for label_set in LABEL_SETS.values():
        assert UNCERTAIN not in label_set.labels
        assert UNCERTAIN.key not in label_set
    neutral = FER2013[6].color_rgb
    assert max(abs(a - b) for a, b in zip(UNCERTAIN.color_rgb, neutral, strict=True)) > 60
