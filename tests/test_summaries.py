"""Summaries: against segments and summaries that are built frame by frame, and against truth."""

import math
import re

import numpy as np
import pytest
from scipy import stats

import mien
from mien.errors import MienError, MissingExtraError, OutputError, SourceError, TableError
from mien.labels import FER2013, UNCERTAIN
from mien.outputs import summary_tables
from mien.outputs.reading import read_rows
from mien.outputs.tables import write_table
from mien.recognition.segments import SegmentBuilder
from mien.recognition.summary import VideoSummaryBuilder
from mien.results import Expression, Face, FrameResult
from mien.summaries.intervals import difference_of, mean_of, median_latency, student_t
from mien.summaries.spans import spans
from mien.summaries.summary import LATENCY, MEASURES, ONSETS, PROBABILITY, SHARE
from mien.workflows.summarizing import summarize

KEYS = FER2013.keys
HAPPY, SAD, NEUTRAL = KEYS[3], KEYS[4], KEYS[6]
RATE_HZ = 20.0


def expression(key, confidence=0.7, **more):
    rest = (1.0 - confidence) / (len(KEYS) - 1)
    values = [confidence if one == key else rest for one in KEYS]
    return Expression(FER2013, tuple(values), **more)


def face(key, track=1, place=0, **more):
    shows = expression(key, **more)
    return Face((10.0 + 60 * place, 10.0, 50.0, 60.0), 0.9, (), shows, track, shows)


def frames(source, keys, *, first=0, track=1):
    """A video of one face that shows one key a frame; None: nobody is seen."""
    return [
        FrameResult(
            640,
            480,
            "fixed",
            () if key is None else (face(key, track),),
            source,
            first + number,
            (first + number) / RATE_HZ,
        )
        for number, key in enumerate(keys)
    ]


def seconds(**lengths):
    """Keys of frames: so many seconds of each, in order."""
    return [key for key, length in lengths.items() for _ in range(round(length * RATE_HZ))]


def table(path, *videos):
    write_table(path, [one for video in videos for one in video], KEYS, of_videos=True)
    return path


