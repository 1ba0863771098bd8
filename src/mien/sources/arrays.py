"""Frames in memory: for tests, and for pictures that another program made."""

import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from mien.errors import SourceError
from mien.samples import Image
from mien.sources.base import OneWaySource
from mien.sources.source import Frame, SourceInfo


class ArrayFrames(OneWaySource):
    """Pictures of one size as frames; a `FrameSource`.

    Args:
        images: uint8 (H, W, 3) RGB; an array (n, H, W, 3), a sequence, or any iterable, of which
            one picture is taken ahead. Each is copied.
        frame_rate_hz: frames per second.
        times_s: time of each frame in seconds, strictly increasing from 0 or later; regular ones
            where None.
        name: what results and error messages call it.

    Raises:
        SourceError: there is no picture.
        ValueError: the first picture is no RGB, the rate is not positive, or there are other than
            one strictly increasing time per picture (for pictures of unknown number: while they
            are gone through).
    """

    def __init__(
        self,
        images: Iterable[Image],
        *,
        frame_rate_hz: float = 25,
        times_s: Sequence[float] | None = None,
        name: str = "frames",
    ) -> None:
        check_rate(frame_rate_hz)
        n_frames = len(images) if isinstance(images, Sequence | np.ndarray) else None
        if times_s is not None:
            _check_times(times_s, n_frames)
        remaining = iter(images)
        first = next(remaining, None)
        if first is None:
            raise SourceError(f"{name} holds no pictures; give at least one")
        _check_image(first, first.shape, 0)
        self._images: Iterator[Image] = chain([first], remaining)
        self._frame_rate_hz = frame_rate_hz
        self._times_s = times_s
        height, width = first.shape[:2]
        super().__init__(
            SourceInfo(
                name,
                width,
                height,
                frame_rate_hz=float(frame_rate_hz),
                duration_s=None if n_frames is None else self._end_s(n_frames),
                n_frames=n_frames,
            )
        )

    def _end_s(self, n_frames: int) -> float:
        if self._times_s is None:
            return n_frames / self._frame_rate_hz
        return float(self._times_s[n_frames - 1]) + 1 / self._frame_rate_hz

    def _frames(self) -> Generator[Frame]:
        shape = (self.info.height_px, self.info.width_px, 3)
        for number, image in enumerate(self._images):
            _check_image(image, shape, number)
            if self._times_s is None:
                time_s = number / self._frame_rate_hz
            elif number < len(self._times_s):
                time_s = float(self._times_s[number])
            else:
                raise ValueError(f"expected {len(self._times_s)} pictures, as many as times")
            yield Frame(np.array(image, order="C"), number, time_s)

    def _release(self) -> None:
        self._images = iter(())


def check_rate(frame_rate_hz: float) -> None:
    """Refuse what is no frame rate.

    Raises:
        ValueError: it is not positive and finite.
    """
    if not (math.isfinite(frame_rate_hz) and frame_rate_hz > 0):
        raise ValueError(f"expected a frame rate above 0, got {frame_rate_hz}")


def _check_times(times_s: Sequence[float], n_frames: int | None) -> None:
    if n_frames is not None and len(times_s) != n_frames:
        raise ValueError(f"expected {n_frames} times, one per picture, got {len(times_s)}")
    times = np.asarray(times_s, dtype=np.float64)
    if times.size and not (
        np.isfinite(times).all() and times[0] >= 0 and (np.diff(times) > 0).all()
    ):
        raise ValueError("expected times that strictly increase from 0 or later")


def _check_image(image: Image, shape: tuple[int, ...], number: int) -> None:
    is_rgb = len(shape) == 3 and shape[2] == 3 and min(shape) > 0
    if not is_rgb or image.shape != shape or image.dtype != np.uint8:
        wanted = shape if is_rgb else "(H, W, 3)"
        raise ValueError(
            f"picture {number}: expected uint8 {wanted} RGB, got {image.dtype} {image.shape}"
        )
