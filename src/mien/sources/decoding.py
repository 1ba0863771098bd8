"""FFmpeg's side of files and streams: an open container into decoded frames with time stamps.

What is opened was named by a person but made by anybody: its size is checked before a frame is
decoded, damaged packets are passed over and counted, and what a header announces is compared with
what was there. FFmpeg itself ends a file that was cut off as if it were whole.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import SourceError
from mien.sources.avi import count_pictures
from mien.sources.rgb import square_size
from mien.sources.source import SourceInfo

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_FRAME_PIXELS = 8192 * 8192
"""Largest frame decoded unless the caller allows more: 201 MB as RGB."""

_ANNOUNCING = frozenset(("mov", "mp4", "matroska", "webm", "avi", "asf", "flv"))
"""Formats whose header tells the length; those of others are estimated from what is there."""
_DEFAULT_RATE_HZ = Fraction(25)
_RATES_HZ = (Fraction(1, 1000), Fraction(1000))
"""Rates outside of these are a header's nonsense, e.g. 90,000 for a clock's tick."""
_TIME_BASE = Fraction(1, 1_000_000)
"""Tick of a container's own times. Source: AV_TIME_BASE."""


def decoder_options(max_pixels: int) -> dict[str, str]:
    """What keeps FFmpeg itself from decoding frames far above a limit.

    It counts what it stores, in whole blocks, which is more than what is shown.
    """
    return {"max_pixels": str(2 * max_pixels + 65_536)}


@dataclass(frozen=True, slots=True)
class _Length:
    """How long a video is, by its header."""

    end_s: Fraction
    """Time stamp at which it ends."""
    tolerance_s: Fraction
    """How much earlier it may end and still be whole."""
    of_video: bool
    """Whether the header tells it of the video; else it is that of the longest stream."""


