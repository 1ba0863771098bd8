"""The loop of live use: what is shown, recorded, saved and written, whatever happens."""

import threading

import av
import numpy as np
import PIL.Image
import pytest

from live_factory import (
    HEIGHT,
    LEFT_BOX,
    WIDTH,
    HandFed,
    NoFace,
    OneFace,
    ScriptedWindow,
    until,
    wait_until,
)
from mien.errors import OutputError, VideoError
from mien.live import recording as recording_module
from mien.live.loop import Live
from mien.live.meter import Meter
from mien.live.mirroring import mirrored
from mien.live.recording import Recording, free_path
from mien.live.window import Event
from mien.results import FrameResult


class Rows:
    """An output that keeps frames, results and whether it was closed."""

    def __init__(self, *, fails=False):
        self.rows: list[tuple[int, FrameResult]] = []
        self.images: list[np.ndarray] = []
        self.n_closed = 0
        self._fails = fails

    def write(self, frame, result):
        if self._fails:
            raise OutputError("cannot write t.csv: disk full")
        self.rows.append((frame.number, result))
        self.images.append(frame.image_rgb)

    def close(self):
        self.n_closed += 1


class Run:
    """A run with a hand-fed camera, whose script has the source and the window."""

    def __init__(self, script, tmp_path, *, recognizer=None, outputs=(), **options):
        self.source = HandFed()
        self.window = ScriptedWindow(lambda window: script(self.source, window))
        self.recognizer = recognizer or NoFace()
        self.notices = []
        options.setdefault("folder", tmp_path)
        self.live = Live(
            self.source,
            self.recognizer,
            self.window,
            outputs,
            on_notice=self.notices.append,
            **options,
        )

    def go(self):
        self.live.run()
        assert self.source.closed.is_set()
        return self


def n_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def times_s(path):
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def alive():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("mien")}


def test_frames_are_shown_until_a_person_quits(tmp_path):
    def script(source, window):
        for number in range(3):
            source.give(number)
            yield from until(lambda number=number: window.shows(number))
        yield (Event.QUIT,)

    run = Run(script, tmp_path).go()
    assert run.recognizer.seen == [0, 1, 2]
    assert len(run.window.pictures) == 3
    assert run.live.pace.n_shown == 3
    assert run.live.pace.latency_p95_s >= run.live.pace.latency_s >= 0
    assert run.notices == []
    assert list(tmp_path.iterdir()) == []
    assert alive() == set()


def test_the_end_of_the_source_ends_the_run(tmp_path):
    def script(source, window):
        source.give(5)
        source.end()
        while True:
            yield ()

    run = Run(script, tmp_path).go()
    assert run.window.shows(5)


def test_a_slow_recogniser_misses_frames_and_is_told(tmp_path):
    def script(source, window):
        source.give(0)
        yield from until(lambda: window.shows(3))
        yield from until(lambda: window.status.n_dropped == 2)

    class Slow(NoFace):
        def recognize(self, image_rgb, **rest):
            result = super().recognize(image_rgb, **rest)
            if rest["frame"] == 0:
                run.source.give(1, 2, 3)
                wait_until(lambda: run.live.n_dropped == 2)
            return result

    run = Run(script, tmp_path, recognizer=Slow())
    run.go()
    assert run.recognizer.seen == [0, 3]


def test_snapshots_keep_the_picture_and_overwrite_nothing(tmp_path):
    def script(source, window):
        source.give(9)
        yield from until(lambda: window.shows(9))
        yield (Event.SNAPSHOT, Event.SNAPSHOT)
        yield from until(lambda: window.status.message.startswith("saved mien-"))

    run = Run(script, tmp_path / "new", recognizer=OneFace()).go()
    first, second = sorted((tmp_path / "new").iterdir())
    assert first.suffix == second.suffix == ".png"
    assert sorted(run.notices) == [f"saved {first}", f"saved {second}"]
    with PIL.Image.open(first) as picture:
        assert np.array_equal(np.asarray(picture), run.window.pictures[-1])


def test_a_snapshot_before_the_first_frame_is_nothing(tmp_path):
    def script(source, window):
        yield (Event.SNAPSHOT,)

    assert Run(script, tmp_path).go().notices == []


def test_a_snapshot_that_cannot_be_written_is_told_and_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")

    def script(source, window):
        source.give(0)
        yield from until(lambda: window.shows(0))
        yield (Event.SNAPSHOT,)
        yield from until(lambda: run.notices)
        source.give(1)
        yield from until(lambda: window.shows(1))

    run = Run(script, tmp_path, folder=tmp_path / "file")
    run.go()
    assert "cannot write" in run.notices[0]
    assert run.live.n_failed == 1


