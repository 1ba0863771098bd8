"""Track numbers from geometry alone: synthetic detections that all look alike, or as told."""

import numpy as np
import pytest

from mien.recognition.appearance import SIZE, Appearances
from mien.recognition.tracks import Tracker
from mien.results import Detection


def looks(*seeds: int | None) -> Appearances:
    """An unmistakable look per seed; None says nothing."""
    rows = np.zeros((len(seeds), SIZE), np.float32)
    for row, seed in zip(rows, seeds, strict=True):
        if seed is not None:
            row[...] = np.random.default_rng(seed).normal(size=SIZE)
    return Appearances(rows, np.ones_like(rows))


def face(x: float, y: float = 100.0, width: float = 50.0) -> Detection:
    """A detection with this centre."""
    return Detection((x - width / 2, y - 0.6 * width, width, 1.2 * width), 0.9)


def update(tracker: Tracker, faces: list[Detection], time_s: float, *seeds: int | None):
    return tracker.update(faces, looks(*(seeds or [None] * len(faces))), time_s)


def test_numbers_begin_at_one_and_belong_to_the_faces() -> None:
    tracker = Tracker()
    assert update(tracker, [], 0.0) == ()
    assert update(tracker, [face(100), face(300)], 0.1) == (1, 2)
    assert update(tracker, [face(302), face(101)], 0.2) == (2, 1)
    assert update(tracker, [face(500), face(304), face(102)], 0.3) == (3, 2, 1)


@pytest.mark.parametrize("rate_hz", [5, 24, 60])
def test_jitter_and_missed_detections(rate_hz: int) -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for number in range(10 * rate_hz):
        time_s = number / rate_hz
        x = 200 + 60 * np.sin(time_s)
        found = [
            face(place + rng.normal(0, 2), 100 + rng.normal(0, 2), 50 * np.exp(rng.normal(0, 0.05)))
            for place in (x, x + 90)
        ]
        if rng.random() < 0.2 and number:
            assert update(tracker, [], time_s) == ()
        else:
            assert update(tracker, found, time_s) == (1, 2)


@pytest.mark.parametrize("rate_hz", [5, 24, 60])
def test_who_cross_go_on_in_their_directions(rate_hz: int) -> None:
    """Two alike faces at 120 px/s; the one behind is hidden while they overlap."""
    tracker = Tracker()
    for number in range(4 * rate_hz):
        time_s = number / rate_hz
        a, b = 100 + 120 * time_s, 520 - 120 * time_s
        if abs(a - b) < 40:
            assert update(tracker, [face(b, 104)], time_s) == (2,)
        else:
            assert update(tracker, [face(a, 96), face(b, 104)], time_s) == (1, 2)


def test_irregular_times() -> None:
    tracker = Tracker()
    time_s = 0.0
    for step_s in np.random.default_rng(0).choice([0.004, 0.02, 0.1, 0.35], 200):
        time_s += step_s
        swing = 100 * np.sin(time_s)
        assert update(tracker, [face(300 + swing), face(600 - swing)], time_s) == (1, 2)


def test_thirty_faces_in_a_row() -> None:
    tracker = Tracker()
    rng = np.random.default_rng(0)
    for number in range(60):
        time_s = number / 25
        order = rng.permutation(30)
        found = [face(70 * i + 30 * time_s + rng.normal(0, 2), width=50) for i in order]
        tracks = update(tracker, found, time_s)
        assert len(set(tracks)) == 30
        if number == 0:
            number_of = dict(zip(order.tolist(), tracks, strict=True))
        assert tracks == tuple(number_of[i] for i in order.tolist())


def nobody(tracker: Tracker, from_s: float, to_s: float) -> None:
    """Frames without a face, ten a second."""
    for number in range(1, round(10 * (to_s - from_s))):
        assert update(tracker, [], from_s + number / 10) == ()


def test_who_returns_in_time_keeps_the_number() -> None:
    for gap_s, expected in ((1.0, 1), (1.4, 1), (1.6, 2)):
        tracker = Tracker()
        update(tracker, [face(100)], 0.0, 7)
        nobody(tracker, 0.0, gap_s)
        assert update(tracker, [face(130)], gap_s, 7) == (expected,)


def test_the_gap_can_be_chosen() -> None:
    tracker = Tracker(max_gap_s=3.0)
    update(tracker, [face(100)], 0.0, 7)
    nobody(tracker, 0.0, 2.9)
    assert update(tracker, [face(100)], 2.9, 7) == (1,)
    nobody(tracker, 2.9, 6.0)
    assert update(tracker, [face(100)], 6.0, 7) == (2,)


