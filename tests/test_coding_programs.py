"""Segments for ELAN, BORIS and The Observer XT, read again as those programs read them."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mien.errors import OutputError
from mien.labels import FER2013, FERPLUS, UNCERTAIN
from mien.outputs.boris import AGGREGATED_COLUMNS
from mien.outputs.coding import CodedSource, whole_milliseconds
from mien.outputs.observer import EVENT_COLUMNS
from mien.outputs.segments import SEGMENT_SUFFIXES, write_segments
from mien.recognition.segments import Segment

HAPPY, NEUTRAL = FER2013[3], FER2013[6]


def segment(track, label, onset_s, end_s, confidence=0.75):
    return Segment(track, label, onset_s, onset_s, end_s, confidence, confidence, 3)


SEGMENTS = [
    segment(1, NEUTRAL, 0.0, 1.0004166),
    segment(2, HAPPY, 0.4, 7.25),
    segment(1, HAPPY, 1.0004166, 3.3337),
    segment(1, UNCERTAIN, 5.005, 6.0),
    segment(12, NEUTRAL, 5999.9994, 6000.0001),
]
SOURCE = CodedSource("videos/a & b.mp4", 25.0, 6001.0, FER2013.keys)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_elan_opens_again_with_the_same_tiers_and_times(tmp_path):
    pympi = pytest.importorskip("pympi")
    write_segments(tmp_path / "s.eaf", SEGMENTS, SOURCE)
    eaf = pympi.Elan.Eaf(str(tmp_path / "s.eaf"))
    tracks = (1, 2, 12)
    assert list(eaf.get_tier_names()) == [
        name for track in tracks for name in (f"face {track}", f"face {track} confidence")
    ]
    for track in tracks:
        own = [one for one in SEGMENTS if one.track == track]
        found = sorted(eaf.get_annotation_data_for_tier(f"face {track}"))
        assert [value for _, _, value in found] == [one.label.key for one in own]
        for (begin, end, _), one in zip(found, own, strict=True):
            assert begin == pytest.approx(one.onset_s * 1000, abs=1.0)
            assert end == pytest.approx(one.end_s * 1000, abs=1.0)
        values = eaf.get_ref_annotation_data_for_tier(f"face {track} confidence")
        assert [float(value) for _, _, value, *_ in values] == [0.75] * len(own)
    entries = eaf.get_cv_entries("expressions").values()
    assert [words[0][0] for words, _ in entries] == [*FER2013.keys, UNCERTAIN.key]
    (media,) = eaf.get_linked_files()
    assert media["MEDIA_URL"].startswith("file:///") and media["MIME_TYPE"] == "video/mp4"
    assert (tmp_path / media["RELATIVE_MEDIA_URL"]).resolve() == Path(SOURCE.name).resolve()
    # Written by that library, it is read once more.
    eaf.to_file(str(tmp_path / "again.eaf"))
    again = pympi.Elan.Eaf(str(tmp_path / "again.eaf"))
    for name in eaf.get_tier_names():
        assert again.get_annotation_data_for_tier(name) == eaf.get_annotation_data_for_tier(name)


def test_elan_documents_keep_the_order_of_the_schema(tmp_path):
    write_segments(tmp_path / "s.eaf", SEGMENTS, SOURCE)
    root = ElementTree.parse(tmp_path / "s.eaf").getroot()
    order = list(dict.fromkeys(child.tag for child in root))
    assert order == [
        *("HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONSTRAINT"),
        "CONTROLLED_VOCABULARY",
    ]
    ids = [one.get("ANNOTATION_ID") for one in root.iter() if one.get("ANNOTATION_ID")]
    assert len(ids) == len(set(ids)) == 2 * len(SEGMENTS)
    times = [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("rtsp://***@camera.local/a", "rtsp://***@camera.local/a"),
        ("odd\x01\udcff<&>.mp4", None),
        ("", None),
    ],
)
def test_any_name_of_a_source_gives_a_document(tmp_path, name, url):
    write_segments(tmp_path / "s.eaf", SEGMENTS, CodedSource(name))
    root = ElementTree.parse(tmp_path / "s.eaf").getroot()
    found = [one.get("MEDIA_URL") for one in root.iter("MEDIA_DESCRIPTOR")]
    assert len(found) == bool(name)
    assert url is None or found == [url]
    for suffix in (".boris", ".boris.csv", ".observer.csv"):
        write_segments(tmp_path / f"s{suffix}", SEGMENTS, CodedSource(name))
        assert (tmp_path / f"s{suffix}").stat().st_size


def test_boris_pairs_the_events_of_a_project_to_the_segments(tmp_path):
    write_segments(tmp_path / "study.boris", SEGMENTS, SOURCE)
    project = json.loads((tmp_path / "study.boris").read_text("utf-8"))
    assert (project["project_format_version"], project["project_name"]) == ("7.0", "study")
    codes = [behavior["code"] for behavior in project["behaviors_conf"].values()]
    assert codes == [*FER2013.keys, UNCERTAIN.key]
    subjects = {one["name"] for one in project["subjects_conf"].values()}
    assert subjects == {"face 1", "face 2", "face 12"}
    observation = project["observations"]["a & b"]
    assert observation["file"]["1"] == [SOURCE.name]
    assert observation["media_info"]["length"] == {SOURCE.name: 6001.0}
    events = observation["events"]
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    # As BORIS does: events of one subject and behaviour are start and stop in turn.
    open_since, found = {}, []
    for time_s, who, code, _, _, frame in events:
        assert who in subjects and code in codes and frame == round(time_s * 25)
        if (who, code) in open_since:
            found.append((who, code, open_since.pop((who, code)), time_s))
        else:
            open_since[who, code] = time_s
    assert not open_since
    expected = [(f"face {s.track}", s.label.key, s.onset_s, s.end_s) for s in SEGMENTS]
    for got, wanted in zip(sorted(found), sorted(expected), strict=True):
        assert got[:2] == wanted[:2]
        assert got[2:] == pytest.approx(wanted[2:], abs=0.001)


def test_the_table_of_boris(tmp_path):
    write_segments(tmp_path / "s.BORIS.csv", SEGMENTS, SOURCE)
    found = read_csv(tmp_path / "s.BORIS.csv")
    assert tuple(found[0]) == AGGREGATED_COLUMNS
    assert [row["Behavior"] for row in found] == [one.label.key for one in SEGMENTS]
    for row, one in zip(found, SEGMENTS, strict=True):
        assert float(row["Start (s)"]) == pytest.approx(one.onset_s, abs=0.001)
        assert float(row["Stop (s)"]) == pytest.approx(one.end_s, abs=0.001)
        assert (row["Behavior type"], row["FPS (frame/s)"]) == ("STATE", "25.000")
    assert found[0]["Observation duration by subject by observation"] == "4.329"


def test_the_event_log_of_the_observer(tmp_path):
    write_segments(tmp_path / "s.observer.csv", SEGMENTS, SOURCE)
    found = read_csv(tmp_path / "s.observer.csv")
    assert tuple(found[0]) == EVENT_COLUMNS
    times = [float(row["Time_Relative_sf"]) for row in found]
    assert times == sorted(times) and len(found) == 2 * len(SEGMENTS)
    assert found[-1]["Time_Relative_hms"] == "01:40:00"
    showing = {}
    spans = []
    for row in found:
        who = row["Subject"]
        if row["Event_Type"] == "State start":
            assert who not in showing  # one state at a time
            showing[who] = row
        else:
            begun = showing.pop(who)
            assert begun["Behavior"] == row["Behavior"]
            length = float(row["Time_Relative_sf"]) - float(begun["Time_Relative_sf"])
            assert float(begun["Duration_sf"]) == pytest.approx(length, abs=1e-9)
            spans.append((who, row["Behavior"]))
    assert not showing
    assert sorted(spans) == sorted((f"face {s.track}", s.label.key) for s in SEGMENTS)


@pytest.mark.parametrize("suffix", [".eaf", ".boris", ".boris.csv", ".observer.csv"])
def test_videos_without_a_segment_give_files_that_open(tmp_path, suffix):
    write_segments(tmp_path / f"s{suffix}", [])
    text = (tmp_path / f"s{suffix}").read_text("utf-8")
    if suffix == ".eaf":
        assert ElementTree.fromstring(text).tag == "ANNOTATION_DOCUMENT"
    elif suffix == ".boris":
        events = [one["events"] for one in json.loads(text)["observations"].values()]
        assert events == [[]]
    else:
        assert len(text.splitlines()) == 1


def test_the_other_endings_are_as_they_were(tmp_path):
    endings = (".csv", ".json", ".vtt", ".eaf", ".boris", ".boris.csv", ".observer.csv")
    assert endings == SEGMENT_SUFFIXES
    with pytest.raises(OutputError, match=r"use one of \.csv .* \.boris\.csv \.observer\.csv$"):
        write_segments(tmp_path / "s.xyz", SEGMENTS, SOURCE)
    write_segments(tmp_path / "observer.csv", SEGMENTS, SOURCE)
    assert read_csv(tmp_path / "observer.csv")[0]["onset_s"] == "0.0"


def test_milliseconds_never_overlap_and_never_vanish():
    short = [
        segment(1, HAPPY, 0.0, 0.0004),
        segment(1, NEUTRAL, 0.0004, 0.0008),
        segment(1, HAPPY, 0.0008, 1.0),
        segment(2, HAPPY, 0.0, 0.0),
    ]
    assert whole_milliseconds(short) == [(0, 1), (1, 2), (2, 1000), (0, 1)]


def test_the_last_state_ends_with_the_recording():
    """The last frame's end, rounded, may lie a millisecond after what the file says of itself."""
    last = [segment(1, HAPPY, 0.0, 9.551), segment(1, NEUTRAL, 9.551, 19.68633)]
    source = CodedSource("a.mp4", 23.976, 19.6853)
    assert whole_milliseconds(last, source) == [(0, 9551), (9551, 19685)]
    # A length that is wrong by more than a frame cuts nothing.
    wrong = CodedSource("a.mp4", 23.976, 15.0)
    assert whole_milliseconds(last, wrong) == whole_milliseconds(last) == [(0, 9551), (9551, 19686)]


def test_the_default_vocabulary_has_all_known_expressions():
    assert CodedSource().shown_keys == (*FERPLUS.keys, UNCERTAIN.key)
