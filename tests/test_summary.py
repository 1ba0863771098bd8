import pytest

from mien.labels import FER2013, UNCERTAIN
from mien.recognition.summary import VideoSummaryBuilder
from mien.results import Expression, Face, FrameResult

HAPPY, NEUTRAL = FER2013.index("joy"), FER2013.index("calm")


def showing(label):
    return Expression(FER2013, tuple(float(i == label) for i in range(7)))


def result_of(time_s, faces):
    """A frame with the shown and the raw label of each track."""
    found = tuple(
        Face((1.0, 1.0, 9.0, 9.0), 0.9, (), showing(label), track, showing(raw))
        for track, (label, raw) in faces.items()
    )
    return FrameResult(64, 48, "fixed", found, time_s=time_s)


def summary_of(frames, end_s=None, **options):
    builder = VideoSummaryBuilder(**options)
    for frame in frames:
        builder.add(frame)
    return builder.finish(end_s)


def test_a_video_in_figures():
    frames = []
    for number in range(100):  # 4 s at 25 frames per second
        faces = {1: (HAPPY if number < 25 else NEUTRAL, HAPPY if number % 2 else NEUTRAL)}
        if 50 <= number < 75:
            faces[2] = (NEUTRAL, NEUTRAL)
        frames.append(result_of(number / 25, {} if 80 <= number < 90 else faces))
    summary = summary_of(frames)
    assert (summary.n_frames, summary.n_frames_with_faces, summary.n_faces) == (100, 90, 115)
    assert summary.duration_s == pytest.approx(4.0)
    assert summary.n_tracks == 2
    first, second = summary.tracks
    assert (first.track, first.first_s, first.n_segments) == (1, 0.0, 2)
    assert first.last_s == pytest.approx(4.0)
    assert first.visible_s == pytest.approx(3.6)
    assert list(first.shares) == [FER2013[NEUTRAL], FER2013[HAPPY]]
    assert first.shares[FER2013[HAPPY]] == pytest.approx(1.0 / 3.6)
    assert sum(first.shares.values()) == pytest.approx(1.0)
    assert (first.label_changes, first.raw_label_changes) == (1, 89)
    assert first.label_changes_per_minute == pytest.approx(60 / 3.6)
    assert first.raw_label_changes_per_minute == pytest.approx(89 * 60 / 3.6)
    assert (second.first_s, second.label_changes) == (2.0, 0)
    assert second.last_s == pytest.approx(3.0)
    assert second.visible_s == pytest.approx(1.0)


def test_shares_are_of_time_and_not_of_frames():
    times_s, labels = [0.0, 0.1, 0.2, 1.0], [HAPPY, HAPPY, NEUTRAL, HAPPY]
    frames = [result_of(t, {1: (x, x)}) for t, x in zip(times_s, labels, strict=True)]
    (track,) = summary_of(frames, end_s=1.2).tracks
    assert track.visible_s == pytest.approx(1.2)
    assert track.shares[FER2013[NEUTRAL]] == pytest.approx(0.8 / 1.2)
    assert track.n_segments == 3


def test_a_video_without_frames_or_faces():
    empty = summary_of([])
    assert (empty.n_frames, empty.duration_s, empty.tracks) == (0, 0.0, ())
    nobody = summary_of([result_of(number / 25, {}) for number in range(50)])
    assert (nobody.n_frames, nobody.n_faces, nobody.n_tracks) == (50, 0, 0)
    assert nobody.duration_s == pytest.approx(2.0)


def test_one_frame():
    (track,) = summary_of([result_of(3.0, {7: (HAPPY, HAPPY)})]).tracks
    assert (track.track, track.first_s, track.n_segments) == (7, 3.0, 1)
    assert track.visible_s > 0
    assert track.label_changes_per_minute == 0


def test_the_longest_visible_tracks_are_kept():
    frames = []
    for number in range(1000):
        visible = {1: (HAPPY, HAPPY), 100 + number: (NEUTRAL, NEUTRAL)}
        frames.append(result_of(number / 25, visible if number < 990 else {}))
    builder = VideoSummaryBuilder(max_tracks=10)
    for frame in frames:
        builder.add(frame)
        assert len(builder._tracks) <= 21
    summary = builder.finish()
    assert summary.n_tracks == 991
    assert len(summary.tracks) == 10
    assert summary.tracks[0].track == 1
    assert summary.tracks[0].visible_s == pytest.approx(990 / 25)


def test_uncertain_time_is_a_share_and_the_manner_is_told():
    rows = [(0.6, 0.4, 0, 0, 0, 0, 0), (0.4, 0.6, 0, 0, 0, 0, 0)]
    sure = Expression(FER2013, (1.0, *[0.0] * 6), min_confidence=0.7)
    frames = []
    for number in range(100):
        unsure = Expression(FER2013, rows[number % 2], min_confidence=0.7)
        shown = sure if number < 60 else unsure
        face = Face((1.0, 1.0, 9.0, 9.0), 0.9, (), shown, 1, unsure)
        frames.append(FrameResult(64, 48, "x", (face,), time_s=number / 25, tta="flip"))
    summary = summary_of(frames)
    assert (summary.tta, summary.min_confidence) == ("flip", 0.7)
    (track,) = summary.tracks
    assert list(track.shares) == [FER2013[0], UNCERTAIN]
    assert track.shares[UNCERTAIN] == pytest.approx(0.4)
    # A change of the most probable class is none while the face stays uncertain.
    assert (track.label_changes, track.raw_label_changes, track.n_segments) == (1, 0, 2)
    plain = summary_of([result_of(0.0, {1: (HAPPY, HAPPY)})])
    assert (plain.tta, plain.min_confidence) == ("none", 0.0)