@pytest.mark.parametrize("interval_s", [0.4, 1.0, 2.0, 10.0, 1000.0])
def test_slow_frames(interval_s: float) -> None:
    """Five people move a little from picture to picture; one is missed once."""
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for number in range(8):
        places = [100 + 150 * i + rng.normal(0, 10) for i in range(5)]
        seen = [i for i in range(5) if (i, number) != (2, 4)]
        tracks = update(tracker, [face(places[i]) for i in seen], number * interval_s, *seen)
        assert tracks == tuple(i + 1 for i in seen)


def test_who_is_away_for_some_slow_frames_is_new() -> None:
    tracker = Tracker()
    for number in range(9):
        here = number < 3 or number > 6
        tracks = update(tracker, [face(100)] if here else [], 2.0 * number, *([7] if here else []))
        assert tracks == ((1,) if number < 3 else (2,) if number > 6 else ())


def test_a_hole_in_a_video_ends_tracks() -> None:
    tracker = Tracker()
    for number in range(50):
        assert update(tracker, [face(100)], number / 25, 7) == (1,)
    assert update(tracker, [face(100)], 5.0, 7) == (2,)


def test_somebody_else_in_the_same_place_after_a_gap_is_new() -> None:
    tracker = Tracker()
    update(tracker, [face(100)], 0.0, 7)
    assert update(tracker, [face(100)], 0.8, 8) == (2,)


def test_a_changed_look_in_the_same_place_is_the_same_face() -> None:
    """A hand, a shadow: while a face is in view, its place counts."""
    tracker = Tracker()
    for number, seed in enumerate((7, 7, 8, 9, 7)):
        assert update(tracker, [face(100)], number / 24, seed) == (1,)


def test_looks_tell_who_is_who_after_they_meet() -> None:
    """They meet, stand, and go back the way they came: motion alone would be wrong."""
    tracker = Tracker()
    for number in range(72):
        time_s = number / 24
        distance = max(0.0, abs(1.5 - time_s) - 0.2) * 150
        a, b = 300 - distance, 300 + distance
        if distance < 25:
            assert update(tracker, [face(300)], time_s, 7) == (1,)
        else:
            assert update(tracker, [face(a), face(b)], time_s, 7, 8) == (1, 2)


def test_hidden_parts_do_not_count() -> None:
    """Half of a face comes back; the other half of its crop shows somebody else."""
    whole = looks(7)
    colours, weights = whole.colours.copy(), whole.weights.copy()
    colours[:, SIZE // 2 :] *= -1
    for seen, expected in ((1.0, 2), (0.0, 1)):
        weights[:, SIZE // 2 :] = seen
        tracker = Tracker()
        tracker.update([face(100)], whole, 0.0)
        assert tracker.update([face(110)], Appearances(colours, weights), 0.7) == (expected,)


def test_far_away_is_somebody_else() -> None:
    tracker = Tracker()
    update(tracker, [face(100)], 0.0)
    assert update(tracker, [face(400)], 1 / 24) == (2,)
    assert update(tracker, [face(100), face(400, width=15)], 2 / 24) == (1, 3)


def test_false_detections_take_numbers_and_disturb_nobody() -> None:
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for number in range(240):
        found = [face(100 + 2 * np.sin(number)), face(300)]
        false = [face(rng.uniform(400, 4000), 400)] if rng.random() < 0.1 else []
        assert update(tracker, found + false, number / 24)[:2] == (1, 2)


def test_a_cut_ends_all_tracks() -> None:
    tracker = Tracker()
    update(tracker, [face(100), face(300)], 0.0)
    tracker.end_all()
    assert tracker.waiting_or_in_view == frozenset()
    assert update(tracker, [face(100), face(300)], 0.04) == (3, 4)


def test_ended_tracks_are_forgotten() -> None:
    tracker = Tracker()
    for number in range(3000):
        update(tracker, [face(100.0 + 500 * (number % 7))], number * 0.5)
        assert len(tracker.waiting_or_in_view) <= 4
    assert update(tracker, [], 1e6) == ()
    assert tracker.waiting_or_in_view == frozenset()


def test_the_same_faces_get_the_same_numbers() -> None:
    def run() -> list[tuple[int, ...]]:
        rng = np.random.default_rng(5)
        tracker = Tracker()
        return [
            update(tracker, [face(x) for x in rng.uniform(0, 600, rng.integers(0, 6))], t / 10)
            for t in range(100)
        ]

    assert run() == run()


def test_what_does_not_fit_changes_nothing() -> None:
    tracker = Tracker()
    update(tracker, [face(100)], 0.0)
    with pytest.raises(ValueError, match="expected 2 appearances, got 1"):
        tracker.update([face(100), face(200)], looks(None), 0.1)
    assert update(tracker, [face(100)], 0.1) == (1,)
    with pytest.raises(ValueError, match="max_gap_s"):
        Tracker(max_gap_s=-1.0)
    with pytest.raises(ValueError, match="max_gap_s"):
        Tracker(max_gap_s=float("nan"))