def said(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


FILM = [HAPPY] * 40 + [NEUTRAL] * 120 + [SAD] * 40  # 2 s, 6 s, 2 s
TASK = [NEUTRAL] * 180 + [HAPPY] * 20  # 9 s, 1 s


@pytest.fixture
def study(tmp_path):
    """Four people in two conditions; who is odd smiles for half as long again in the film."""
    videos = []
    for number in range(4):
        film = [HAPPY] * (20 * (number % 2)) + FILM
        videos += [frames(f"v/p{number}_film.mp4", film), frames(f"v/p{number}_task.mp4", TASK)]
    table(tmp_path / "faces.csv", *videos)
    said(
        tmp_path / "files.csv",
        "source,person,condition",
        *(f"p{n}_{c}.mp4,p{n},{c}" for n in range(4) for c in ("film", "task")),
    )
    return tmp_path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_one_video_is_as_its_own_summary(tmp_path, suffix):
    pytest.importorskip("pyarrow")
    random = np.random.default_rng(3)
    keys, now = [], NEUTRAL
    for _ in range(1500):
        now = KEYS[random.integers(len(KEYS))] if random.random() < 0.05 else now
        keys.append(now)
    video = frames("a.mp4", keys)
    path = tmp_path / f"t{suffix}"
    write_table(path, video, KEYS, of_videos=True)
    builder, segments = VideoSummaryBuilder(), SegmentBuilder()
    found = []
    for result in video:
        builder.add(result)
        found += segments.add(result)
    found += segments.finish()
    (track,) = builder.finish().tracks
    summary = summarize(path)
    shares = {label.key: share for label, share in track.shares.items()}
    minutes = track.visible_s / 60
    for key in KEYS:
        assert summary.value(SHARE, key).estimate.value == pytest.approx(shares.get(key, 0.0))
        onsets = sum(one.label.key == key for one in found[1:])
        assert summary.value(ONSETS, key).estimate.value == pytest.approx(onsets / minutes)
        mean = np.mean([one.faces[0].expression.as_dict()[key] for one in video])
        assert summary.value(PROBABILITY, key).estimate.value == pytest.approx(mean, abs=1e-6)
        firsts = [one.onset_s for one in found[1:] if one.label.key == key]
        assert summary.value(LATENCY, key).estimate.value == pytest.approx(firsts[0], abs=1e-6)
    assert math.isnan(summary.value(SHARE, HAPPY).estimate.low)  # one person has no interval


def test_hidden_faces_and_tracks_that_come_have_no_onset(tmp_path):
    """As segments: a face that was hidden for more than a second is not seen to begin anything."""
    gone = [NEUTRAL] * 40 + [None] * 60 + [HAPPY] * 40 + [None] * 10 + [SAD] * 40
    path = table(tmp_path / "t.csv", frames("a.mp4", gone))
    found = spans(read_rows(path))
    (onsets,) = np.nonzero(found.is_onset)
    assert [found.rows.shown_keys[label] for label in found.rows.label[onsets]] == [SAD]
    assert found.duration_s.sum() == pytest.approx(6.0)
    summary = summarize(path)
    assert summary.value(LATENCY, SAD).estimate.value == pytest.approx(7.5)
    assert summary.value(LATENCY, HAPPY).n_shown == 0


def test_groups_count_persons_and_not_frames(study):
    summary = summarize(study / "faces.csv", conditions=study / "files.csv", group_by="condition")
    assert [(group.key, group.n_persons) for group in summary.groups] == [
        (("film",), 4),
        (("task",), 4),
    ]
    smiles = [2 / 10, 3 / 11, 2 / 10, 3 / 11]
    got = summary.value(SHARE, HAPPY, "film")
    assert got.estimate.value == pytest.approx(np.mean(smiles))
    low, high = stats.t.interval(0.95, 3, np.mean(smiles), stats.sem(smiles))
    assert (got.estimate.low, got.estimate.high) == pytest.approx((low, high), rel=1e-4)
    assert got.n_shown == 4
    task = summary.value(SHARE, HAPPY, "task").estimate
    assert task.value == pytest.approx(0.1) and math.isnan(task.low)  # all are alike
    (difference,) = (
        one for one in summary.differences if (one.measure, one.expression) == (SHARE, HAPPY)
    )
    assert difference.is_paired and difference.estimate.n_persons == 4
    assert difference.estimate.value == pytest.approx(0.1 - np.mean(smiles))
    assert (difference.first, difference.second) == (("film",), ("task",))


def test_parts_of_files_are_conditions_and_latencies_count_from_them(tmp_path):
    path = table(tmp_path / "t.csv", frames("a.mp4", FILM + TASK))
    parts = said(
        tmp_path / "c.csv", "source,from_s,to_s,part", "a.mp4,0,10,film", "a.mp4,10,20,task"
    )
    summary = summarize(path, conditions=parts, group_by="part")
    assert summary.value(SHARE, SAD, "film").estimate.value == pytest.approx(0.2)
    assert summary.value(SHARE, SAD, "task").estimate.value == 0.0
    assert summary.value(LATENCY, SAD, "film").estimate.value == pytest.approx(8.0)
    assert summary.value(LATENCY, HAPPY, "task").estimate.value == pytest.approx(9.0)
    assert math.isnan(summary.value(LATENCY, SAD, "task").estimate.value)


def test_a_baseline_stands_beside_the_values(study):
    raw = summarize(study / "faces.csv", conditions=study / "files.csv", group_by="condition")
    path = said(
        study / "usual.csv", "source,from_s,to_s", *(f"p{n}_film.mp4,0,4" for n in range(3))
    )
    summary = summarize(
        study / "faces.csv",
        conditions=study / "files.csv",
        group_by="condition",
        baseline=path,
    )
    for one, other in zip(raw.values, summary.values, strict=True):
        assert one.estimate == pytest.approx(other.estimate, nan_ok=True) or (
            repr(one.estimate) == repr(other.estimate)
        )
    by_person = {
        (one.group[0], one.person): one
        for one in summary.persons
        if (one.measure, one.expression) == (SHARE, HAPPY)
    }
    even, odd = by_person["film", "p0"], by_person["film", "p1"]
    assert (even.value, even.baseline, even.outside) == pytest.approx((0.2, 0.5, 0.0))
    assert (odd.value, odd.baseline, odd.outside) == pytest.approx((3 / 11, 0.75, 0.0))
    assert odd.deviation == pytest.approx(-0.75)
    # Another recording of the same person: nothing of it lies in the baseline.
    other = by_person["task", "p0"]
    assert (other.value, other.outside) == pytest.approx((0.1, 0.1))
    assert math.isnan(by_person["film", "p3"].deviation) and summary.n_without_baseline == 1
    film = summary.value(SHARE, HAPPY, "film")
    assert film.deviation.value == pytest.approx(np.mean([-0.5, -0.75, -0.5]))
    assert film.deviation.n_persons == 3


def test_a_span_as_the_baseline_of_every_video(tmp_path):
    path = table(tmp_path / "t.csv", frames("a.mp4", FILM), frames("b.mp4", TASK))
    summary = summarize(path, baseline="0-4", group_by="source")
    assert summary.baseline == "0 to 4 s of each video"
    film = summary.value(SHARE, HAPPY, "a.mp4")
    assert (film.baseline.value, film.outside.value) == pytest.approx((0.5, 0.0))
    assert summary.value(SHARE, HAPPY, "b.mp4").deviation.value == pytest.approx(1 / 6)


def test_photos_are_counted_as_faces(tmp_path):
    photos = [
        FrameResult(640, 480, "x", (face(key, track=None), face(SAD, None, 1)), f"{n}.jpg")
        for n, key in enumerate([HAPPY, HAPPY, NEUTRAL])
    ]
    path = tmp_path / "t.csv"
    write_table(path, photos, KEYS)
    summary = summarize(path)
    assert (summary.is_of_videos, summary.groups[0].n_persons) == (False, 6)
    assert summary.value(SHARE, HAPPY).estimate.value == pytest.approx(2 / 6)
    assert {one.measure for one in summary.values} == {SHARE, PROBABILITY}
    files = said(tmp_path / "c.csv", "source,person", "0.jpg,a", "1.jpg,a", "2.jpg,b")
    of_people = summarize(path, conditions=files)
    assert of_people.groups[0].n_persons == 2
    assert of_people.value(SHARE, HAPPY).estimate.value == pytest.approx((0.5 + 0.0) / 2)


def test_uncertain_faces_are_an_expression_of_their_own(tmp_path):
    video = [
        FrameResult(
            64,
            64,
            "x",
            (face(HAPPY, min_confidence=0.9 * (number < 30)),),
            "a.mp4",
            number,
            number / 20,
        )
        for number in range(100)
    ]
    write_table(tmp_path / "t.csv", video, KEYS, of_videos=True)
    summary = summarize(tmp_path / "t.csv")
    assert summary.label_keys == (*KEYS, UNCERTAIN.key)
    assert summary.value(SHARE, UNCERTAIN.key).estimate.value == pytest.approx(0.3)
    assert summary.value(ONSETS, HAPPY).estimate.value == pytest.approx(12.0)
    with pytest.raises(KeyError, match="mean_probability"):
        summary.value(PROBABILITY, UNCERTAIN.key)


def test_short_tracks_are_left_out_and_counted(tmp_path):
    video = frames("a.mp4", FILM) + frames("a.mp4", [SAD] * 10, first=300, track=2)
    path = table(tmp_path / "t.csv", video)
    assert (summarize(path).groups[0].n_persons, summarize(path).n_short) == (1, 1)
    assert summarize(path, min_seen_s=0.0).groups[0].n_persons == 2
    with pytest.raises(TableError, match=r"no face is left: all 2 tracks .* less than 60 s"):
        summarize(path, min_seen_s=60.0)


def test_person_by_source_and_by_track_column(tmp_path):
    both = [
        FrameResult(640, 480, "x", (face(HAPPY, 1), face(SAD, 2, 1)), "a.mp4", n, n / 20)
        for n in range(100)
    ]
    path = table(tmp_path / "t.csv", both)
    assert summarize(path, person="source").value(SHARE, SAD).estimate.value == 0.5
    files = said(tmp_path / "c.csv", "source,track,person", "a.mp4,1,anna", "a.mp4,2,ben")
    summary = summarize(path, conditions=files, group_by="person", baseline="0-2")
    assert summary.value(SHARE, HAPPY, "anna").estimate.value == 1.0
    assert summary.value(SHARE, HAPPY, "ben").estimate.value == 0.0
    assert summary.value(SHARE, HAPPY, "ben").baseline.value == 0.0
    columns = [one.columns for one in summary_tables.summary_tables(summary)]
    assert all(len(set(names)) == len(names) for names in columns)


def test_files_are_written_and_say_the_same(study):
    parquet = pytest.importorskip("pyarrow.parquet")
    pandas = pytest.importorskip("pandas")
    summary = summarize(
        study / "faces.csv",
        conditions=study / "files.csv",
        group_by="condition",
        baseline="0-1",
        out=study / "out",
        parquet=True,
    )
    names = sorted(path.name for path in (study / "out").iterdir())
    assert names == sorted(
        [
            *(f"{n}.{s}" for n in ("groups", "persons", "differences") for s in ("csv", "parquet")),
            "summary.html",
        ]
    )
    for name in ("groups", "persons", "differences"):
        text = pandas.read_csv(study / "out" / f"{name}.csv")
        typed = parquet.read_table(study / "out" / f"{name}.parquet").to_pandas()
        assert list(text.columns) == list(typed.columns) and len(text) == len(typed)
    groups = pandas.read_csv(study / "out" / "groups.csv")
    assert len(groups) == 2 * len(MEASURES) * len(KEYS)
    row = groups[
        (groups.condition == "film") & (groups.measure == SHARE) & (groups.expression == HAPPY)
    ].iloc[0]
    value = summary.value(SHARE, HAPPY, "film")
    assert (row.value, row.deviation) == pytest.approx(
        (value.estimate.value, value.deviation.value), abs=1e-6
    )
    page = (study / "out" / "summary.html").read_text("utf-8")
    assert page.count("<svg") == len(MEASURES)
    assert "Differences between groups" in page and "Deviations from the baseline" in page
    assert not re.search(r"(?:src|href)=|nan\b|NaN|None", page)


def test_the_same_tables_give_the_same_files(study):
    for name in ("one", "two"):
        summarize(study / "faces.csv", conditions=study / "files.csv", out=study / name)
    for path in (study / "one").iterdir():
        assert path.read_bytes() == (study / "two" / path.name).read_bytes()


def test_a_row_that_a_crash_broke_off_is_left_out(tmp_path):
    path = table(tmp_path / "t.csv", frames("a.mp4", FILM))
    path.write_bytes(path.read_bytes()[:-40])
    notices = []
    assert summarize(path, on_notice=notices.append).groups[0].seen == pytest.approx(9.95)
    assert notices == [f"{path}: the last line is broken off and left out"]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_row_without_an_end_of_line_counts_and_is_told(tmp_path, name):
    path = table(tmp_path / name, frames("a.mp4", FILM))
    whole, notices = summarize(path), []
    path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    cut = summarize(path, on_notice=notices.append)
    assert cut.groups[0].seen == whole.groups[0].seen
    (told,) = notices
    assert told.startswith(f"{path}: the last line has no end; if the file was cut off there")
    lines = tmp_path / "t.jsonl"
    write_table(lines, frames("a.mp4", FILM), KEYS, of_videos=True)
    lines.write_bytes(lines.read_bytes()[:-40])
    assert summarize(lines, on_notice=notices.append).groups[0].seen == pytest.approx(9.95)
    assert len(notices) == 2


def test_sources_of_which_nothing_is_said_are_left_out_and_named(study):
    some = said(study / "some.csv", "source,condition", "p0_film.mp4,film")
    notices = []
    summary = summarize(study / "faces.csv", conditions=some, on_notice=notices.append)
    assert summary.groups[0].n_persons == 1 and len(summary.left_out) == 7
    assert len(notices) == 1 and "says nothing of 7 of 8 files" in notices[0]
    assert summary.n_sources == 1


BAD = {
    "a condition without files": (
        ("source,c", "p9.mp4,x"),
        {},
        r"1 row names .* in none of .*line 2: p9.mp4",
    ),
    "no such column": (("source,c", "p0_film.mp4,x"), {"group_by": "d"}, "--group-by d: no such"),
    "no such person": (("source,c", "p0_film.mp4,x"), {"person": "d"}, "--person d: no such"),
    "no source": (("file,c", "p0_film.mp4,x"), {}, "has no column source"),
    "no row": (("source,c",), {}, "has no row below its head"),
    "empty": ((), {}, "has no column source"),
    "twice": (
        ("source,c", "p0_film.mp4,x", "p0_film.mp4,y"),
        {},
        r"c\.csv, line 3: overlaps line 2",
    ),
    "cells": (("source,c", "p0_film.mp4"), {}, "expected 2 cells, got 1"),
    "columns": (("source,c,c", "p0_film.mp4,1,2"), {}, "a name of its own"),
    "an empty value": (
        ("source,c", "p0_film.mp4,"),
        {"group_by": "c"},
        r"c\.csv, line 2: c is empty",
    ),
    "no time": (("source,from_s", "p0_film.mp4,x"), {}, "line 2: from_s is 'x', which is no"),
    "no span": (("source,from_s,to_s", "p0_film.mp4,5,2"), {}, "no span of time"),
    "nan": (("source,from_s,to_s", "p0_film.mp4,nan,2"), {}, "no span of time"),
    "too late": (("source,from_s,to_s", "p0_film.mp4,50,60"), {}, r"50 s lies outside p0_film.mp4"),
    "another track": (("source,track", "p0_film.mp4,7"), {}, "track 7 is seen in p0_film.mp4"),
    "baseline outside": ((), {"baseline": "20-30"}, r"--baseline 20-30: 20 s lies outside p0_film"),
    "baseline too long": ((), {"baseline": "0-900"}, "far outside"),
    "baseline empty": ((), {"baseline": "3-3"}, "no span of time"),
    "baseline no file": ((), {"baseline": "abc"}, "neither a file nor FROM-TO"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(study, case):
    lines, options, expected = BAD[case]
    if lines or case == "empty":
        options = {**options, "conditions": said(study / "c.csv", *lines)}
    with pytest.raises(TableError, match=expected) as caught:
        summarize(study / "faces.csv", **options, out=study / "out")
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
    assert not (study / "out").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no column source"),
        (b"a,b\n1,2\n", "no column source"),
        (b"source,frame,time_s,track,expression\n", r"no column p_"),
        (b"source,frame,time_s,track,expression,p_x\na,1,2,3,x,0.5\na,1,2,3,x,1\n", "line 2"),
        (b"source,frame,time_s,track,expression,p_x\na,1,2,3,y,1\na,1,2,3,x,1\n", "'y' is none"),
        (b"source,frame,time_s,track,expression,p_x\na,1,nan,3,x,1\na,1,2,3,x,1\n", "not finite"),
        (b"source,frame,time_s,track,expression,p_x\na,1,2\na,1,2,3,x,1\n", "expected 6 cells"),
        (b'source,frame\n"a', "no column time_s"),
        (b"\x00\xff\xfe\n" * 3, "no "),
    ],
)
def test_files_that_are_no_tables(tmp_path, content, expected):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=expected) as caught:
        summarize(path)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_other_files_that_are_no_tables(tmp_path, suffix):
    pytest.importorskip("pyarrow")
    for content in (b"", b"{}\n{}\n", b"PAR1" + b"\0" * 40 + b"PAR1", b"[1]\n[2]\n"):
        path = tmp_path / f"t{suffix}"
        path.write_bytes(content)
        with pytest.raises(TableError):
            summarize(path)
    with pytest.raises(SourceError, match="No such file"):
        summarize(tmp_path / f"other{suffix}")


