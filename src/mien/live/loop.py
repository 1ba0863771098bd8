"""The loop of `mien live`: newest frame -> recognise -> draw -> window, and what keys ask for.

One thread does all of it, because SDL wants its window in the main one and a hand-over would only
add latency. Beside it run the reader of the source, the encoder of a recording, the writer of
the tables, and the writer of snapshots.

The window shows, and recordings and snapshots keep, the same picture: annotated, mirrored when
the window is, still while it is frozen. Tables hold what the camera saw: every frame that was
recognised, never mirrored, frozen or not.
"""

import queue
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mien.clock import clock
from mien.drawing import Annotator
from mien.errors import MienError
from mien.interrupts import deferred
from mien.live.meter import Meter, Pace
from mien.live.mirroring import mirrored
from mien.live.newest import Arrival, Newest
from mien.live.recording import Recording, free_path, timestamped
from mien.live.status import Status
from mien.live.window import Event
from mien.outputs.output import Output
from mien.outputs.pictures import write_picture
from mien.results import FrameResult
from mien.samples import Image
from mien.sources.source import Frame, FrameSource
from mien.workflows.pipeline import QUEUED_FRAMES, FrameRecognizer
from mien.workflows.threads import Behind

_WAIT_S = 0.02
"""How long to wait for a frame before the keys are looked at again."""
_REFRESH_S = 0.25
"""How often the figures change, so that they can be read."""
_MESSAGE_S = 4.0
_SILENCE_S = 2.0
"""A source that gives no frame for so long is reported."""


class LiveWindow(Protocol):
    """What shows the pictures; see `mien.live.window.Window`."""

    def show(self, image_rgb: Image, status: Status) -> None:
        """Show a picture and a status."""
        ...

    def tell(self, status: Status) -> None:
        """Change the status."""
        ...

    def poll(self) -> Sequence[Event]:
        """What a person did since the last call."""
        ...


@dataclass(frozen=True, slots=True)
class _Notice:
    """Something for the person to know."""

    line: str
    short: str = ""
    """For the line of status, where folders have no room; the line itself where empty."""
    is_failure: bool = False