class Decoder:
    """Decodes the video of an open container; owned and closed by who opened it.

    Args:
        container: as `av.open` gives it.
        name: what error messages call it.
        max_pixels: width times height above which it is refused by its header.
        is_live: decode without frames of delay, at the cost of speed.

    Raises:
        SourceError: there is no video in it, its codec is not known, or it is too large.
    """

    def __init__(
        self, container: "InputContainer", name: str, *, max_pixels: int, is_live: bool = False
    ) -> None:
        self._container = container
        self._stream = _choose(container, name)
        _check_size(self._stream, name, max_pixels)
        context = self._stream.codec_context
        # Threads per frame hold as many frames back as there are threads.
        self._stream.thread_type = "SLICE" if is_live else "AUTO"
        context.options = decoder_options(max_pixels)
        self._end_s: dict[bool, Fraction] = {}
        self._last_is_cut = False
        self.damaged = 0
        """Packets so far that were damaged, and passed over where nothing could be decoded."""

    @property
    def stream(self) -> "VideoStream":
        """The video."""
        return self._stream

    @property
    def duration_s(self) -> float | None:
        """Length, as announced."""
        duration_s = self._duration_s()
        return None if duration_s is None else float(duration_s)

    @property
    def pixel_shape(self) -> Fraction | None:
        """Width of a pixel divided by its height; None where the file does not tell."""
        return self._stream.sample_aspect_ratio or None

    @property
    def rate_hz(self) -> Fraction | None:
        """Frames per second on average, as announced or guessed."""
        for rate in (self._stream.average_rate, self._stream.guessed_rate):
            if rate is not None and _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
                return rate
        return None

    @property
    def interval_s(self) -> Fraction:
        """Time between two frames on average; a guess where nothing is known."""
        return 1 / (self.rate_hz or _DEFAULT_RATE_HZ)

    @property
    def origin_s(self) -> Fraction | None:
        """Time stamp of the timeline's beginning, as players have it; None where not known."""
        start = self._container.start_time
        return None if start is None else start * _TIME_BASE

    def info(
        self, name: str, size: tuple[int, int], *, origin_s: float, is_live: bool
    ) -> SourceInfo:
        """What is known of it, given the size of its first upright frame."""
        info = SourceInfo(
            name,
            *size,
            frame_rate_hz=float(self.rate_hz) if self.rate_hz else None,
            origin_s=origin_s,
            has_audio=bool(self._container.streams.audio),
            is_live=is_live,
        )
        duration_s = self._duration_s()
        if is_live or duration_s is None:
            return info
        estimate = round(duration_s / self.interval_s) if self.rate_hz else None
        return replace(
            info, duration_s=float(duration_s), n_frames=self._stream.frames or estimate or None
        )

    def frames(
        self, on_packet: "Callable[[Packet[Any]], None]" = lambda packet: None
    ) -> Generator["VideoFrame"]:
        """Decode to the end.

        Args:
            on_packet: told of each packet of the video, before it is decoded.

        Raises:
            OSError, av.FFmpegError: the file or connection cannot be read on; the frames before
                that were yielded.
        """
        from av.error import FFmpegError

        try:
            for packet in self._container.demux():
                self._note(packet)
                # A packet of no size repeats the picture before it.
                is_repeat = not packet.size and packet.dts is not None
                if packet.stream is self._stream and packet.size:
                    on_packet(packet)
                if packet.stream is self._stream and not is_repeat:
                    yield from self._decode(packet)
        except IndexError:
            # PyAV cannot flush streams that began after the header; FLV has such.
            yield from self._decode(None)
        except (OSError, FFmpegError):
            # Frames that the decoder still holds back; reading to the end flushes it.
            yield from self._decode(None)
            raise

    def missing_s(self) -> Fraction | None:
        """How much is missing at the end, once all frames were decoded.

        Returns:
            Seconds; 0 where it broke off in the middle of a frame and nobody knows how much is
            missing; None where nothing is missing as far as can be told.
        """
        length = self._length()
        if length is not None:
            ends = [end for is_video, end in self._end_s.items() if is_video or not length.of_video]
            tolerance_s = self.interval_s / 2 if self._last_is_cut else length.tolerance_s
            missing_s = length.end_s - max(ends, default=Fraction(0))
            if missing_s > tolerance_s:
                missing_s = min(missing_s, length.end_s - self._repeated_until_s())
            if missing_s > tolerance_s:
                return missing_s
        return Fraction(0) if self._last_is_cut else None

    @property
    def is_complete(self) -> bool:
        """Whether all that the header announced was there; False where it announced nothing."""
        return self._length() is not None and self.missing_s() is None

    def _length(self) -> _Length | None:
        """What the header says of its end; None where it says nothing that can be relied on."""
        if not _ANNOUNCING & set(self._container.format.name.split(",")):
            return None
        # Frames that last longer than others, or were left out at the end, are no break.
        tolerance_s = max(3 * self.interval_s, Fraction(1, 4))
        ends_s = self._container_s()
        tagged_s = self._tagged_s()
        if tagged_s is not None:
            # A tag may be older than the file that it was copied into.
            return _Length(min(tagged_s, ends_s or tagged_s), tolerance_s, of_video=True)
        stream_s = self._stream_s()
        if stream_s is not None:
            start_s = (self._stream.start_time or 0) * _tick(self._stream)
            return _Length(start_s + stream_s, tolerance_s, of_video=True)
        return None if ends_s is None else _Length(ends_s, max(tolerance_s, Fraction(1)), False)

    def _duration_s(self) -> Fraction | None:
        return self._stream_s() or self._tagged_s() or self._container_s()

    def _stream_s(self) -> Fraction | None:
        """Length of the video stream, where the header tells it."""
        if self._container.format.name == "avi" and self._stream.frames:
            # FFmpeg derives the length of a cut-off AVI from what is left of it.
            return self._stream.frames * self.interval_s
        return self._stream.duration * _tick(self._stream) if self._stream.duration else None

    def _repeated_until_s(self) -> Fraction:
        """Time at which an AVI file ends with the pictures that FFmpeg passes over; 0 elsewhere."""
        path = Path(self._container.name)
        if self._container.format.name != "avi" or not path.is_file():
            return Fraction(0)
        n_pictures = count_pictures(path, self._stream.index, self._stream.frames)
        return n_pictures * self.interval_s

    def _tagged_s(self) -> Fraction | None:
        """Time at which the video ends, where Matroska's tags tell it."""
        return _clock(self._stream.metadata.get("DURATION", ""))

    def _container_s(self) -> Fraction | None:
        duration = self._container.duration
        return duration * _TIME_BASE if duration else None

    def _note(self, packet: "Packet[Any]") -> None:
        """Remember how far the file went."""
        is_video = packet.stream is self._stream
        # Packets of no size repeat a picture, but for the one that ends all.
        is_repeat = is_video and packet.dts is not None
        if is_repeat or (packet.size and (is_video or packet.stream.type == "audio")):
            self._last_is_cut = packet.is_corrupt
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None:
                end_s = (stamp + (packet.duration or 0)) * packet.time_base
                if not packet.is_corrupt:
                    self._end_s[is_video] = max(end_s, self._end_s.get(is_video, end_s))

    def _decode(self, packet: "Packet[Any] | None") -> Generator["VideoFrame"]:
        from av.error import FFmpegError

        try:
            frames = self._stream.decode(packet)
        except FFmpegError:
            self.damaged += 1
            return
        self.damaged += any(frame.is_corrupt for frame in frames)
        yield from frames


def _choose(container: "InputContainer", name: str) -> "VideoStream":
    """The video that players show; the cover of an album is none."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    videos = [stream for stream in container.streams.video if not stream.disposition & still]
    if not videos:
        has_sound = bool(container.streams.audio)
        raise SourceError(
            f"{name} holds sound but no video; name a file with pictures"
            if has_sound
            else f"{name} holds no video; name a video file"
        )
    best = container.streams.best("video")
    stream = best if best in videos else videos[0]
    if stream.codec_context is None:
        raise SourceError(f"{name} has a codec that FFmpeg cannot decode; convert it to H.264")
    return stream


def _check_size(stream: "VideoStream", name: str, max_pixels: int) -> None:
    size = (stream.codec_context.width, stream.codec_context.height)
    if not all(size):
        raise SourceError(
            f"{name} has frames of no size, or of more than the limit of {max_pixels:,} pixels; "
            "get a complete copy, or allow more with --max-pixels"
        )
    width, height = max(size, square_size(size, stream.sample_aspect_ratio or None))
    if width * height > max_pixels:
        raise SourceError(
            f"{name} has frames of {width} x {height} pixels, more than the limit of "
            f"{max_pixels:,}; allow it with --max-pixels {width * height}"
        )


def _tick(stream: "VideoStream") -> Fraction:
    return stream.time_base or _TIME_BASE


def _clock(text: str) -> Fraction | None:
    """Seconds of ``00:00:04.000000000``, as Matroska's tags have it; None for anything else."""
    parts = text.split(":")
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds or None