def test_tables_that_do_not_go_together(tmp_path):
    one = table(tmp_path / "a.csv", frames("a.mp4", FILM))
    again = table(tmp_path / "b.csv", frames("a.mp4", FILM))
    with pytest.raises(TableError, match=r"a\.mp4 is in .*a\.csv and in .*b\.csv"):
        summarize([one, again])
    write_table(tmp_path / "c.csv", [FrameResult(64, 64, "x", (face(SAD, None),), "c.jpg")], KEYS)
    with pytest.raises(TableError, match="photos and videos together"):
        summarize([one, tmp_path / "c.csv"])
    write_table(tmp_path / "d.csv", [], ("x", "y"))
    with pytest.raises(TableError, match="different expressions"):
        summarize([one, tmp_path / "d.csv"])
    write_table(tmp_path / "e.csv", [], KEYS)
    with pytest.raises(TableError, match="there is no face in"):
        summarize(tmp_path / "e.csv")
    with pytest.raises(TableError, match="must end in one of"):
        summarize(tmp_path / "e.txt")


def test_a_folder_that_holds_other_things_is_left_alone(study):
    (study / "out").mkdir()
    (study / "out" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match=r"mine\.txt"):
        summarize(study / "faces.csv", out=study / "out")
    assert [path.name for path in (study / "out").iterdir()] == ["mine.txt"]


