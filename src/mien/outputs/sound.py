"""The sound of a source, brought into the MP4 that its frames go to.

The source is opened a second time and read only as far as the video has come, so the sound is
never in memory as a whole. Packets are copied where MP4 and browsers know their codec; other
sound is encoded anew as AAC, with silence where the source has none.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from mien.errors import SourceError
from mien.sources.files import open_file

COPIED_CODECS = ("aac", "mp3", "mp3float", "opus", "libopus", "flac")
"""Decoders of the codecs that MP4 holds and that Chromium, Firefox and Safari play in it; ALAC
and AC-3 fit into MP4 too, but not all of these play them."""

_NEED_HEADER = ("aac", "opus", "libopus", "flac")
"""Decoders whose packets can be copied only with a header beside them; in a transport stream they
have none."""
_LATEST_START_S = 1.0
"""Sound that begins later than this after the video is encoded anew, with silence before it: the
head of a fragmented MP4 is written when every track has a packet."""
_PRIMING_S = 0.1
"""Packets up to this long before 0 only set up the decoder, and players do not play them."""
_GAP_S = 0.05
"""Shorter holes and overlaps between decoded frames are rounding of their times."""
_AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_BIT_RATE_PER_CHANNEL = 80_000
_SILENCE_SAMPLES = 4096

_Timed = tuple[float, "Packet[AudioStream]"]
"""When a packet begins, in seconds of the video's timeline, and the packet."""


class Sound:
    """The sound of a source on its way into a file.

    Args:
        source: the second opening of the source.
        output: where the packets go to.
        packets: the packets in order, of the output's stream.
    """

    def __init__(
        self, source: InputContainer, output: OutputContainer, packets: Iterator[_Timed]
    ) -> None:
        self._source = source
        self._output = output
        self._packets = packets
        self._next = self._take()

    def write_until(self, time_s: float) -> None:
        """Bring the packets that begin before a time."""
        while self._next is not None and self._next[0] < time_s:
            self._output.mux(self._next[1])
            self._next = self._take()

    def close(self) -> None:
        """Let go of the source."""
        self._next = None
        self._source.close()

    def _take(self) -> _Timed | None:
        try:
            return next(self._packets, None)
        except (av.error.FFmpegError, OSError):
            return None  # a broken source: its frames tell


def open_sound(
    path: Path, output: OutputContainer, first_frame_s: float, origin_s: float
) -> Sound | None:
    """Add the first sound of a file to an output that has no packets yet.

    Args:
        path: the source.
        output: where the sound goes to.
        first_frame_s: time of the first frame in the video's timeline.
        origin_s: time in the source's own clock that is 0 in the video's timeline.

    Returns:
        What brings the packets; None where the file has no sound that can be read.
    """
    try:
        source = open_file(path)
    except SourceError:
        return None
    try:
        packets = _open(source, output, first_frame_s, origin_s)
    except (av.error.FFmpegError, OSError):
        packets = None
    if packets is None:
        source.close()
        return None
    return Sound(source, output, packets)


def _open(
    source: InputContainer, output: OutputContainer, first_frame_s: float, origin_s: float
) -> Iterator[_Timed] | None:
    stream = next(iter(source.streams.audio), None)
    if stream is None:
        return None
    packets = source.demux(stream)
    first = next(packets, None)
    if first is None or first.dts is None:
        return None
    starts_late = _begin_s(first) - origin_s > first_frame_s + _LATEST_START_S
    if not starts_late and _can_copy(stream):
        target = output.add_stream_from_template(stream)
        return _copied(chain([first], packets), target, origin_s)
    frames = (frame for packet in chain([first], packets) for frame in stream.decode(packet))
    target = _aac_stream(output, stream)
    return _encoded(frames, target, origin_s, first_frame_s if starts_late else None)


def _can_copy(stream: AudioStream) -> bool:
    name = stream.codec_context.name
    has_header = name not in _NEED_HEADER or bool(stream.codec_context.extradata)
    return name in COPIED_CODECS and has_header


def _begin_s(packet: "Packet[AudioStream]") -> float:
    return float((packet.dts or 0) * packet.time_base)


def _copied(
    packets: "Iterator[Packet[AudioStream]]", target: AudioStream, origin_s: float
) -> Iterator[_Timed]:
    last_dts = None
    for packet in packets:
        if packet.dts is None:
            continue
        packet.dts -= round(origin_s / packet.time_base)
        packet.pts = packet.dts
        # A muxer takes rising times only; damaged sources have others.
        is_in_order = last_dts is None or packet.dts > last_dts
        if is_in_order and _begin_s(packet) >= -_PRIMING_S:
            last_dts = packet.dts
            packet.stream = target
            yield _begin_s(packet), packet


def _aac_stream(output: OutputContainer, stream: AudioStream) -> AudioStream:
    rate = stream.codec_context.sample_rate
    target = output.add_stream("aac", rate=rate if rate in _AAC_RATES_HZ else _AAC_RATES_HZ[-1])
    is_mono = stream.codec_context.layout.nb_channels == 1
    target.codec_context.layout = "mono" if is_mono else "stereo"
    target.codec_context.bit_rate = _BIT_RATE_PER_CHANNEL * (1 if is_mono else 2)
    return target


def _encoded(
    frames: Iterator[AudioFrame], target: AudioStream, origin_s: float, start_s: float | None
) -> Iterator[_Timed]:
    """Encode frames as AAC, with silence from a start and in holes.

    Args:
        frames: decoded sound.
        target: the output's stream.
        origin_s: time in the frames' clock that is 0 in the video's timeline.
        start_s: where silence begins; None: the sound begins with its first frame.
    """
    for frame in _without_holes(frames, target, origin_s, start_s):
        for packet in target.encode(frame):
            yield _begin_s(packet), packet
    for packet in target.encode(None):
        yield _begin_s(packet), packet


def _without_holes(
    frames: Iterator[AudioFrame], target: AudioStream, origin_s: float, start_s: float | None
) -> Iterator[AudioFrame]:
    context = target.codec_context
    rate = context.sample_rate
    resampler = AudioResampler(context.format.name, context.layout.name, rate)
    position = None if start_s is None else round(start_s * rate)
    for frame in frames:
        begin = None if frame.time is None else round((frame.time - origin_s) * rate)
        if position is None:
            position = max(0, begin or 0)
        ahead = 0 if begin is None else begin - position
        if ahead < -_GAP_S * rate:
            continue  # before the beginning, or a second time
        while ahead > _GAP_S * rate:
            silence = _silence(min(ahead, _SILENCE_SAMPLES), context.format.name, target)
            ahead -= silence.samples
            position = _place(silence, position, rate)
            yield silence
        for resampled in resampler.resample(frame):
            position = _place(resampled, position, rate)
            yield resampled


def _place(frame: AudioFrame, position: int, rate: int) -> int:
    """Give a frame its place, in samples; returns the place after it."""
    frame.pts = position
    frame.time_base = Fraction(1, rate)
    return position + frame.samples


def _silence(n_samples: int, sample_format: str, target: AudioStream) -> AudioFrame:
    layout = target.codec_context.layout
    zeros = np.zeros((layout.nb_channels, n_samples), np.float32)
    frame = AudioFrame.from_ndarray(zeros, format=sample_format, layout=layout.name)
    frame.sample_rate = target.codec_context.sample_rate
    return frame
