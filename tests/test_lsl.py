"""The streams of the Lab Streaming Layer, received by inlets on this machine."""

import math
import sys
import time
import uuid

import numpy as np
import pytest

from live_factory import OneFace
from mien.errors import MissingExtraError
from mien.head_pose import MODEL_MM
from mien.labels import FER2013
from mien.live import lsl
from mien.live.lsl import DRIFT, FrameClockMap, LslOutlet, channel_names, samples
from mien.outputs.rows import PLACE_COLUMNS
from mien.results import Expression, Face, FrameResult

KEYS = FER2013.keys
LANDMARKS = tuple((300.0 + x, 200.0 + y) for x, y, _ in MODEL_MM)


def shown(key):
    probabilities = [0.04] * len(KEYS)
    probabilities[FER2013.index(key)] = 1.0 - 0.04 * (len(KEYS) - 1)
    return Expression(FER2013, tuple(probabilities))


def frame(number, *keys, rate_hz=25.0):
    faces = tuple(
        Face(
            (10.0 + 50 * place, 20.0, 40.0, 50.0),
            0.9,
            LANDMARKS,
            shown(key),
            place + 1,
            shown(key),
        )
        for place, key in enumerate(keys)
    )
    return FrameResult(640, 480, "fixed", faces, "a.mp4", number, number / rate_hz)


def test_a_sample_for_each_face_and_one_for_a_frame_without():
    names = channel_names(KEYS)
    assert len(set(names)) == len(names)
    assert names[0] == "n_faces" and set(PLACE_COLUMNS) < set(names)
    first, second = samples(frame(3, KEYS[0], KEYS[3]), KEYS)
    assert len(first) == len(second) == len(names)
    one = dict(zip(names, second, strict=True))
    assert (one["n_faces"], one["frame"], one["time_s"], one["face"]) == (2.0, 3.0, 0.12, 1.0)
    assert (one["track"], one["expression"], one["w"]) == (2.0, 3.0, 40.0)
    assert one[f"p_{KEYS[3]}"] == pytest.approx(0.76)
    assert one["roll_deg"] == pytest.approx(0.0, abs=0.1)
    (empty,) = samples(frame(4), KEYS)
    none = dict(zip(names, empty, strict=True))
    assert (none["n_faces"], none["frame"], none["time_s"]) == (0.0, 4.0, 0.16)
    assert math.isnan(none["expression"]) and math.isnan(none["x"])
    assert len(empty) == len(names)


def test_faces_without_a_track_or_landmarks_have_gaps():
    result = OneFace().recognize(np.zeros((48, 64, 3), np.uint8))
    (sample,) = samples(result, KEYS)
    one = dict(zip(channel_names(KEYS), sample, strict=True))
    assert one["track"] == 1.0 and math.isnan(one["roll_deg"]) and math.isnan(one["nose_x"])


def test_an_uncertain_face_has_the_number_after_the_classes():
    face = frame(0, KEYS[0]).faces[0]
    unsure = Expression(FER2013, face.expression.probabilities, min_confidence=0.99)
    result = FrameResult(640, 480, "fixed", (Face(face.box_xywh_px, 0.9, (), unsure, 1),))
    (sample,) = samples(result, KEYS)
    assert sample[channel_names(KEYS).index("expression")] == len(KEYS)


class Clocks:
    """Two clocks that a test turns; the second is ahead of the first."""

    def __init__(self, ahead_s):
        self.now_s, self.ahead_s = 100.0, ahead_s

    def map(self):
        return FrameClockMap(lambda: self.now_s + self.ahead_s, lambda: self.now_s)


def test_what_delays_a_frame_does_not_shift_its_time():
    clocks = Clocks(ahead_s=3.25)
    found = clocks.map()
    delays = np.abs(np.random.default_rng(1).normal(0.0, 0.03, 1500))
    delays[::40] = 0.0
    stamps = []
    for number, delay in enumerate(delays.tolist()):
        clocks.now_s = 100.0 + number / 25 + delay
        stamps.append(found.stamp(number / 25, clocks.now_s))
    expected = 103.25 + np.arange(1500) / 25
    # What the clock of the source may drift until the next frame that is not delayed.
    assert np.abs(np.array(stamps) - expected).max() < DRIFT * 2.0
    assert found.clock_offset_s == pytest.approx(3.25)


def test_a_program_that_stands_still_for_a_minute_keeps_its_offset():
    clocks = Clocks(ahead_s=0.0)
    found = clocks.map()
    stamps = []
    for number in range(3000):
        due_s = 100.0 + number / 25
        clocks.now_s = max(due_s, clocks.now_s + 1e-4 + 60.0 * (number == 500))
        stamps.append(found.stamp(number / 25, clocks.now_s))
    assert np.abs(np.array(stamps) - 100.0 - np.arange(3000) / 25).max() < 1e-3