def test_without_pyarrow_parquet_names_its_extra(study, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[table\]'"):
        summarize(study / "faces.csv", out=study / "out", parquet=True)
    assert issubclass(mien.TableError, MienError)


@pytest.mark.parametrize("freedom", [1, 2, 2.5, 3, 4, 7.7, 19, 400])
def test_students_t_is_that_of_scipy(freedom):
    assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-4)


def test_fewer_than_one_degree_of_freedom():
    with pytest.raises(ValueError, match="at least 1"):
        student_t(0.5)


def test_differences_are_welchs_where_nobody_is_in_both_groups():
    random = np.random.default_rng(2)
    a, b = random.normal(0, 1, 9), random.normal(1, 2, 6)
    estimate, is_paired = difference_of(
        {f"a{n}": value for n, value in enumerate(a)}, {f"b{n}": value for n, value in enumerate(b)}
    )
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert not is_paired
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), rel=1e-4)


def test_the_median_latency_counts_those_who_never_showed_it():
    latency = np.array([1.0, 2.0, 3.0, math.nan, math.nan])
    watched = np.full(5, 10.0)
    assert median_latency(latency, watched).value == 3.0
    assert math.isnan(median_latency(np.array([1.0, math.nan, math.nan]), watched[:3]).value)
    # Whoever left before anything happened says nothing about what came later.
    early = np.array([10.0, 10.0, 10.0, 0.5, 0.5])
    assert median_latency(latency, early).value == 2.0