def test_a_recording_holds_what_was_shown_at_its_times(tmp_path):
    path = tmp_path / "r.mp4"

    def script(source, window):
        for number in (10, 20, 40):
            source.give(number)
            yield from until(lambda number=number: window.shows(number))
        assert window.status.recording_s is not None

    run = Run(script, tmp_path, record=path).go()
    assert times_s(path) == pytest.approx([0.0, 0.4, 1.2], abs=1e-3)
    for shown, kept in zip(run.window.pictures, pictures(path), strict=True):
        assert np.abs(shown.astype(int) - kept).mean() < 12
    assert run.notices == [f"recording {path}", f"recorded {path}: 0:01, 3 frames"]


def test_the_key_stops_and_starts_recordings_and_overwrites_nothing(tmp_path):
    path = tmp_path / "r.mp4"
    path.write_bytes(b"older")

    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        yield (Event.RECORD,)
        source.give(2)
        yield from until(lambda: window.shows(2))
        assert window.status.recording_s is None
        yield (Event.RECORD,)
        source.give(3)
        yield from until(lambda: window.shows(3))
        source.give(4)
        yield from until(lambda: window.shows(4))

    Run(script, tmp_path, record=path).go()
    assert path.read_bytes() == b"older"
    assert n_frames(tmp_path / "r-2.mp4") == 1
    assert n_frames(tmp_path / "r-3.mp4") == 2


def test_recordings_without_a_name_are_named_for_the_time(tmp_path):
    def script(source, window):
        yield (Event.RECORD,)
        source.give(1)
        yield from until(lambda: window.shows(1))
        yield (Event.RECORD,)

    run = Run(script, tmp_path).go()
    (path,) = tmp_path.glob("mien-*.mp4")
    assert n_frames(path) == 1
    assert run.notices[-1].startswith(f"recorded {path}: 0:00, 1 frames")


def test_a_recording_without_frames_leaves_nothing(tmp_path):
    def script(source, window):
        yield (Event.RECORD,)
        yield (Event.RECORD,)

    assert Run(script, tmp_path).go().notices == []
    assert list(tmp_path.iterdir()) == []


def test_freezing_holds_the_picture_while_the_camera_is_drained(tmp_path):
    rows = Rows()

    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        yield (Event.FREEZE,)
        for number in (2, 3):
            source.give(number)
            yield from until(lambda number=number: number in run.recognizer.seen)
        assert window.shows(1) and window.status.is_frozen
        yield (Event.FREEZE,)
        source.give(4)
        yield from until(lambda: window.shows(4))
        assert not window.status.is_frozen

    run = Run(script, tmp_path, outputs=[rows], record=tmp_path / "r.mp4")
    run.go()
    assert len(run.window.pictures) == 2
    assert [number for number, _ in rows.rows] == [1, 2, 3, 4]
    first, held, _, last = pictures(tmp_path / "r.mp4")
    assert abs(int(first.mean()) - int(held.mean())) <= abs(int(last.mean()) - int(first.mean()))
    assert times_s(tmp_path / "r.mp4") == pytest.approx([0, 0.04, 0.08, 0.12], abs=1e-3)


def test_mirroring_changes_what_is_shown_but_not_the_tables(tmp_path):
    rows = Rows()

    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        yield (Event.MIRROR,)
        source.give(2)
        yield from until(lambda: window.shows(2))

    run = Run(script, tmp_path, outputs=[rows], is_mirrored=True).go()
    first, second = run.window.pictures
    assert first[0, -1, 1] == second[0, 0, 1] == 200
    assert first[0, 0, 1] == second[0, -1, 1] == 40
    assert [image[0, 0, 1] for image in rows.images] == [200, 200]


def test_a_frozen_picture_is_mirrored_at_once(tmp_path):
    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        yield (Event.FREEZE, Event.MIRROR)

    first, second = Run(script, tmp_path).go().window.pictures
    assert np.array_equal(first, second[:, ::-1])


def test_mirrored_faces_are_where_the_picture_shows_them():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y, width, height = (int(value) for value in LEFT_BOX)
    image[y : y + height, x : x + width] = 255
    result = OneFace().recognize(image)
    flipped, there = mirrored(image, result)
    (face,) = there.faces
    left, top, wide, high = (int(value) for value in face.box_xywh_px)
    assert flipped[top : top + high, left : left + wide].min() == 255
    assert int(flipped.astype(bool).sum()) == wide * high * 3
    right_eye, left_eye = face.landmarks_px
    assert left_eye == (WIDTH - 1 - 6.0, 12.0) and right_eye[0] < left_eye[0]
    assert mirrored(flipped, there)[1] == result


def test_a_camera_that_goes_away_completes_everything(tmp_path):
    rows = Rows()

    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        source.fail(VideoError("camera 0 went away"))
        while True:
            yield ()

    run = Run(script, tmp_path, outputs=[rows], record=tmp_path / "r.mp4")
    with pytest.raises(VideoError, match="camera 0 went away"):
        run.live.run()
    assert n_frames(tmp_path / "r.mp4") == 1
    assert "recorded" in run.notices[-1]
    assert len(rows.rows) == 1 and rows.n_closed == 1
    assert alive() == set()


