"""What every frame source shares: gone through once, closed by any thread, at any time.

A source gives `_frames`, a generator, and `_release`, which lets go of what it holds. `_release`
never runs while a frame is being read: FFmpeg and OpenCV crash when a file is closed under them.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from mien.errors import SourceError
from mien.sources.source import Frame, SourceInfo


class OneWaySource(ABC):
    """A frame source in terms of a generator of frames; a `FrameSource`.

    `close` returns at once. Where another thread is waiting for a frame, that thread lets go of
    the file or connection as soon as its wait is over.
    """

    def __init__(self, info: SourceInfo) -> None:
        self._info = info
        self._reading = threading.Lock()
        self._closed = threading.Event()
        self._is_released = False
        self._is_taken = False

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; nothing once the source is closed.

        Raises:
            VideoError: the source breaks off or went away. All frames before that were yielded.
            RuntimeError: the source was gone through before.
        """
        if self._is_taken and not self._closed.is_set():
            raise RuntimeError("a source can be gone through once; open it again")
        self._is_taken = True
        return self._read()

    def close(self) -> None:
        """Let go of the file, connection or device; may be called twice, and ends iteration."""
        self._closed.set()
        if self._reading.acquire(blocking=False):
            try:
                self._release_once()
            finally:
                self._reading.release()

    def __enter__(self) -> Self:
        """The source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the source."""
        self.close()

    @abstractmethod
    def _frames(self) -> Generator[Frame]:
        """The frames; may look at `_closed` while it waits."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of everything; called once, never while `_frames` runs."""

    def _read(self) -> Iterator[Frame]:
        frames = self._frames()
        while (frame := self._next(frames)) is not None:
            yield frame

    def _next(self, frames: Generator[Frame]) -> Frame | None:
        with self._reading:
            try:
                frame = None if self._closed.is_set() else next(frames, None)
            except SourceError:
                # What fails because it was closed is no failure.
                if not self._closed.is_set():
                    raise
            if self._closed.is_set():
                frames.close()
                self._release_once()
                return None
        # `close` may have come after the look at it and before the lock was free again.
        if self._closed.is_set():
            self.close()
            return None
        return frame

    def _release_once(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._release()