def coverage(draw, truth, n_persons, seed):
    random = np.random.default_rng(seed)
    inside = 0
    for _ in range(2000):
        estimate = mean_of(draw(random, n_persons), 0.0, 1.0)
        inside += estimate.low <= truth <= estimate.high
    return inside / 2000


@pytest.mark.parametrize("n_persons", [8, 20, 60])
def test_intervals_cover_the_truth(n_persons):
    """Shares of time of persons who differ, as a beta distribution has them."""
    covered = coverage(lambda random, n: random.beta(3, 5, n), 3 / 8, n_persons, n_persons)
    assert 0.93 <= covered <= 0.97


def test_frames_as_units_would_cover_far_less():
    """Why persons are the unit: 500 frames of one person are no 500 persons."""
    random = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        people = random.beta(3, 5, 10)
        rows = (random.random((10, 500)) < people[:, np.newaxis]).astype(float).ravel()
        half = 1.96 * rows.std() / math.sqrt(len(rows))
        inside += abs(rows.mean() - 3 / 8) <= half
    assert inside / 400 < 0.5


def test_names_of_sources_that_are_not_clear(tmp_path):
    path = table(
        tmp_path / "t.csv", frames("x/a.mp4", FILM), frames("y/a.mp4", FILM), frames("b.mp4", TASK)
    )
    files = said(tmp_path / "c.csv", "source", "a.mp4")
    with pytest.raises(TableError, match=r"a\.mp4 may be x/a\.mp4 or y/a\.mp4"):
        summarize(path, conditions=files)
    said(files, "source", "y/a.mp4")
    assert len(summarize(path, conditions=files).left_out) == 2


