"""The newest frame wins: what a live source gave is taken as it is now, never as it was.

A thread takes every frame from the source and keeps only the last one. A consumer that is slower
than the source misses frames, and its latency stays that of one frame; a queue in between would
grow until it is full and then make everything late.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from mien.sources.source import Frame, FrameSource, SourceInfo


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A frame and when it came."""

    frame: Frame
    """The frame."""
    captured_s: float
    """When the source gave it, on the clock of `time.monotonic`."""


class Newest:
    """Takes frames from a source as they come and gives the newest one that was not given yet.

    Args:
        source: where the frames come from; closed with this. Used by a thread of its own.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._arrival: Arrival | None = None
        self._error: BaseException | None = None
        self._is_over = False
        self._n_dropped = 0
        self._thread = threading.Thread(target=self._read, name="mien-newest", daemon=True)

    @property
    def n_dropped(self) -> int:
        """Frames so far that a newer one took the place of."""
        return self._n_dropped

    @property
    def is_over(self) -> bool:
        """Whether the source ended and its last frame was taken."""
        with self._changed:
            return self._is_over and self._arrival is None

    def take(self, timeout_s: float) -> Arrival | None:
        """The newest frame, waiting for one if it was taken already.

        Args:
            timeout_s: how long to wait at most, in seconds.

        Returns:
            The frame; None where there was none in time, or where the source is over.

        Raises:
            VideoError: the source broke off or went away; raised once, after its last frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._arrival or self._is_over, timeout_s)
            arrival, self._arrival = self._arrival, None
            if arrival is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return arrival

    def close(self) -> None:
        """Close the source and wait for the thread; may be called twice."""
        with self._changed:
            self._is_over, self._arrival = True, None
        self._source.close()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        """Begin to take frames."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the source and wait for the thread."""
        self.close()

    def _read(self) -> None:
        try:
            for frame in self._source:
                captured_s = time.monotonic()
                with self._changed:
                    if self._is_over:
                        return
                    self._n_dropped += self._arrival is not None
                    self._arrival = Arrival(frame, captured_s)
                    self._changed.notify_all()
        except BaseException as error:  # raised again where the frames are taken
            self._error = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()


class Paced:
    """A file that plays like a camera: every frame is given at its presentation time.

    Args:
        source: the file; closed with this.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._closed = threading.Event()

    @property
    def info(self) -> SourceInfo:
        """What is known of the file, which counts as live now."""
        return replace(self._source.info, is_live=True)

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame when it is due, the first one at once; late ones without waiting.

        Raises:
            VideoError: as the file's.
        """
        begin_s: float | None = None
        for frame in self._source:
            now_s = time.monotonic()
            if begin_s is None:
                begin_s = now_s - frame.time_s
            if self._closed.wait(max(0.0, begin_s + frame.time_s - now_s)):
                return
            yield frame

    def close(self) -> None:
        """Close the file and end the waiting; may be called twice."""
        self._closed.set()
        self._source.close()

    def __enter__(self) -> Self:
        """The source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


def paced(source: FrameSource) -> FrameSource:
    """A source whose frames come at their own pace: itself if it is live, else as `Paced`."""
    return source if source.info.is_live else Paced(source)
