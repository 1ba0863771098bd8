"""The timeline: one page that stands alone, whatever it is made of."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mien.clock import clock
from mien.errors import OutputError
from mien.labels import FER2013, Label, LabelSet
from mien.outputs.timeline import TimelineFile, file
from mien.outputs.timeline.bins import CAPACITY, Bins
from mien.outputs.timeline.page import SHOWN_TRACKS
from mien.outputs.timeline.thumbnails import MOST, Thumbnails
from mien.outputs.timeline.times import marks
from mien.outputs.timeline.tracks import KEPT_TRACKS, TrackRecords
from mien.results import Expression, Face, FrameResult
from mien.sources.source import Frame, SourceInfo

NASTY = "<script>alert('x')</script>&\"'"
INFO = SourceInfo("clips/talk.mp4", 160, 120, 25.0)
IMAGE = np.full((120, 160, 3), 90, np.uint8)


class Page(HTMLParser):
    """Collects what is on a page, and checks that every element is closed in order."""

    VOID = frozenset(("meta", "img", "br"))

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str]] = []
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def expression(index: int, sure: float = 0.7, label_set: LabelSet = FER2013) -> Expression:
    rest = (1 - sure) / (len(label_set) - 1)
    return Expression(label_set, tuple(sure if i == index else rest for i in range(len(label_set))))


def result_at(number, faces, rate=25.0):
    """A frame and its result; faces: (track, class index) each."""
    found = tuple(
        Face((10.0 + 5 * i, 20.0, 50.0, 60.0), 0.9, expression=expression(index), track=track)
        for i, (track, index) in enumerate(faces)
    )
    time_s = number / rate
    result = FrameResult(160, 120, "fixed", found, "talk.mp4", number, time_s)
    return Frame(IMAGE, number, time_s), result


def page_of(tmp_path, frames, info=INFO, label_set=FER2013, model="mien-small") -> Page:
    output = TimelineFile(tmp_path / "t.html", info, label_set, model)
    for frame, result in frames:
        output.write(frame, result)
    output.close()
    output.close()
    return Page(output.path)


def two_expressions(track=1, n=100):
    return [result_at(number, [(track, 3 if number < n / 2 else 4)]) for number in range(n)]


def test_a_page_tells_who_what_and_when(tmp_path):
    page = page_of(tmp_path, two_expressions())
    for words in (
        *("Expressions over time: talk.mp4", "mien-small", "faces found by fixed", "0:04.0"),
        *("100 with a face", "expressed outwardly", "Visible from 0:00.0 to 0:04.0, in 100 frames"),
        *("2 segments", "0:02.00"),
    ):
        assert words in page.text
    for label in FER2013:
        assert label.display_name in page.text
    titles = page.values("title")
    assert len(titles) == 2
    happy, sad = FER2013[3].display_name, FER2013[4].display_name
    assert titles[0].startswith(f"{happy}, 0:00.0 to 0:02.0, peak at 0:00.0 with 70%")
    assert titles[1].startswith(f"{sad}, 0:02.0 to 0:04.0")
    assert [alt for alt in page.values("alt") if alt] == [
        f"0:00.0 {happy} 70%",
        f"0:02.0 {sad} 70%",
    ]
    assert page.seen.count("path") == len(FER2013)


def test_a_page_stands_alone(tmp_path):
    page = page_of(tmp_path, two_expressions())
    assert not re.search(r"https?://|url\(|@import|<link", page.html)
    sources = page.values("src") + page.values("href")
    assert len(sources) >= 2
    for source in sources:
        assert source.startswith(("data:image/jpeg;base64,", "#"))
    assert page.seen.count("script") == 1
    (policy,) = [value for value in page.values("content") if "script-src" in value]
    assert "default-src 'none'" in policy
    assert "prefers-color-scheme: dark" in page.html


def test_hostile_names_are_text(tmp_path):
    label_set = LabelSet("odd", (Label("a", NASTY, (1, 2, 3)), Label("b", "B", (200, 0, 0))))
    found = Face((1.0, 1.0, 50.0, 50.0), 0.9, expression=expression(0, 0.9, label_set), track=1)
    frames = [
        (Frame(IMAGE, n, n / 25), FrameResult(160, 120, NASTY, (found,), NASTY, n, n / 25))
        for n in range(50)
    ]
    info = SourceInfo(f"{NASTY}.mp4", 160, 120)
    page = page_of(tmp_path, frames, info, label_set, NASTY)
    assert page.seen.count("script") == 1
    assert page.text.count(NASTY) >= 5
    assert "alert" not in "".join(value for name, value in page.attributes if name[:2] == "on")


def test_passwords_in_addresses_are_not_told(tmp_path):
    info = SourceInfo("rtsp://anna:secret@cam.example/1", 160, 120, is_live=True)
    page = page_of(tmp_path, two_expressions(), info)
    assert "secret" not in page.html and "anna" not in page.html
    assert "rtsp://***@cam.example/1" in page.text


@pytest.mark.parametrize(
    ("frames", "words"),
    [([], "There was no frame"), ([result_at(n, []) for n in range(9)], "No face was found")],
)
def test_nothing_to_show(tmp_path, frames, words):
    page = page_of(tmp_path, frames)
    assert words in page.text
    assert "svg" not in page.seen and "script" not in page.seen


def test_one_frame(tmp_path):
    page = page_of(tmp_path, [result_at(0, [(1, 3)])])
    assert "in 1 frame." in page.text and "1 segment" in page.text
    assert "svg" in page.seen


def test_faces_without_a_track_or_an_expression_make_no_chart(tmp_path):
    frame, _ = result_at(0, [])
    bare = Face((1.0, 1.0, 50.0, 50.0), 0.9, track=1)
    untracked = Face((1.0, 1.0, 50.0, 50.0), 0.9, expression=expression(3))
    page = page_of(tmp_path, [(frame, FrameResult(160, 120, "fixed", (bare, untracked)))])
    assert "svg" not in page.seen


def levels_of(page):
    """Probabilities for reading off, (bins, classes), 255 where the face was away."""
    (data,) = page.values("data-levels")
    (step,) = page.values("data-step")
    levels = np.frombuffer(base64.b64decode(data), np.uint8)
    return levels.reshape(-1, len(FER2013)), float(step)


def test_the_chart_has_the_probabilities_and_holes_where_the_face_was_away(tmp_path):
    frames = [result_at(n, [] if 50 <= n < 90 else [(1, 3 if n < 100 else 5)]) for n in range(150)]
    page = page_of(tmp_path, frames)
    levels, step_s = levels_of(page)
    times_s = step_s * (np.arange(len(levels)) + 0.5)
    away = levels[:, 0] == 255
    assert not away[times_s < 1.95].any() and not away[times_s > 3.65].any()
    assert away[(times_s > 2.05) & (times_s < 3.55)].all()
    assert (levels[times_s < 1.9, 3] == 175).all()  # 70 % of 250
    assert (levels[times_s > 4.1, 5] == 175).all()
    (lowest, *_) = [d for d in page.values("d") if d]
    assert lowest.count("M") == 2  # two shapes, the hole between them


def test_slow_sources_have_no_holes(tmp_path):
    page = page_of(tmp_path, [result_at(n, [(1, 3)], rate=0.8) for n in range(30)])
    levels, _ = levels_of(page)
    assert (levels != 255).all()


def test_many_tracks_the_longest_are_shown(tmp_path):
    n_tracks = 3 * KEPT_TRACKS
    frames = []
    for track in range(1, n_tracks + 1):
        length = 20 if track % 10 == 0 else 3
        frames += [result_at(len(frames) + i, [(track, 3)]) for i in range(length)]
    page = page_of(tmp_path, frames)
    assert page.seen.count("svg") == SHOWN_TRACKS
    shown = [int(value.removeprefix("face-")) for value in page.values("id")]
    assert set(range(10, n_tracks + 1, 10)) <= set(shown)
    assert f"{n_tracks} faces were followed; the {SHOWN_TRACKS} that were" in page.text


def test_more_visible_tracks_than_are_kept():
    records = TrackRecords(FER2013)
    crowd = [(track, 3) for track in range(1, KEPT_TRACKS + 20)]
    for number in range(3):
        frame, result = result_at(number, crowd)
        records.add(frame.image_rgb, result)
    kept = records.longest_seen()
    assert len(kept) == KEPT_TRACKS
    assert {record.n_frames for record in kept} == {3}


def test_hours_of_video_make_a_page_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "REFRESH_S", 1e9)
    output = TimelineFile(tmp_path / "t.html", INFO, FER2013)
    expressions = [expression(index, 0.4 + 0.05 * index) for index in range(7)]
    for number in range(100_000):
        found = Face(
            (10.0, 20.0, 50.0, 60.0),
            0.9,
            expression=expressions[number // 13 % 7],
            track=1,
        )
        result = FrameResult(160, 120, "fixed", (found,), "", number, number / 25)
        output.write(Frame(IMAGE, number, number / 25), result)
    output.close()
    page = Page(output.path)
    assert len(page.html) < 600_000
    assert "1:06:40.0" in page.text
    assert "the 400 longest" in page.text
    assert len(levels_of(page)[0]) <= CAPACITY
    blocks = page.values("title")
    assert 50 < len(blocks) <= 600
    assert all(block.startswith("mostly ") for block in blocks)


def test_the_page_is_there_while_the_video_runs(tmp_path):
    output = TimelineFile(tmp_path / "t.html", INFO, FER2013)
    assert not output.path.exists()
    frames = two_expressions()
    output.write(*frames[0])
    assert "still running" in Page(output.path).text
    for frame, result in frames[1:]:
        output.write(frame, result)
    output.close()
    page = Page(output.path)
    assert "still running" not in page.text
    assert page.html == page_of(tmp_path / "other", frames, model="").html


def test_pages_of_a_running_video_do_not_change_what_follows(tmp_path, monkeypatch):
    frames = [*two_expressions(), *[result_at(n, [(1, 4), (2, 6)]) for n in range(100, 160)]]
    once = page_of(tmp_path / "once", frames).html
    monkeypatch.setattr(file, "REFRESH_S", 0.0)
    monkeypatch.setattr(file, "_WRITING_SHARE", 1e9)
    assert page_of(tmp_path / "often", frames).html == once


def test_a_video_that_was_not_gone_through_says_so(tmp_path):
    info = SourceInfo("talk.mp4", 160, 120, 25.0, duration_s=60.0)
    assert "of 1:00: not all of it" in page_of(tmp_path, two_expressions(), info).text


def test_other_endings_and_places_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\.html"):
        TimelineFile(tmp_path / "t.pdf", INFO, FER2013)
    (tmp_path / "taken").write_text("x")
    output = TimelineFile(tmp_path / "taken" / "t.html", INFO, FER2013)
    with pytest.raises(OutputError, match="cannot write"):
        output.write(*result_at(0, [(1, 3)]))
    output.close()  # told once
    (tmp_path / "taken").unlink()
    output = TimelineFile(tmp_path / "taken" / "t.html", INFO, FER2013)
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        output.write(*result_at(0, [(1, 3)]))
    (tmp_path / "taken").unlink()
    output.close()
    assert "in 1 frame." in Page(output.path).text


def test_bins_become_coarser_and_keep_their_means():
    bins = Bins(2, start_s=5.0)
    times = 5.0 + np.arange(10_000) / 25
    for number, time_s in enumerate(times.tolist()):
        share = number / 10_000
        bins.add(time_s, (share, 1 - share), int(share < 0.5))
    step_s, means = bins.means()
    assert len(means) <= CAPACITY and step_s * len(means) == pytest.approx(400, rel=0.01)
    middle = 5.0 + step_s * (np.arange(len(means)) + 0.5)
    expected = np.interp(middle, times, np.arange(10_000) / 10_000)
    assert np.abs(means[:-1, 0] - expected[:-1]).max() < 0.001
    assert np.allclose(means.sum(axis=1), 1.0)
    coarse_s, coarse = bins.means(at_least_s=20.0)
    assert coarse_s >= 20.0 and len(coarse) < 21
    assert np.allclose(coarse.sum(axis=1), 1.0)
    shown_s, shown = bins.mostly_shown()
    assert shown_s == step_s and len(shown) == len(means)
    clear = np.abs(means[:, 0] - 0.5) > 0.01
    assert (shown == (means[:, 0] < 0.5))[clear].all()


def test_thumbnails_are_the_peaks_and_few():
    thumbnails = Thumbnails()
    face = Face((10.0, 20.0, 50.0, 60.0), 0.9)
    number = 0
    for run in range(40):
        length = 30 if run in (3, 4) else 3
        for step in range(length):
            sure = 0.9 if step == length // 2 else 0.5
            image = np.full((120, 160, 3), 200 if step == length // 2 else 20, np.uint8)
            thumbnails.add(image, face, expression((run * 2) % 7, sure), number / 25)
            number += 1
    shown = thumbnails.shown()
    assert MOST <= len(shown) <= MOST + 1
    assert len({thumbnail.label for thumbnail in shown}) == 7
    assert [t.time_s for t in shown] == sorted(t.time_s for t in shown)
    assert {thumbnail.confidence for thumbnail in shown} == {0.9}
    assert {(3 * 2) % 7, (4 * 2) % 7} <= {thumbnail.label for thumbnail in shown}
    assert all(thumbnail.jpeg.startswith(b"\xff\xd8") for thumbnail in shown)
    assert sum(len(thumbnail.jpeg) for thumbnail in shown) < 100_000


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 160.0, 120.0), (150.0, 110.0, 10.0, 10.0), (3.0, 3.0, 0.4, 0.4)]
)
def test_thumbnails_of_faces_at_the_edge(box):
    thumbnails = Thumbnails()
    thumbnails.add(IMAGE, Face(box, 0.9), expression(3), 0.0)
    assert thumbnails.portrait() is not None


@pytest.mark.parametrize(
    ("time_s", "digits", "text"),
    [
        *((0.0, 0, "0:00"), (59.96, 1, "1:00.0"), (61.25, 2, "1:01.25"), (-1.0, 0, "0:00")),
        *((3599.7, 0, "1:00:00"), (3787.0, 1, "1:03:07.0")),
    ],
)
def test_clock(time_s, digits, text):
    assert clock(time_s, digits) == text


@pytest.mark.parametrize("length_s", [0.001, 0.04, 0.9, 19.7, 100.0, 4000.0, 11_000.0, 1e6])
def test_marks_are_few_and_within(length_s):
    found = marks(2.0, 2.0 + length_s)
    assert 1 <= len(found) <= 10
    assert all(2.0 - 1e-6 <= time_s <= 2.0 + length_s + 1e-6 for time_s, _ in found)
    assert len({text for _, text in found}) == len(found)
    if length_s > 1:
        assert len(found) >= 3


def unsure_frames(n=100, min_confidence=0.6):
    """Happy, then a quarter of the time too little of it, then sad."""
    for number in range(n):
        index = 3 if number < 3 * n / 4 else 4
        sure = 0.4 if n / 2 <= number < 3 * n / 4 else 0.7
        shown = replace(expression(index, sure), min_confidence=min_confidence)
        found = Face((10.0, 20.0, 50.0, 60.0), 0.9, expression=shown, track=1)
        result = FrameResult(160, 120, "x", (found,), "", number, number / 25, tta="flip")
        yield Frame(IMAGE, number, number / 25), result


def test_uncertain_stretches_are_on_the_page(tmp_path):
    page = page_of(tmp_path, unsure_frames())
    happy, sad = FER2013[3].display_name, FER2013[4].display_name
    titles = page.values("title")
    assert [title.split(",")[0] for title in titles] == [happy, "Uncertain", sad]
    assert titles[1] == (
        "Uncertain, 0:02.0 to 0:03.0, the most probable expression at 40% on average"
    )
    assert "no expression is as probable as 60\u00a0%" in page.text
    assert "test-time augmentation: flip" in page.text
    assert "Uncertain 25%" in page.text and "3 segments" in page.text
    # The area of the probabilities stays; pictures are of expressions at their peaks.
    assert page.seen.count("path") == len(FER2013)
    assert [alt for alt in page.values("alt") if alt] == [
        f"0:00.0 {happy} 70%",
        f"0:03.0 {sad} 70%",
    ]
    stripes = [style for style in page.values("style") if "repeating-linear-gradient" in style]
    assert len(stripes) == 3  # in the legend, in the shares, in the band


def test_without_a_least_confidence_uncertain_is_not_mentioned(tmp_path):
    page = page_of(tmp_path, two_expressions())
    assert "ncertain" not in page.html and "augmentation" not in page.html


def test_a_coarse_band_knows_uncertain(tmp_path, monkeypatch):
    monkeypatch.setattr("mien.outputs.timeline.page._BAND_SEGMENTS", 1)
    titles = page_of(tmp_path, unsure_frames()).values("title")
    assert [title.split(",")[0] for title in titles] == [
        *(f"mostly {FER2013[3].display_name}", "mostly Uncertain"),
        f"mostly {FER2013[4].display_name}",
    ]


def test_bins_count_uncertain_apart():
    bins = Bins(2, start_s=0.0)
    for number in range(100):
        bins.add(number / 25, (0.6, 0.4), None if number < 50 else 0)
    _, shown = bins.mostly_shown(at_least_s=0.5)
    assert set(shown[:3].tolist()) == {2} and set(shown[-3:].tolist()) == {0}
    assert np.allclose(np.nanmean(bins.means()[1], axis=0), (0.6, 0.4))