def test_a_baseline_of_another_recording_needs_persons(tmp_path):
    path = table(tmp_path / "t.csv", frames("a.mp4", FILM), frames("b.mp4", TASK))
    usual = said(tmp_path / "usual.csv", "source", "b.mp4")
    files = said(tmp_path / "c.csv", "source", "a.mp4")
    with pytest.raises(TableError, match="nobody in it is seen anywhere else"):
        summarize(path, conditions=files, baseline=usual)
    said(files, "source,person", "a.mp4,anna")
    said(usual, "source,person", "b.mp4,anna")
    summary = summarize(path, conditions=files, baseline=usual)
    assert summary.value(SHARE, HAPPY).baseline.value == pytest.approx(0.1)


def test_a_row_that_stands_twice_is_refused(tmp_path):
    path = table(tmp_path / "t.csv", frames("a.mp4", [HAPPY] * 3))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], lines[1], *lines[3:]]))
    again = r"t\.csv, line 4: track 1 of a\.mp4 at 0 s stands in line 2, too"
    with pytest.raises(TableError, match=again):
        summarize(path)
    # As the last line, whole or not, it is no line that a crash broke off.
    path.write_text("".join([*lines, lines[1]]).rstrip("\n"))
    with pytest.raises(TableError, match=r"t\.csv, line 5: track 1 .* stands in line 2, too"):
        summarize(path)
    # Another number of the frame, but the same time.
    path.write_text("".join([*lines[:3], lines[1].replace("mp4,0,", "mp4,9,"), lines[3]]))
    with pytest.raises(TableError, match=r"t\.csv, line 4: track 1 of a\.mp4 at 0 s"):
        summarize(path)