@pytest.mark.parametrize("drift", [-5e-5, 5e-5])
def test_a_source_whose_clock_runs_otherwise_is_followed(drift):
    clocks = Clocks(ahead_s=0.0)
    found = clocks.map()
    for number in range(25 * 600):
        clocks.now_s = 100.0 + number / 25 * (1 + drift)
        stamp = found.stamp(number / 25, clocks.now_s)
    assert stamp == pytest.approx(clocks.now_s, abs=1e-3)


def test_stamps_grow():
    found = Clocks(ahead_s=0.0).map()
    stamps = [found.stamp(0.0, 101.0), found.stamp(0.04, 100.0), found.stamp(0.08, 100.0)]
    assert stamps[0] < stamps[1] < stamps[2]


def open_inlets(outlet):
    """Inlets of both streams of an outlet; other tests may stream at the same time."""
    pylsl = pytest.importorskip("pylsl")
    own = {one.get_info().source_id() for one in outlet._outlets}
    inlets = []
    for kind in (lsl.STREAM_TYPE, lsl.MARKERS_TYPE):
        until_s = time.monotonic() + 60.0
        while True:
            found = pylsl.resolve_byprop("type", kind, 1, 10.0)
            mine = [info for info in found if info.source_id() in own]
            if mine:
                break
            assert time.monotonic() < until_s, f"no stream of type {kind}"
        inlets.append(pylsl.StreamInlet(mine[0], max_buflen=3600))
        inlets[-1].open_stream(timeout=60.0)
    return inlets


def all_of(inlet, at_least):
    """Everything that arrives: samples, and their times on this machine's clock."""
    values, stamps = [], []
    until_s = time.monotonic() + 60.0
    while len(values) < at_least and time.monotonic() < until_s:
        more, at = inlet.pull_chunk(timeout=1.0, max_samples=10_000)
        values, stamps = values + more, stamps + at
    more, at = inlet.pull_chunk(timeout=0.2, max_samples=10_000)  # there should be none
    return values + more, np.array(stamps + at) + inlet.time_correction(timeout=60.0)


def check_stream(seconds, rate_hz):
    outlet = LslOutlet(KEYS, uuid.uuid4().hex, "model")
    numbers, markers = open_inlets(outlet)
    n_frames = round(seconds * rate_hz)
    begin_s = time.monotonic()
    for number in range(n_frames):
        time.sleep(max(0.0, begin_s + number / rate_hz - time.monotonic()))
        came_s = time.monotonic() if number else begin_s
        shows = () if number % 7 == 6 else (KEYS[number // 10 % len(KEYS)],)
        outlet.push(frame(number, *shows, rate_hz=rate_hz), came_s)
    rows, times = all_of(numbers, n_frames)
    names = channel_names(KEYS)
    assert [row[names.index("frame")] for row in rows] == list(range(n_frames))
    frames_s = begin_s + np.array([row[names.index("time_s")] for row in rows])
    # A machine that is busy from the first frame on delays all alike.
    late_s = np.median(times - frames_s)
    assert np.abs(times - frames_s - late_s).max() < 0.005
    words, at = all_of(markers, -(-n_frames // 10))
    assert words == [[f"face 1: {KEYS[n % len(KEYS)]}"] for n in range(-(-n_frames // 10))]
    assert np.abs(at[:, np.newaxis] - times).min(axis=1).max() < 0.005
    assert outlet.n_samples == len(rows) + len(words)
    described = numbers.info(timeout=60.0)
    outlet.close()
    outlet.close()
    outlet.push(frame(n_frames), time.monotonic())  # after the end nothing is sent
    assert outlet.n_samples == len(rows) + len(words)
    return described


def test_an_inlet_gets_every_frame_with_its_time():
    pytest.importorskip("pylsl", reason="needs the extra lab")
    described = check_stream(2.0, 25.0)
    channel = described.desc().child("channels").child("channel")
    labels = {}
    for _ in range(described.channel_count()):
        labels[channel.child_value("label")] = channel.child_value("unit")
        channel = channel.next_sibling()
    assert tuple(labels) == channel_names(KEYS)
    assert (labels["time_s"], labels["w"], labels["nose_x"]) == ("seconds", "pixels", "pixels")
    assert (labels["yaw_deg"], labels["frame"]) == ("degrees", "none")
    key = described.desc().child("expressions").child("expression").child_value("key")
    assert key == KEYS[0]


@pytest.mark.slow
def test_a_minute_without_a_loss():
    check_stream(60.0, 25.0)


def test_without_pylsl_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[lab\]'"):
        LslOutlet(KEYS, "a", "b")
