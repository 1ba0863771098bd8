"""Recording what a live window shows, without holding it up: one thread encodes.

A frame that comes while the encoder is behind and the queue full is dropped and counted. The
picture on the screen matters more than one frame of the file, and the times of the others stay
right. Nothing is ever overwritten: what a camera saw cannot be had again.
"""

import queue
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mien.outputs.video_writer import VideoWriter
from mien.samples import Image

QUEUED_FRAMES = 16
"""Frames that wait for the encoder at most: 100 MB of 1920 x 1080."""


class Recording:
    """One MP4 that grows. Times begin at 0 with its first frame.

    Args:
        path: the file; must not be there.
        width_px: width of the frames; others are scaled to it.
        height_px: height of the frames.
        frame_rate_hz: as announced, None where unknown.

    Raises:
        OutputError: the file cannot be made.
    """

    def __init__(
        self, path: Path, *, width_px: int, height_px: int, frame_rate_hz: float | None = None
    ) -> None:
        self.path = path
        """Where it lies."""
        self.n_frames = 0
        """Frames taken so far."""
        self.n_dropped = 0
        """Frames dropped so far, because the encoder was behind."""
        self.length_s = 0.0
        """Time of the newest frame, taken or dropped."""
        self._begin_s: float | None = None
        self._error: Exception | None = None
        self._waiting: queue.Queue[tuple[Image, float] | None] = queue.Queue(QUEUED_FRAMES)
        self._writer = VideoWriter(
            path, width_px=width_px, height_px=height_px, frame_rate_hz=frame_rate_hz
        )
        self._thread = threading.Thread(target=self._encode, name="mien-recording", daemon=True)
        self._thread.start()

    @property
    def error(self) -> Exception | None:
        """What ended the recording by itself, such as a full disk; None while all is well."""
        return self._error

    def write(self, image_rgb: Image, time_s: float) -> None:
        """Give a frame, without waiting.

        Args:
            image_rgb: uint8 (H, W, 3) RGB; must not be changed afterwards.
            time_s: its time, after that of the frame before.
        """
        if self._begin_s is None:
            self._begin_s = time_s
        self.length_s = time_s - self._begin_s
        try:
            self._waiting.put_nowait((image_rgb, self.length_s))
        except queue.Full:
            self.n_dropped += 1
        else:
            self.n_frames += 1

    def close(self) -> None:
        """Encode what is waiting and complete the file.

        Raises:
            OutputError: it could not be written to its end; what was written stays readable.
        """
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _encode(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                self._attempt(self._writer.write, *item)
        self._attempt(self._writer.close)

    def _attempt(self, step: Callable[..., None], *arguments: object) -> None:
        try:
            step(*arguments)
        except Exception as error:  # raised again by `close`
            self._error = self._error or error


def free_path(path: Path) -> Path:
    """The path itself, or the first of ``name-2``, ``name-3`` ... that is not there yet."""
    number, free = 1, path
    while free.exists() or free.is_symlink():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def timestamped(folder: Path, suffix: str, now: datetime) -> Path:
    """A path named for a moment, that is not there yet.

    Args:
        folder: where it will lie.
        suffix: its ending, with the dot.
        now: the moment, to the second.
    """
    return free_path(folder / f"mien-{now:%Y%m%d-%H%M%S}{suffix}")