def test_a_line_of_json_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    write_table(path, frames("a.mp4", [HAPPY] * 3), KEYS, of_videos=True)
    path.write_text(path.read_text() + path.read_text().splitlines(keepends=True)[1])
    with pytest.raises(TableError, match=r"t\.jsonl, line 4: track 1 .* stands in line 2, too"):
        summarize(path)


def test_a_photo_that_stands_twice_is_refused(tmp_path):
    photos = [
        FrameResult(640, 480, "x", (face(HAPPY, None), face(SAD, None, 1)), f"{n}.jpg")
        for n in (0, 1, 0)
    ]
    for name in ("t.csv", "t.jsonl"):
        write_table(tmp_path / name, photos, KEYS)
        line, first = (6, 2) if name == "t.csv" else (3, 1)
        again = rf"line {line}: face 0 of 0\.jpg stands in line {first}, too"
        with pytest.raises(TableError, match=again):
            summarize(tmp_path / name)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("confidence", "high", "confidence is 'high', which is no number"),
        ("confidence", "70", "confidence is 70, which is not from 0 to 1"),
        ("x", "left", "x is 'left', which is no number"),
        ("raw_p_happy", "-", "raw_p_happy is '-', which is no number"),
        ("track", "-1", "track is -1, which is below 0"),
        ("p_happy", "-0.3", "the probabilities do not sum to 1"),
    ],
)
def test_cells_that_cannot_be_are_named_with_file_and_line(tmp_path, column, value, expected):
    path = table(tmp_path / "t.csv", frames("a.mp4", [HAPPY] * 3))
    rows = [line.split(",") for line in path.read_text().splitlines()]
    for number in (2, 3):  # inside, and in a last line that is whole
        changed = [list(row) for row in rows]
        changed[number][rows[0].index(column)] = value
        path.write_text("".join(",".join(row) + "\n" for row in changed))
        with pytest.raises(TableError, match=rf"t\.csv, line {number + 1}: .*{expected}"):
            summarize(path)