class Live:
    """One run of a live source through a window, until the person or the source ends it.

    Args:
        source: where the frames come from, at their own pace; closed at the end.
        recognizer: what recognises them; used by the calling thread only.
        window: what shows them; not closed.
        outputs: tables and the like; closed at the end.
        is_mirrored: whether left and right are swapped at first.
        record: a file that is recorded from the first frame on; None: nothing, until asked.
        folder: where snapshots go, and recordings if there is no ``record``.
        on_notice: called in the calling thread with a line for the person: what was saved, and
            what could not be.
        on_result: called in the calling thread with what was recognised in each frame, and when
            that came, on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        source: FrameSource,
        recognizer: FrameRecognizer,
        window: LiveWindow,
        outputs: Sequence[Output] = (),
        *,
        is_mirrored: bool = False,
        record: Path | None = None,
        folder: Path = Path(),
        on_notice: Callable[[str], None] = lambda line: None,
        on_result: Callable[[FrameResult, float], None] = lambda result, captured_s: None,
    ) -> None:
        self._source = source
        self._recognizer = recognizer
        self._window = window
        self._outputs = outputs
        self._is_mirrored = is_mirrored
        self._record = record
        self._folder = folder
        self._on_notice = on_notice
        self._on_result = on_result
        self._newest = Newest(source)
        self._meter = Meter()
        self._annotator = Annotator()
        self._seen: tuple[Image, FrameResult] | None = None
        self._shown: Image | None = None
        self._is_frozen = False
        self._wants_recording = record is not None
        self._recording: Recording | None = None
        self._is_quit = False
        self._n_failed = 0
        self._notices: queue.SimpleQueue[_Notice] = queue.SimpleQueue()
        self._message, self._message_until_s = "", 0.0
        self._figures: tuple[float | None, float | None, int] = None, None, 0
        self._figures_until_s = 0.0

    @property
    def pace(self) -> Pace:
        """What was measured so far."""
        return self._meter.pace()

    @property
    def n_dropped(self) -> int:
        """Frames of the source so far that were not shown, because a newer one was there."""
        return self._newest.n_dropped

    @property
    def n_failed(self) -> int:
        """Recordings and snapshots so far that could not be written; `on_notice` was told."""
        return self._n_failed

    def tell(self, line: str) -> None:
        """Say something on the line of status and to `on_notice`. May be called by any thread."""
        self._notices.put(_Notice(line))

    def run(self) -> None:
        """Show the source until it ends or the person quits. Can be called once.

        Whatever ends it, Ctrl-C included: the recording is completed and everything closed.

        Raises:
            VideoError: the source broke off or went away.
            OutputError: one of the outputs cannot be written.
        """
        with deferred() as interrupt, ExitStack() as stack:
            for output in self._outputs:
                stack.callback(output.close)
            behind = stack.enter_context(Behind(self._write_outputs, QUEUED_FRAMES))
            stack.callback(self._tell_notices)
            snapshots = stack.enter_context(Behind(self._save_snapshot, QUEUED_FRAMES))
            stack.callback(self._end_recording)
            newest = stack.enter_context(self._newest)
            last_s = time.monotonic()
            while not self._is_quit:
                interrupt()
                for event in self._window.poll():
                    self._obey(event, snapshots)
                arrival = newest.take(_WAIT_S)
                now_s = time.monotonic()
                if arrival is not None:
                    last_s = now_s
                    self._take(arrival, behind)
                elif newest.is_over:
                    break
                elif now_s - last_s > _SILENCE_S:
                    self._say(f"no frames for {now_s - last_s:.0f} s", now_s)
                if self._recording is not None and self._recording.error is not None:
                    self._end_recording()
                self._tell_notices()
                self._window.tell(self._status(time.monotonic()))

    def _take(self, arrival: Arrival, behind: Behind[tuple[Frame, FrameResult]]) -> None:
        frame = arrival.frame
        result = self._recognizer.recognize(
            frame.image_rgb,
            source=self._source.info.name,
            frame=frame.number,
            time_s=frame.time_s,
        )
        self._on_result(result, arrival.captured_s)
        if self._outputs:
            behind.put((frame, result))
        if not self._is_frozen or self._shown is None:
            self._show(frame.image_rgb, result)
            self._meter.add(arrival.captured_s, time.monotonic())
        if self._wants_recording and self._shown is not None:
            self._keep(self._shown, frame.time_s)

    def _show(self, image_rgb: Image, result: FrameResult) -> None:
        self._seen = image_rgb, result
        shown = mirrored(*self._seen) if self._is_mirrored else self._seen
        self._shown = self._annotator.annotate(*shown)
        self._window.show(self._shown, self._status(time.monotonic()))

    def _obey(self, event: Event, snapshots: Behind[tuple[Path, Image]]) -> None:
        if event is Event.QUIT:
            self._is_quit = True
        elif event is Event.RECORD:
            self._wants_recording = not self._wants_recording
            if not self._wants_recording:
                self._end_recording()
        elif event is Event.SNAPSHOT and self._shown is not None:
            path = timestamped(self._folder, ".png", datetime.now().astimezone())
            snapshots.put((path, self._shown))
        elif event is Event.MIRROR:
            self._is_mirrored = not self._is_mirrored
            self._annotator = Annotator()  # the places of tags are on the other side now
            if self._is_frozen and self._seen is not None:
                self._show(*self._seen)
        elif event is Event.FREEZE:
            self._is_frozen = not self._is_frozen
            self._meter.pause()

    def _keep(self, shown: Image, time_s: float) -> None:
        try:
            if self._recording is None:
                self._recording = self._new_recording(shown)
            self._recording.write(shown, time_s)
        except MienError as error:
            self._notices.put(_Notice(str(error), is_failure=True))
            self._wants_recording = False

    def _new_recording(self, shown: Image) -> Recording:
        if self._record is None:
            path = timestamped(self._folder, ".mp4", datetime.now().astimezone())
        else:
            path = free_path(self._record)
        recording = Recording(
            path,
            width_px=shown.shape[1],
            height_px=shown.shape[0],
            frame_rate_hz=self._source.info.frame_rate_hz,
        )
        self._notices.put(_Notice(f"recording {path}", f"recording {path.name}"))
        return recording

    def _end_recording(self) -> None:
        recording, self._recording = self._recording, None
        self._wants_recording = False
        if recording is None:
            return
        try:
            recording.close()
        except MienError as error:
            self._notices.put(_Notice(str(error), is_failure=True))
        else:
            dropped = f", {recording.n_dropped} dropped" if recording.n_dropped else ""
            figures = (
                f"{clock(recording.length_s, rounded=False)}, {recording.n_frames} frames{dropped}"
            )
            path = recording.path
            self._notices.put(
                _Notice(f"recorded {path}: {figures}", f"recorded {path.name}: {figures}")
            )

    def _save_snapshot(self, snapshot: tuple[Path, Image]) -> None:
        path, image_rgb = snapshot[0], snapshot[1]
        try:
            path = free_path(path)  # several in one second
            write_picture(path, image_rgb)
        except MienError as error:
            self._notices.put(_Notice(str(error), is_failure=True))
        else:
            self._notices.put(_Notice(f"saved {path}", f"saved {path.name}"))

    def _write_outputs(self, recognised: tuple[Frame, FrameResult]) -> None:
        for output in self._outputs:
            output.write(*recognised)

    def _tell_notices(self) -> None:
        while not self._notices.empty():
            notice = self._notices.get()
            self._n_failed += notice.is_failure
            self._say(notice.short or notice.line, time.monotonic())
            self._on_notice(notice.line)

    def _say(self, message: str, now_s: float) -> None:
        self._message, self._message_until_s = message, now_s + _MESSAGE_S

    def _status(self, now_s: float) -> Status:
        if now_s >= self._figures_until_s:
            self._figures_until_s = now_s + _REFRESH_S
            meter = self._meter
            self._figures = (meter.frame_rate_hz, meter.latency_s, self._newest.n_dropped)
        rate_hz, latency_s, n_dropped = self._figures
        recording = self._recording
        return Status(
            frame_rate_hz=rate_hz,
            latency_s=latency_s,
            n_dropped=n_dropped,
            recording_s=None if recording is None else float(int(recording.length_s)),
            is_frozen=self._is_frozen,
            message=self._message if now_s < self._message_until_s else "",
        )
