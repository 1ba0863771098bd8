import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from mien.errors import OutputError
from mien.labels import FER2013, UNCERTAIN, Label, LabelSet
from mien.outputs.segments import SEGMENT_COLUMNS, SegmentsFile, write_segments
from mien.recognition.segments import Segment, SegmentBuilder
from mien.results import Expression, Face, FrameResult
from mien.sources.source import Frame

SAD, HAPPY, NEUTRAL = (FER2013.index(name) for name in ("sadness", "joy", "calm"))


def showing(label, confidence=0.9):
    rest = (1 - confidence) / 6
    return Expression(FER2013, tuple(confidence if i == label else rest for i in range(7)))


def frame_of(time_s, faces):
    """A result at a time, with a label, or label and confidence, for each track."""
    found = []
    for track, shown in faces.items():
        expression = showing(*shown) if isinstance(shown, tuple) else showing(shown)
        found.append(Face((1.0, 1.0, 9.0, 9.0), 0.9, (), expression, track))
    return FrameResult(64, 48, "fixed", tuple(found), "v.mp4", round(time_s * 25), time_s)


def segments_of(*frames, end_s=None, **options):
    builder = SegmentBuilder(**options)
    found = [segment for frame in frames for segment in builder.add(frame)]
    return found + list(builder.finish(end_s))


def spans(segments):
    return [
        (s.track, s.label.key, round(s.onset_s, 4), round(s.peak_s, 4), round(s.end_s, 4))
        for s in segments
    ]


def key(label):
    return FER2013[label].key


def test_a_change_of_label_ends_one_segment_and_begins_the_next():
    labels = [(SAD, 0.6), (SAD, 0.8), (SAD, 0.7), (HAPPY, 0.9), (HAPPY, 0.9)]
    found = segments_of(*(frame_of(n / 25, {1: label}) for n, label in enumerate(labels)))
    assert spans(found) == [
        (1, key(SAD), 0.0, 0.04, 0.12),
        (1, key(HAPPY), 0.12, 0.12, 0.2),
    ]
    assert (found[0].n_frames, found[1].n_frames) == (3, 2)
    assert found[0].peak_confidence == pytest.approx(0.8)
    assert found[0].mean_confidence == pytest.approx(0.7)
    assert found[0].duration_s == pytest.approx(0.12)


def test_segments_come_out_when_they_are_over():
    builder = SegmentBuilder()
    assert builder.add(frame_of(0.0, {1: SAD})) == ()
    assert builder.add(frame_of(0.04, {1: SAD})) == ()
    assert [s.end_s for s in builder.add(frame_of(0.08, {1: HAPPY}))] == [0.08]
    (last,) = builder.finish()
    assert last.end_s == pytest.approx(0.12)
    assert builder.finish() == ()


def test_a_short_occlusion_does_not_end_a_segment():
    frames = [frame_of(n / 25, {1: SAD} if n < 10 or n >= 20 else {}) for n in range(30)]
    (found,) = segments_of(*frames, max_gap_s=0.5)
    assert (found.onset_s, found.end_s, found.n_frames) == (0.0, 1.2, 20)


def test_a_longer_occlusion_ends_a_segment_when_the_face_was_hidden():
    frames = [frame_of(n / 25, {1: SAD} if n < 10 or n >= 30 else {}) for n in range(40)]
    found = segments_of(*frames, max_gap_s=0.5)
    assert spans(found) == [(1, key(SAD), 0.0, 0.0, 0.4), (1, key(SAD), 1.2, 1.2, 1.6)]


def test_another_label_after_an_occlusion():
    faces = [{1: SAD}] * 5 + [{}] * 5 + [{1: HAPPY}] * 5
    found = segments_of(*(frame_of(n / 25, shown) for n, shown in enumerate(faces)))
    assert spans(found) == [(1, key(SAD), 0.0, 0.0, 0.2), (1, key(HAPPY), 0.4, 0.4, 0.6)]


def test_people_have_segments_of_their_own():
    faces = [{1: SAD, 2: HAPPY}] * 5 + [{1: SAD, 2: NEUTRAL}] * 5 + [{2: NEUTRAL}] * 5
    found = segments_of(*(frame_of(n / 25, shown) for n, shown in enumerate(faces)))
    assert sorted(spans(found)) == [
        (1, key(SAD), 0.0, 0.0, 0.4),
        (2, key(HAPPY), 0.0, 0.0, 0.2),
        (2, key(NEUTRAL), 0.2, 0.2, 0.6),
    ]


