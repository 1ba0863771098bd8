"""The chain of a video: order, threads, and what is left when any part of it fails."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.errors import OutputError, VideoError
from mien.results import FrameResult
from mien.sources.source import Frame, SourceInfo
from mien.workflows.pipeline import QUEUED_FRAMES, run
from mien.workflows.threads import Ahead, Behind


class Source:
    """Frames whose number is in their pixels; may break off or wait for ever."""

    def __init__(self, n_frames: int, *, breaks: bool = False, waits: bool = False) -> None:
        self.info = SourceInfo("made.mp4", 8, 6)
        self.given = 0
        self.closed = threading.Event()
        self._n_frames, self._breaks, self._waits = n_frames, breaks, waits

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self._n_frames):
            self.given += 1
            yield Frame(np.full((6, 8, 3), number, np.uint8), number, number / 25)
        if self._breaks:
            raise VideoError("made.mp4 breaks off")
        if self._waits:
            assert self.closed.wait(10), "nobody closed the source"

    def close(self) -> None:
        self.closed.set()

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Recognizer:
    """Finds nothing; keeps what it was shown."""

    def __init__(self, *, fails_at: int | None = None, error: BaseException | None = None) -> None:
        self.seen: list[int] = []
        self._fails_at, self._error = fails_at, error

    def recognize(self, image_rgb, *, source="", frame=0, time_s=0.0) -> FrameResult:
        if frame == self._fails_at and self._error is not None:
            raise self._error
        assert image_rgb[0, 0, 0] == frame
        self.seen.append(frame)
        return FrameResult(8, 6, "none", (), source, frame, time_s)


class Output:
    """Keeps what it was given; may fail."""

    path = Path("out.csv")

    def __init__(self, *, fails_at: int | None = None, holds: threading.Event | None = None):
        self.frames: list[int] = []
        self.n_closed = 0
        self._fails_at, self._holds = fails_at, holds

    def write(self, frame: Frame, result: FrameResult) -> None:
        if self._holds is not None:
            assert self._holds.wait(10)
        if frame.number == self._fails_at:
            raise OutputError("cannot write out.csv: disk full")
        assert result.frame == frame.number and not self.n_closed
        self.frames.append(frame.number)

    def close(self) -> None:
        self.n_closed += 1


def test_every_frame_goes_through_in_order_and_everything_is_closed():
    source, outputs, results = Source(50), [Output(), Output()], []
    assert run(source, Recognizer(), outputs, on_result=results.append) == 50
    assert [result.frame for result in results] == list(range(50))
    assert results[3].source == "made.mp4" and results[3].time_s == 3 / 25
    for output in outputs:
        assert output.frames == list(range(50)) and output.n_closed == 1
    assert source.closed.is_set()


def test_a_source_that_breaks_off_leaves_all_frames_before_that_in_the_outputs():
    output = Output()
    with pytest.raises(VideoError, match="breaks off"):
        run(Source(30, breaks=True), Recognizer(), [output])
    assert output.frames == list(range(30)) and output.n_closed == 1


def test_an_output_that_fails_stops_the_work_and_the_others_are_closed():
    source, good, bad = Source(1000), Output(), Output(fails_at=20)
    with pytest.raises(OutputError, match="disk full"):
        run(source, Recognizer(), [good, bad])
    assert good.frames == list(range(21)) and good.n_closed == bad.n_closed == 1
    assert source.given < 60


def test_an_output_that_fails_at_the_last_frame_is_told():
    with pytest.raises(OutputError, match="disk full"):
        run(Source(5), Recognizer(), [Output(fails_at=4)])


def test_ctrl_c_completes_the_outputs_and_lets_go_of_a_waiting_source():
    source, output = Source(10, waits=True), Output()
    recognizer = Recognizer(fails_at=9, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(source, recognizer, [output])
    assert output.frames == list(range(9)) and output.n_closed == 1
    assert source.closed.is_set()


def test_a_slow_output_holds_the_reading_back():
    holds, source = threading.Event(), Source(200)
    output, recognizer = Output(holds=holds), Recognizer()
    worker = threading.Thread(target=run, args=(source, recognizer, [output]))
    worker.start()
    # All places are taken: one frame in each pair of hands, and the two queues between them.
    full = 2 * QUEUED_FRAMES + 3
    waited = threading.Event()
    for _ in range(100):
        if source.given >= full or waited.wait(0.02):
            break
    assert source.given <= full
    holds.set()
    worker.join(20)
    assert output.frames == list(range(200))


def test_without_frames_outputs_are_closed_all_the_same():
    output = Output()
    assert run(Source(0), Recognizer(), [output]) == 0
    assert output.n_closed == 1


def test_no_thread_is_left():
    with pytest.raises(OutputError):
        run(Source(100), Recognizer(), [Output(fails_at=3)])
    assert not [t for t in threading.enumerate() if t.name.startswith("mien-")]


def test_ahead_gives_all_items_before_the_error():
    def items() -> Iterator[int]:
        yield from range(1, 4)
        raise ValueError("broken")

    taken = []
    with pytest.raises(ValueError, match="broken"), Ahead(items(), 2) as ahead:
        for item in ahead:
            taken.append(item)
    assert taken == [1, 2, 3]


def test_behind_raises_where_the_next_item_is_given():
    def work(item: int) -> None:
        raise ValueError(f"item {item}")

    def give() -> None:
        with Behind(work, 2) as behind:
            for item in range(1, 100):
                behind.put(item)

    with pytest.raises(ValueError, match="item 1"):
        give()
