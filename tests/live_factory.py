"""A camera, a recogniser and a window in the hands of a test: nothing happens by itself."""

import queue
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from mien.labels import FER2013
from mien.live.status import Status
from mien.live.window import Event
from mien.results import Expression, Face, FrameResult
from mien.sources.source import Frame, SourceInfo

WIDTH, HEIGHT = 64, 48
LEFT_BOX = (4.0, 8.0, 16.0, 20.0)
"""Where every frame's one face is."""

Polled = Iterator[tuple[Event, ...]]


class HandFed:
    """A live source that gives the frames that a test hands it, as numbers in their red."""

    def __init__(self, frame_rate_hz: float | None = 25.0) -> None:
        self.info = SourceInfo("camera 0", WIDTH, HEIGHT, frame_rate_hz, is_live=True)
        self.closed = threading.Event()
        self._handed: queue.SimpleQueue[Frame | Exception | None] = queue.SimpleQueue()

    def give(self, *numbers: int) -> None:
        for number in numbers:
            image = np.full((HEIGHT, WIDTH, 3), (number, 40, 200), np.uint8)
            image[:, : WIDTH // 2] = (number, 200, 40)
            self._handed.put(Frame(image, number, number / 25))

    def fail(self, error: Exception) -> None:
        self._handed.put(error)

    def end(self) -> None:
        self._handed.put(None)

    def __iter__(self) -> Iterator[Frame]:
        while (handed := self._handed.get()) is not None and not self.closed.is_set():
            if isinstance(handed, Exception):
                raise handed
            yield handed

    def close(self) -> None:
        self.closed.set()
        self._handed.put(None)

    def __enter__(self) -> "HandFed":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OneFace:
    """A recogniser that finds the same face in every frame; keeps the numbers of the frames."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def recognize(self, image_rgb, *, source="", frame=0, time_s=0.0) -> FrameResult:
        self.seen.append(frame)
        expression = Expression(FER2013, (1.0, *[0.0] * (len(FER2013) - 1)))
        face = Face(LEFT_BOX, 1.0, ((6.0, 12.0), (14.0, 12.0)), expression, track=1)
        height, width = image_rgb.shape[:2]
        return FrameResult(width, height, "fixed", (face,), source, frame, time_s)


class NoFace(OneFace):
    """A recogniser that finds nothing, so that pictures stay as they are."""

    def recognize(self, image_rgb, *, source="", frame=0, time_s=0.0) -> FrameResult:
        self.seen.append(frame)
        height, width = image_rgb.shape[:2]
        return FrameResult(width, height, "none", (), source, frame, time_s)


class ScriptedWindow:
    """A window whose keys are pressed by a generator, which goes on at every look at the keys.

    Args:
        script: takes the window; yields what was asked for since the last look.
    """

    def __init__(self, script: "Callable[[ScriptedWindow], Polled]") -> None:
        self.pictures: list[np.ndarray] = []
        self.statuses: list[Status] = [Status()]
        self._script = script(self)

    def show(self, image_rgb: np.ndarray, status: Status) -> None:
        self.pictures.append(image_rgb)
        self.statuses.append(status)

    def tell(self, status: Status) -> None:
        self.statuses.append(status)

    def poll(self) -> tuple[Event, ...]:
        return next(self._script, (Event.QUIT,))

    @property
    def status(self) -> Status:
        return self.statuses[-1]

    def shows(self, number: int) -> bool:
        """Whether the picture is that of a frame, which may be mirrored."""
        return bool(self.pictures) and self.pictures[-1][-1, -1, 0] == number


def until(is_so: Callable[[], object]) -> Polled:
    """Press nothing until something is so; looks are 20 ms apart where no frame comes."""
    for _ in range(500):
        if is_so():
            return
        yield ()
    raise AssertionError("it never came to be")


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for another thread."""
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.005)
    raise AssertionError("it never came to be")