def test_ctrl_c_completes_everything(tmp_path):
    rows = Rows()

    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        raise KeyboardInterrupt

    run = Run(script, tmp_path, outputs=[rows], record=tmp_path / "r.mp4")
    with pytest.raises(KeyboardInterrupt):
        run.live.run()
    assert n_frames(tmp_path / "r.mp4") == 1
    assert len(rows.rows) == 1 and rows.n_closed == 1
    assert run.source.closed.is_set()
    assert alive() == set()


def test_a_table_that_cannot_be_written_ends_the_run(tmp_path):
    rows = Rows(fails=True)

    def script(source, window):
        for number in range(100):
            source.give(number)
            yield ()

    run = Run(script, tmp_path, outputs=[rows], record=tmp_path / "r.mp4")
    with pytest.raises(OutputError, match="disk full"):
        run.live.run()
    assert rows.n_closed == 1
    assert n_frames(tmp_path / "r.mp4") >= 1
    assert alive() == set()


def test_a_recording_that_cannot_be_made_is_told_and_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")

    def script(source, window):
        source.give(1)
        yield from until(lambda: window.shows(1))
        source.give(2)
        yield from until(lambda: window.shows(2))
        assert window.status.recording_s is None

    run = Run(script, tmp_path, record=tmp_path / "file" / "r.mp4").go()
    assert len(run.notices) == 1 and "cannot write" in run.notices[0]
    assert run.live.n_failed == 1


def test_a_recording_that_breaks_off_is_told_once_and_the_run_goes_on(tmp_path, monkeypatch):
    class Breaking(recording_module.VideoWriter):
        def write(self, image_rgb, time_s):
            if time_s > 0:
                raise OutputError("cannot write r.mp4: disk full")
            super().write(image_rgb, time_s)

    monkeypatch.setattr(recording_module, "VideoWriter", Breaking)

    def script(source, window):
        for number in (1, 2):
            source.give(number)
            yield from until(lambda number=number: window.shows(number))
        yield from until(lambda: "disk full" in window.status.message)
        assert window.status.recording_s is None
        source.give(200)
        yield from until(lambda: window.shows(200))

    run = Run(script, tmp_path, record=tmp_path / "r.mp4")
    run.go()
    assert run.notices[1:] == ["cannot write r.mp4: disk full"]
    assert run.live.n_failed == 1
    assert n_frames(tmp_path / "r.mp4") == 1


def test_an_encoder_that_is_behind_drops_and_tells(tmp_path, monkeypatch):
    go_on = threading.Event()

    class Held(recording_module.VideoWriter):
        def write(self, image_rgb, time_s):
            assert go_on.wait(10)
            super().write(image_rgb, time_s)

    monkeypatch.setattr(recording_module, "VideoWriter", Held)
    recording = Recording(tmp_path / "r.mp4", width_px=WIDTH, height_px=HEIGHT)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    n_given = recording_module.QUEUED_FRAMES + 8
    for number in range(n_given):
        recording.write(image, 3 + number / 25)
    assert recording.n_dropped >= 7
    assert recording.n_frames + recording.n_dropped == n_given
    assert recording.length_s == pytest.approx((n_given - 1) / 25)
    go_on.set()
    recording.close()
    assert n_frames(tmp_path / "r.mp4") == recording.n_frames


def test_a_silent_camera_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("mien.live.loop._SILENCE_S", 0.0)

    def script(source, window):
        yield from until(lambda: "no frames for" in window.status.message)

    Run(script, tmp_path).go()


def test_lines_from_other_threads_are_told(tmp_path):
    def script(source, window):
        run.live.tell("camera 0 came back")
        yield from until(lambda: window.status.message == "camera 0 came back")

    run = Run(script, tmp_path)
    run.go()
    assert run.notices == ["camera 0 came back"]
    assert run.live.n_failed == 0


def test_free_paths(tmp_path):
    path = tmp_path / "a.b.mp4"
    assert free_path(path) == path
    path.write_bytes(b"")
    (tmp_path / "a.b-2.mp4").symlink_to("nowhere")
    assert free_path(path) == tmp_path / "a.b-3.mp4"


def test_the_meter():
    meter = Meter()
    assert meter.frame_rate_hz is None and meter.latency_s is None
    assert np.isnan(meter.pace().latency_s)
    for number in range(101):
        captured_s = number / 20
        meter.add(captured_s, captured_s + (0.5 if number == 100 else 0.01))
    assert meter.pace().n_shown == 101
    assert meter.pace().frame_rate_hz == pytest.approx(20, rel=1e-3)
    assert meter.pace().latency_s == pytest.approx(0.01, rel=1e-3)
    assert 0.01 < meter.latency_s < 0.05
    meter.pause()
    meter.add(100.0, 100.01)
    assert meter.pace().frame_rate_hz == pytest.approx(20, rel=1e-3)
    assert meter.frame_rate_hz is None