def test_times_after_the_last_face_are_cut_and_told(tmp_path):
    path = table(tmp_path / "t.csv", frames("v/a.mp4", FILM), frames("v/b.mp4", FILM[:190]))
    notices = []

    def told(*lines, **options):
        notices.clear()
        parts = said(tmp_path / "c.csv", "source,from_s,to_s,part", *lines)
        summarize(path, conditions=parts, on_notice=notices.append, **options)
        return [line for line in notices if "left out" not in line]

    where = f"{tmp_path / 'c.csv'}, line 2: 15 s is cut to 10.0 s of a.mp4, where its last face is"
    assert told("a.mp4,4,15,x") == [f"{where} seen"]
    assert told("a.mp4,4,15,x", "b.mp4,0,12,y") == [f"{where} seen, and 1 more likewise"]
    # A frame more is what rounding makes of the end.
    assert told("a.mp4,0,10.05,x") == told("a.mp4,0,10,x") == told("a.mp4,2,,x") == []
    baseline = "--baseline 8-11: 11 s is cut to 10.0 s of a.mp4, where its last face is seen"
    assert told("a.mp4,0,10,x", "b.mp4,,,y", baseline="8-11") == [
        f"{baseline}, and 1 more likewise"
    ]
    summary = summarize(path, baseline="8-11", out=tmp_path / "out")
    assert summary.notes == (f"{baseline}, and 1 more likewise",)
    assert "11 s is cut to" in (tmp_path / "out" / "summary.html").read_text().replace(
        "\u00a0", " "
    )


def test_rows_that_overlap_are_told_with_file_lines_and_time(tmp_path):
    path = table(tmp_path / "t.csv", frames("a.mp4", FILM), frames("b.mp4", FILM))
    parts = said(
        tmp_path / "c2.csv", "source,from_s,to_s,part", "b.mp4,,,x", "a.mp4,0,6,x", "a.mp4,4,8,y"
    )
    overlap = r"c2\.csv, line 4: overlaps line 3, as both are about a\.mp4 from 4 to 6 s; a face"
    with pytest.raises(TableError, match=overlap):
        summarize(path, conditions=parts)
    parts = said(tmp_path / "c2.csv", "source,from_s,to_s", "a.mp4,0,6", "a.mp4,4,8")
    with pytest.raises(TableError, match=f"^{parts}, line 3: overlaps line 2"):
        summarize(path, baseline=parts)
    both = said(tmp_path / "c.csv", "source,from_s,to_s,person", "a.mp4,0,5,anna", "a.mp4,5,9,ben")
    who = r"^--baseline 0-2: a\.mp4 from 0 to 2 s is of anna and of ben, as the conditions have"
    with pytest.raises(TableError, match=who):
        summarize(path, conditions=both, baseline="0-2")