def test_a_frame_is_shown_until_the_next_one():
    times_s = [0.0, 0.1, 0.5, 0.55]
    found = segments_of(*(frame_of(t, {1: SAD} if t < 0.5 else {}) for t in times_s))
    assert spans(found) == [(1, key(SAD), 0.0, 0.0, 0.5)]
    (last,) = segments_of(*(frame_of(t, {1: SAD}) for t in times_s), end_s=0.8)
    assert last.end_s == pytest.approx(0.8)


def test_a_hole_in_the_source_is_not_a_long_frame():
    times_s = [n / 25 for n in range(10)] + [60 + n / 25 for n in range(10)]
    found = segments_of(*(frame_of(t, {1: SAD}) for t in times_s))
    assert spans(found) == [(1, key(SAD), 0.0, 0.0, 0.4), (1, key(SAD), 60.0, 60.0, 60.4)]


def test_slow_sources_have_long_frames():
    (found,) = segments_of(*(frame_of(5.0 * n, {1: SAD}) for n in range(5)))
    assert (found.onset_s, found.end_s) == (0.0, 25.0)


def test_faces_without_a_track_or_an_expression_have_no_segments():
    box = (1.0, 1.0, 9.0, 9.0)
    faces = (Face(box, 0.9, (), showing(SAD)), Face(box, 0.9, (), None, 3))
    assert segments_of(FrameResult(64, 48, "fixed", faces)) == []
    assert segments_of() == []
    assert segments_of(end_s=3.0) == []


def test_one_frame_has_a_segment_with_a_length():
    (found,) = segments_of(frame_of(1.0, {1: SAD}))
    assert found.end_s > found.onset_s == found.peak_s == 1.0


