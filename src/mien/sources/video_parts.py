"""A part of a video file, from one keyframe to another, as one pass over it would show it.

Where a part begins follows from the packets alone: at the first keyframe from a time on. It ends
before the first one from another time on, so the parts of a file are whole and do not overlap.
Decoding begins 2 seconds earlier; frames from there are given as pre-roll, for what needs to know
what came before. A file whose packets leave any doubt is not `VideoPart.is_regular`: then the whole
file has to be gone through in one pass.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from mien.errors import SourceError
from mien.samples import Image
from mien.sources.decoding import MAX_FRAME_PIXELS, Decoder
from mien.sources.files import open_file
from mien.sources.opened import first_frame, origin_of, stamp_of
from mien.sources.rgb import RgbConverter
from mien.sources.timestamps import Timeline

if TYPE_CHECKING:
    from av import Packet, VideoFrame

PREROLL_S = Fraction(2)
"""How much earlier decoding begins."""

_FORMATS = frozenset(("mov", "mp4", "matroska", "webm"))
"""Formats that can be entered at any keyframe, and say how long they are."""


def length_to_cut_s(path: Path, max_pixels: int = MAX_FRAME_PIXELS) -> float | None:
    """Length of a video file in seconds, by its header; None where it cannot be cut into parts.

    Raises:
        SourceError: it is no video, or its frames are too large.
    """
    with open_file(path, max_pixels) as container:
        decoder = Decoder(container, str(path), max_pixels=max_pixels)
        can_be_cut = _FORMATS & set(container.format.name.split(","))
        return decoder.duration_s if can_be_cut else None


@dataclass(frozen=True, slots=True, eq=False)
class PartFrame:
    """A frame of a part."""

    image_rgb: Image
    """uint8 (H, W, 3) RGB, upright."""
    time_s: float
    """As in `mien.sources.source.Frame`."""
    is_preroll: bool
    """Whether it belongs to the part before."""


class VideoPart:
    """The frames of a part of a video file; a context manager, gone through once.

    Args:
        path: the file.
        from_s: the part begins at the first keyframe at or after this; 0: at the first frame.
        to_s: it ends before the first keyframe at or after this; None: with the last frame.
        sample_rate_hz: give so many frames a second at most: the first one of each interval.
            Where keyframes lie no further apart than an interval, of them alone.
        max_pixels: width times height above which the file is refused by its header.

    Raises:
        SourceError: it cannot be read.
    """

    def __init__(
        self,
        path: Path,
        from_s: float = 0.0,
        to_s: float | None = None,
        *,
        sample_rate_hz: float | None = None,
        max_pixels: int = MAX_FRAME_PIXELS,
    ) -> None:
        name = str(path)
        self._from_s, self._to_s = Fraction(from_s), None if to_s is None else Fraction(to_s)
        self._sample_rate_hz = sample_rate_hz
        self._times_s: list[Fraction] = []
        self.is_regular = True
        """Whether the frames are those of one pass, as far as was gone."""
        self._container = open_file(path, max_pixels)
        try:
            self._decoder = Decoder(self._container, name, max_pixels=max_pixels)
            context = self._decoder.stream.codec_context
            context.thread_count = 1  # there is a worker for every processor
            self._keyframes_only = _keyframes_suffice(self._decoder, sample_rate_hz)
            if self._keyframes_only:
                context.skip_frame = "NONKEY"
            self._packets_s: list[Fraction] = []
            self._start_s: Fraction | None = None if self._from_s else Fraction(-(1 << 40))
            self._end_s: Fraction | None = None
            self._entered_s: Fraction | None = None
            self._origin_s = Fraction(0)
            self._early: list[Packet[Any]] = []
            self._has_origin = False
            frames = self._decoder.frames(self._note)
            first = first_frame(frames, name)
            origin_s = origin_of(self._decoder, first)
            self._converter = RgbConverter(self._decoder.pixel_shape)
            self.width_px, self.height_px = self._converter.shown_size(first)
            self._timeline = Timeline(self._decoder.interval_s, origin_s)
            self._enter(origin_s or Fraction(0), first, frames)
        except BaseException:
            self._container.close()
            raise

    def _enter(
        self, origin_s: Fraction, first: "VideoFrame", frames: Generator["VideoFrame"]
    ) -> None:
        """Go to where decoding begins."""
        from av.error import FFmpegError

        self._origin_s, self._has_origin = origin_s, True
        early, self._early = self._early, []
        if not self._from_s:
            for packet in early:
                self._note(packet)
            self._frames = chain([first], frames)
            return
        frames.close()
        stream = self._decoder.stream
        tick = stream.time_base or Fraction(1, 1_000_000)
        at = math.floor((self._from_s + origin_s - PREROLL_S) / tick)
        try:
            self._container.seek(max(at, stream.start_time or 0), stream=stream, backward=True)
        except (OSError, FFmpegError) as error:
            raise SourceError(f"{self._container.name} cannot be entered; {error}") from error
        self._entered_s = None
        self._frames = chain((), self._decoder.frames(self._note))

    def _note(self, packet: "Packet[Any]") -> None:
        """Learn from a packet where the part begins and ends."""
        if not self._has_origin:
            self._early.append(packet)
            return
        if packet.pts is None or packet.time_base is None:
            self.is_regular = False
            return
        time_s = packet.pts * packet.time_base - self._origin_s
        if self._entered_s is None:
            self._entered_s = time_s
        if packet.is_keyframe:
            if self._start_s is None and time_s >= self._from_s:
                self._start_s = time_s
            if self._end_s is None and self._to_s is not None and time_s >= self._to_s:
                self._end_s = time_s
        if self._keyframes_only:
            self._packets_s.append(time_s)

    def frames(self) -> Generator[PartFrame]:
        """Yield the frames that are wanted, pre-roll first.

        Raises:
            OSError, av.FFmpegError: the file cannot be read on.
        """
        before_s: Fraction | None = None
        is_over = False
        for frame in self._frames:
            stamp_s = stamp_of(frame)
            if stamp_s is None:
                self.is_regular = False
                continue
            time_s = stamp_s - self._origin_s
            if before_s is not None and time_s <= before_s:
                self.is_regular = False
                continue
            if self._end_s is not None and time_s >= self._end_s:
                is_over = True
                break
            is_preroll = self._start_s is None or time_s < self._start_s
            if not is_preroll:
                self._times_s.append(time_s)
            if self._is_wanted(before_s, time_s):
                image_rgb = self._converter.convert(frame)
                yield PartFrame(image_rgb, self._timeline.time_of(stamp_s), is_preroll)
            before_s = time_s
        if self._decoder.damaged or (not is_over and self._decoder.missing_s() is not None):
            self.is_regular = False
        # A second is enough, as indices count in the order of decoding.
        if self._from_s and (self._entered_s is None or self._entered_s > self._from_s - 1):
            self.is_regular = False

    @property
    def n_frames(self) -> int:
        """Frames of the part, wanted or not, once it was gone through."""
        return len(self._all_times_s())

    def numbers(self, times_s: list[float]) -> NDArray[np.int64]:
        """Numbers within the part, from 0, of frames with these times, once it was gone through."""
        all_s = np.array([float(time_s) for time_s in self._all_times_s()], np.float64)
        return np.searchsorted(all_s, np.array(times_s, np.float64) - 1e-9).astype(np.int64)

    def _all_times_s(self) -> list[Fraction]:
        if not self._keyframes_only:
            return self._times_s
        start_s, end_s = self._start_s, self._end_s
        return sorted(
            time_s
            for time_s in self._packets_s
            if start_s is not None and start_s <= time_s and (end_s is None or time_s < end_s)
        )

    def _is_wanted(self, before_s: Fraction | None, time_s: Fraction) -> bool:
        if self._sample_rate_hz is None:
            return True
        if before_s is None:  # what was before the first frame of a pre-roll is not known
            return not self._from_s
        return math.floor(time_s * Fraction(self._sample_rate_hz)) > math.floor(
            before_s * Fraction(self._sample_rate_hz)
        )

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._container.close()

    def __enter__(self) -> Self:
        """The part itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


def _keyframes_suffice(decoder: Decoder, sample_rate_hz: float | None) -> bool:
    """Whether no interval is without a keyframe, by the file's index."""
    if sample_rate_hz is None:
        return False
    stream = decoder.stream
    tick = stream.time_base or Fraction(1)
    stamps = [entry.timestamp for entry in stream.index_entries if entry.is_keyframe]
    if len(stamps) < 2:
        return False
    times_s = [stamp * tick for stamp in stamps]
    ends_s = [*times_s, times_s[0] + Fraction(decoder.duration_s or 0)]
    longest_s = max(after - before for before, after in pairwise(ends_s))
    return bool(longest_s * Fraction(sample_rate_hz) <= 1)
