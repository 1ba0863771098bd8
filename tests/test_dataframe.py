import json
import sys
from dataclasses import replace

import pytest

from mien.errors import MissingExtraError
from mien.labels import FER2013, FERPLUS, UNCERTAIN, Label
from mien.outputs.dataframe import segments_to_dataframe, to_dataframe
from mien.outputs.rows import columns
from mien.outputs.segments import SEGMENT_COLUMNS
from mien.outputs.tables import Table
from mien.recognition.segments import Segment
from mien.results import Expression, Face, FrameResult

SHOWN = Expression(FER2013, (0.1, 0.0, 0.0, 0.7, 0.2, 0.0, 0.0))
OWN = Label("bored", "Bored", (0, 0, 0))
RAW = Expression(FER2013, (0.6, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0))
BOX = (1.0, 2.0, 3.25, 4.5)
VIDEO = [
    FrameResult(64, 48, "fixed", (Face(BOX, 0.9, (), SHOWN, 2, RAW),), "v.mp4", 1, 0.04),
    FrameResult(64, 48, "fixed", (), "v.mp4", 2, 0.08),
    FrameResult(64, 48, "fixed", (Face(BOX, 0.9), Face(BOX, 0.8, (), SHOWN)), "p.jpg"),
]


@pytest.fixture
def pd():
    return pytest.importorskip("pandas")


def test_rows_types_and_missing_values(pd):
    frame = to_dataframe(VIDEO)
    assert list(frame.columns) == list(columns(FER2013.keys, with_raw=True))
    assert frame["frame"].tolist() == [1, 0, 0]
    assert frame["face"].tolist() == [0, 0, 1]
    assert frame["track"].dtype == "Int64"
    assert frame["track"].isna().tolist() == [False, True, True]
    assert frame["track"][0] == 2
    assert frame["source"].dtype == "string"
    assert frame["expression"].cat.categories.tolist() == list(FER2013.keys)
    assert frame["expression"].tolist()[::2] == [FER2013[3].key] * 2
    assert frame["expression"].isna().tolist() == [False, True, False]
    assert frame["h"].tolist() == [4.5] * 3
    assert frame["time_s"].tolist() == [0.04, 0.0, 0.0]
    assert frame["raw_p_" + FER2013[0].key][0] == 0.6
    assert frame["raw_p_" + FER2013[0].key].dtype == "float64"


def test_it_is_what_the_table_holds(pd, tmp_path):
    pytest.importorskip("pyarrow")
    with Table(tmp_path / "t.parquet", FER2013.keys, of_videos=True) as table:
        for result in VIDEO:
            table.add(result)
    found = pd.read_parquet(tmp_path / "t.parquet")
    frame = to_dataframe(VIDEO)
    assert found["expression"].cat.categories.tolist() == list(FER2013.keys)
    found = found.astype({"source": "string", "track": "Int64"})
    frame["expression"] = frame["expression"].astype(found["expression"].dtype)
    pd.testing.assert_frame_equal(found, frame)


def test_pictures_have_no_raw_columns_and_other_labels_their_own(pd):
    eight = Expression(FERPLUS, (0, 0, 0, 0, 0, 0, 0, 1.0))
    picture = FrameResult(64, 48, "fixed", (Face(BOX, 0.9, (), eight),))
    frame = to_dataframe(iter([picture]))
    assert list(frame.columns) == list(columns(FERPLUS.keys, with_raw=False))
    assert frame["expression"].tolist() == [FERPLUS[7].key]


@pytest.mark.parametrize("results", [[], VIDEO[1:2]])
def test_no_faces_give_an_empty_frame_with_the_same_types(pd, results):
    frame = to_dataframe(results)
    full = to_dataframe(VIDEO)
    assert len(frame) == 0
    assert list(frame.columns) == list(columns(FER2013.keys, with_raw=False))
    assert frame.dtypes.to_dict() == full[list(frame.columns)].dtypes.to_dict()
    assert list(to_dataframe([], FERPLUS)["expression"].cat.categories) == list(FERPLUS.keys)


def test_segments(pd):
    segments = [Segment(3, FER2013[3], 0.5, 0.75, 2.0, 0.9, 0.8, 36)]
    frame = segments_to_dataframe(segments)
    assert list(frame.columns) == list(SEGMENT_COLUMNS)
    assert frame.iloc[0].tolist() == [3, FER2013[3].key, 0.5, 0.75, 2.0, 0.9, 0.8, 36]
    empty = segments_to_dataframe([])
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == frame.dtypes.to_dict()


@pytest.mark.parametrize(("label", "keys"), [(FERPLUS[7], FERPLUS.keys), (OWN, (OWN.key,))])
def test_segments_of_other_labels(pd, label, keys):
    frame = segments_to_dataframe([Segment(1, label, 0.0, 0.0, 1.0, 0.9, 0.8, 25)])
    assert frame["expression"].tolist() == [label.key]
    assert frame["expression"].cat.categories.tolist() == list(keys)


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[table\]'"):
        to_dataframe(VIDEO)


def unsure(expression):
    return replace(expression, min_confidence=0.8)


UNSURE = [
    FrameResult(64, 48, "fixed", (Face(BOX, 0.9, (), unsure(SHOWN), 2, unsure(RAW)),), "v.mp4"),
    *VIDEO[1:],
]


def test_uncertain_faces_have_a_category_and_keep_their_probabilities(pd):
    frame = to_dataframe(UNSURE)
    assert frame["expression"].cat.categories.tolist() == [*FER2013.keys, UNCERTAIN.key]
    assert frame["expression"].tolist()[::2] == [UNCERTAIN.key, FER2013[3].key]
    assert frame["confidence"][0] == frame["p_happy"][0] == 0.7
    assert frame["raw_p_angry"][0] == 0.6


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_uncertain_faces_in_tables(pd, tmp_path, suffix):
    pytest.importorskip("pyarrow")
    path = tmp_path / f"t{suffix}"
    with Table(path, FER2013.keys, of_videos=True) as table:
        for result in UNSURE:
            table.add(result)
    if suffix == ".jsonl":
        face = json.loads(path.read_text().splitlines()[0])["faces"][0]
        assert (face["expression"], face["confidence"]) == (UNCERTAIN.key, 0.7)
        assert face["probabilities"] == SHOWN.as_dict()
        return
    found = pd.read_parquet(path) if suffix == ".parquet" else pd.read_csv(path)
    assert found["expression"].tolist()[::2] == [UNCERTAIN.key, FER2013[3].key]
    assert found["expression"].isna().tolist() == [False, True, False]
    assert found["confidence"][0] == found["p_happy"][0] == 0.7
    if suffix == ".parquet":
        categories = found["expression"].cat.categories.tolist()
        assert categories == [*FER2013.keys, UNCERTAIN.key]


def test_uncertain_segments(pd):
    segments = [
        Segment(3, label, float(n), float(n), n + 1.0, 0.5, 0.4, 25)
        for n, label in enumerate((UNCERTAIN, FER2013[3]))
    ]
    frame = segments_to_dataframe(segments)
    assert frame["expression"].tolist() == [UNCERTAIN.key, FER2013[3].key]
    assert frame["expression"].cat.categories.tolist() == [*FER2013.keys, UNCERTAIN.key]