def test_memory_is_bounded_by_the_faces_that_are_visible():
    builder = SegmentBuilder()
    n_closed = 0
    for number in range(5000):
        n_closed += len(builder.add(frame_of(number / 25, {number // 5: SAD})))
        assert len(builder._open) < 30
    assert n_closed + len(builder.finish()) == 1000


def test_segments_out_of_order_are_refused():
    with pytest.raises(ValueError, match="in order"):
        Segment(1, FER2013[SAD], 1.0, 0.5, 2.0, 0.9, 0.9, 3)


def segment(track, onset_s, end_s, label=FER2013[HAPPY], mean=0.934):
    return Segment(track, label, onset_s, onset_s, end_s, 0.98765432, mean, 7)


MANY = [segment(2, 3661.5, 3662.0005), segment(1, 0.1234567, 1.5), segment(2, 0.5, 2.0)]


def test_segments_as_csv(tmp_path):
    write_segments(tmp_path / "new/s.csv", MANY)
    with (tmp_path / "new/s.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(SEGMENT_COLUMNS)
    assert [(row["track"], row["onset_s"]) for row in rows] == [
        *(("1", "0.123457"), ("2", "0.5"), ("2", "3661.5"))
    ]
    assert (rows[0]["expression"], rows[0]["n_frames"]) == (key(HAPPY), "7")
    assert rows[0]["peak_confidence"] == "0.9876543"


def test_segments_as_json(tmp_path):
    write_segments(tmp_path / "s.json", MANY)
    rows = json.loads((tmp_path / "s.json").read_text())["segments"]
    assert [row["track"] for row in rows] == [1, 2, 2]
    assert list(rows[0]) == list(SEGMENT_COLUMNS)
    assert rows[1]["end_s"] == 2.0


def cues(path):
    """Onset, end, settings and text of each cue, by the grammar of WebVTT."""
    head, *blocks = path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")
    assert head == "WEBVTT"
    found = []
    for block in blocks:
        timing, text = block.split("\n")
        clock = r"(\d{2,}:[0-5]\d:[0-5]\d\.\d{3})"
        match = re.fullmatch(rf"{clock} --> {clock} line:(-\d+)", timing)
        assert match is not None, timing
        assert match[1] < match[2]
        found.append((match[1], match[2], int(match[3]), text))
    assert [cue[0] for cue in found] == sorted(cue[0] for cue in found)
    return found


def test_segments_as_subtitles(tmp_path):
    write_segments(tmp_path / "s.vtt", MANY)
    assert cues(tmp_path / "s.vtt") == [
        ("00:00:00.123", "00:00:01.500", -1, "#1 Happy 93 %"),
        ("00:00:00.500", "00:00:02.000", -2, "#2 Happy 93 %"),
        ("01:01:01.500", "01:01:02.000", -2, "#2 Happy 93 %"),
    ]


def test_people_shown_together_have_lines_of_their_own(tmp_path):
    people = [segment(track, track / 10, 5.0 + track) for track in range(1, 6)]
    later = [segment(9, 6.5, 7.0), segment(4, 9.0, 10.0), segment(5, 10.0, 11.0)]
    write_segments(tmp_path / "s.vtt", [*people, *later])
    lines = [cue[2] for cue in cues(tmp_path / "s.vtt")]
    assert lines[:5] == [-1, -2, -3, -4, -5]
    assert lines[5] == -1  # the line of 1, who has left
    assert lines[6:] == [-4, -5]  # as before


def test_subtitles_of_nothing_and_of_odd_labels(tmp_path):
    write_segments(tmp_path / "s.vtt", [])
    assert (tmp_path / "s.vtt").read_text() == "WEBVTT\n"
    odd = LabelSet("odd", (Label("odd", "a\n\n--> <b>&", (0, 0, 0)),))
    write_segments(tmp_path / "s.vtt", [segment(1, 0.0, 0.0001, odd[0], 1.0)])
    assert cues(tmp_path / "s.vtt") == [
        ("00:00:00.000", "00:00:00.001", -1, "#1 a --&gt; &lt;b&gt;&amp; 100 %")
    ]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".vtt"])
def test_a_file_of_segments_appears_when_it_is_closed(tmp_path, suffix):
    output = SegmentsFile(tmp_path / f"new/s{suffix}")
    image = np.zeros((48, 64, 3), np.uint8)
    for number in range(10):
        result = frame_of(number / 25, {1: SAD if number < 5 else HAPPY})
        output.write(Frame(image, number, number / 25), result)
    assert list(tmp_path.iterdir()) == []
    output.close()
    text = output.path.read_text()
    output.path.unlink()
    output.close()
    assert not output.path.exists()
    assert text.count("appy") == text.count(key(SAD)[1:]) == 1


def test_other_endings_are_refused(tmp_path):
    for make in (SegmentsFile, lambda path: write_segments(path, [])):
        with pytest.raises(OutputError, match=r"segments as .*s\.srt; use one of \.csv \.json"):
            make(tmp_path / "s.srt")


def unsure_frame(time_s, most, min_confidence=0.5):
    expression = replace(showing(HAPPY, most), min_confidence=min_confidence)
    face = Face((1.0, 1.0, 9.0, 9.0), 0.9, (), expression, 1)
    return FrameResult(64, 48, "fixed", (face,), "v.mp4", round(time_s * 25), time_s)


def test_uncertain_stretches_are_segments_of_their_own(tmp_path):
    values = [0.9, 0.8, 0.4, 0.45, 0.3, 0.7]
    found = segments_of(*(unsure_frame(n / 25, value) for n, value in enumerate(values)))
    assert spans(found) == [
        (1, key(HAPPY), 0.0, 0.0, 0.08),
        (1, UNCERTAIN.key, 0.08, 0.12, 0.2),
        (1, key(HAPPY), 0.2, 0.2, 0.24),
    ]
    assert found[1].peak_confidence == pytest.approx(0.45)
    assert found[1].mean_confidence == pytest.approx(0.3833333)
    for name in ("s.csv", "s.json", "s.vtt"):
        write_segments(tmp_path / name, found)
    with (tmp_path / "s.csv").open(newline="") as stream:
        assert [row["expression"] for row in csv.DictReader(stream)] == [
            *("happy", "uncertain", "happy")
        ]
    rows = json.loads((tmp_path / "s.json").read_text())["segments"]
    assert rows[1]["expression"] == "uncertain"
    assert [cue[3] for cue in cues(tmp_path / "s.vtt")] == [
        *("#1 Happy 85 %", "#1 Uncertain", "#1 Happy 70 %")
    ]
