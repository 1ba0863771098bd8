"""The newest frame wins; files that play in real time."""

import threading
import time

import pytest

from live_factory import HandFed, wait_until
from mien.errors import VideoError
from mien.live.newest import Newest, Paced, paced
from mien.sources.arrays import ArrayFrames
from video_factory import numbered_images


def test_only_the_newest_frame_is_given():
    source = HandFed()
    with Newest(source) as newest:
        source.give(0)
        arrival = newest.take(5)
        assert arrival.frame.number == 0
        source.give(1, 2, 3, 4)
        wait_until(lambda: newest.n_dropped == 3)
        assert newest.take(5).frame.number == 4
        assert newest.take(0) is None
        assert not newest.is_over


def test_the_time_of_capture_is_kept_while_a_frame_waits():
    source = HandFed()
    with Newest(source) as newest:
        before_s = time.monotonic()
        source.give(0)
        wait_until(lambda: newest._arrival is not None)
        after_s = time.monotonic()
        time.sleep(0.02)
        assert before_s <= newest.take(5).captured_s <= after_s


def test_no_frame_in_time_is_none():
    with Newest(HandFed()) as newest:
        assert newest.take(0.01) is None
        assert not newest.is_over


def test_the_end_comes_after_the_last_frame():
    source = HandFed()
    source.give(7)
    source.end()
    with Newest(source) as newest:
        newest._thread.join(5)
        assert not newest.is_over
        assert newest.take(5).frame.number == 7
        assert newest.is_over
        assert newest.take(5) is None


def test_errors_are_raised_where_frames_are_taken_after_the_last_one():
    source = HandFed()
    source.give(7)
    source.fail(VideoError("camera 0 went away"))
    with Newest(source) as newest:
        assert newest.take(5).frame.number == 7
        newest._thread.join(5)
        with pytest.raises(VideoError, match="camera 0 went away"):
            newest.take(5)
        assert newest.is_over


def test_closing_ends_the_thread_and_the_source():
    source = HandFed()
    with Newest(source) as newest:
        source.give(0)
    assert source.closed.is_set()
    assert not newest._thread.is_alive()
    assert newest.is_over
    newest.close()


def test_a_file_plays_in_real_time(monkeypatch):
    waits = []
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: waits.append(timeout))
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    source = Paced(ArrayFrames(list(numbered_images(3)), times_s=[5.0, 5.5, 6.25]))
    assert [frame.time_s for frame in source] == [5.0, 5.5, 6.25]
    assert waits == pytest.approx([0.0, 0.5, 1.25])
    assert source.info.is_live


def test_a_late_file_does_not_wait(monkeypatch):
    waits, now_s = [], iter([100.0, 109.0])
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: waits.append(timeout))
    monkeypatch.setattr(time, "monotonic", lambda: next(now_s))
    list(Paced(ArrayFrames(list(numbered_images(2)), frame_rate_hz=1)))
    assert waits == [0.0, 0.0]


def test_closing_ends_the_waiting():
    source = Paced(ArrayFrames(list(numbered_images(2)), times_s=[0.0, 3600.0]))
    frames = iter(source)
    next(frames)
    threading.Timer(0.05, source.close).start()
    assert next(frames, None) is None


def test_live_sources_keep_their_own_pace():
    camera = HandFed()
    assert paced(camera) is camera
    file = ArrayFrames(list(numbered_images(1)))
    assert isinstance(paced(file), Paced)
