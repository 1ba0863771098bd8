"""Frames into an MP4 that browsers and phones play, and that survives a crash.

H.264 with exact times, 8 bits, 4:2:0. The file is written in fragments of half a second, each
with the system at once, and the encoder holds no frames back; so a killed process loses less than
a second. When it is complete, its index makes it an ordinary MP4 (``hybrid_fragmented`` of
FFmpeg). Frames that wait for a look ahead and B-frames were left out for that: at equal quality
the files would be a quarter smaller.
"""

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from mien.errors import OutputError
from mien.outputs.fragments import cut_to_whole_fragments
from mien.outputs.growing_file import GrowingFile
from mien.outputs.sound import Sound, open_sound
from mien.paths import VIDEO_SUFFIX, check_suffix
from mien.samples import Image

_ENCODER: Final = "libx264"
_CRF = 22
"""x264's constant quality: 0 is lossless, 23 its default."""
_PRESET = "veryfast"
"""The slowest preset that encodes 640 x 360 in about 2 ms on one core."""
_TIME_BASE = Fraction(1, 90_000)
"""The clock of MPEG; times are kept to 6 microseconds."""
_FRAGMENT_S = 0.5
_KEY_FRAME_EVERY_S = 2.0
"""So that jumping in the video is quick."""
_USUAL_RATE_HZ = 25.0
_HD_HEIGHT_PX = 720
"""Pictures of this height and more get BT.709's colour matrix, smaller ones BT.601's: what players
assume that do not read it in the file."""
_BT709, _BT601 = 1, 6
"""Numbers of ITU-T H.273 for matrix, primaries and transfer, as `VideoCodecContext` takes them;
those of `Colorspace` are others."""
_PIXELS_PER_THREAD = 1_000_000
"""Encoding with more threads costs quality and time in all; larger pictures need them."""


class VideoWriter:
    """Writes an MP4 frame by frame; the file is made at once. Used by one thread.

    Args:
        path: ``.mp4``; folders above it are made, and what stood there is replaced.
        width_px: width of the frames; one column is added to an odd one.
        height_px: height of the frames; one row is added to an odd one.
        frame_rate_hz: frames per second on average, for the last frame's duration and the
            encoder's bit rate; the times that are written decide, not this.
        audio_from: a file whose sound is brought along; None for a silent video.
        audio_origin_s: time in that file's own clock that is 0 in the frames' times.

    Raises:
        OutputError: the ending is another, the file cannot be made, or this build of PyAV cannot
            encode H.264.
    """

    def __init__(
        self,
        path: Path,
        *,
        width_px: int,
        height_px: int,
        frame_rate_hz: float | None = None,
        audio_from: Path | None = None,
        audio_origin_s: float = 0.0,
    ) -> None:
        check_suffix(path, [VIDEO_SUFFIX], "video")
        if _ENCODER not in av.codecs_available:
            raise OutputError(
                f"cannot write {path}: this build of PyAV has no {_ENCODER}; "
                "install the one of the package index: pip install --force-reinstall av"
            )
        self.path = path
        self._size = (width_px + width_px % 2, height_px + height_px % 2)
        is_known = frame_rate_hz is not None and 1.0 <= frame_rate_hz <= 1000.0
        self._rate_hz = frame_rate_hz if is_known else None
        self._audio_from = audio_from
        self._audio_origin_s = audio_origin_s
        self._file = GrowingFile(path)
        self._container: OutputContainer | None = None
        self._sound: Sound | None = None
        self._reformatter = VideoReformatter()
        self._last_ticks = -1
        self._duration_ticks = round(1 / ((self._rate_hz or _USUAL_RATE_HZ) * _TIME_BASE))
        self._is_broken = False
        self._is_closed = False

    def write(self, image_rgb: Image, time_s: float) -> None:
        """Add a frame.

        Args:
            image_rgb: uint8 (H, W, 3) RGB; one of another size than the video's is scaled to it.
            time_s: when it is shown, in seconds, at least 0 and after the frame before.

        Raises:
            OutputError: the file cannot be written; what was written before stays readable.
        """
        if self._is_broken or self._is_closed:
            raise OutputError(f"cannot write {self.path}: it was closed or given up")
        try:
            container = self._container or self._begin(time_s)
            ticks = max(round(time_s / _TIME_BASE), self._last_ticks + 1)
            if self._rate_hz is None and self._last_ticks >= 0:
                self._duration_ticks = ticks - self._last_ticks
            self._last_ticks = ticks
            if self._sound is not None:
                self._sound.write_until(time_s)
            self._encode(container, self._frame(image_rgb, ticks))
        except (av.error.FFmpegError, OSError) as error:
            self._is_broken = True
            raise _encoder_error(self.path, error) from error
        if self._file.error is not None:
            self._is_broken = True
            self._file.check()

    def close(self) -> None:
        """Complete the file; may be called twice. Without a frame, no file is left.

        Raises:
            OutputError: the index cannot be written; the video stays readable without it. Not
                raised again where `write` raised it.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._container is not None:
                self._finish(self._container)
        except (av.error.FFmpegError, OSError) as error:
            if not self._is_broken:
                raise _encoder_error(self.path, error) from error
        finally:
            self._container = None
            if self._sound is not None:
                self._sound.close()
            self._close_file()

    def _close_file(self) -> None:
        if self._last_ticks < 0:
            self._file.remove()
        elif self._file.error is None:
            self._file.finish()
        else:
            self._file.discard()
            with suppress(OSError):
                cut_to_whole_fragments(self.path)
            if not self._is_broken:  # else told by `write`
                self._file.check()

    def _begin(self, time_s: float) -> OutputContainer:
        container = self._container = av.open(
            self._file,
            "w",
            format="mp4",
            container_options={
                # The index waits for the first packets, which say how the tracks begin.
                "movflags": "hybrid_fragmented+delay_moov",
                "frag_duration": str(round(_FRAGMENT_S * 1e6)),
                "flush_packets": "1",
                # Packets come in the order of their times; FFmpeg need not wait for others.
                "max_interleave_delta": "1",
            },
        )
        self._stream = self._video_stream(container)
        if self._audio_from is not None:
            self._sound = open_sound(self._audio_from, container, time_s, self._audio_origin_s)
        return container

    def _video_stream(self, container: OutputContainer) -> VideoStream:
        rate_hz = self._rate_hz or _USUAL_RATE_HZ
        stream = container.add_stream(
            _ENCODER,
            # 1001: rates such as 24000/1001 of television.
            rate=Fraction(rate_hz).limit_denominator(1001),
            options={
                "preset": _PRESET,
                "crf": str(_CRF),
                "tune": "zerolatency",
            },
        )
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.gop_size = max(1, round(_KEY_FRAME_EVERY_S * rate_hz))
        threads = 1 + self._size[0] * self._size[1] // _PIXELS_PER_THREAD
        context.thread_count = min(threads, os.cpu_count() or 1)
        context.color_range = ColorRange.MPEG
        context.colorspace = _BT709 if self._is_hd else _BT601
        context.color_primaries = context.color_trc = _BT709
        return stream

    @property
    def _is_hd(self) -> bool:
        return self._size[1] >= _HD_HEIGHT_PX

    def _frame(self, image_rgb: Image, ticks: int) -> VideoFrame:
        height, width = image_rgb.shape[:2]
        if height % 2 or width % 2:
            image_rgb = np.pad(image_rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        matrix = Colorspace.ITU709 if self._is_hd else Colorspace.ITU601
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24"),
            *self._size,
            format="yuv420p",
            interpolation="AREA",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts, frame.time_base = ticks, _TIME_BASE
        return frame

    def _encode(self, container: OutputContainer, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._duration_ticks
            container.mux(packet)

    def _finish(self, container: OutputContainer) -> None:
        try:
            if self._file.error is None:
                self._encode(container, None)
                if self._sound is not None:
                    end_ticks = self._last_ticks + self._duration_ticks
                    self._sound.write_until(float(end_ticks * _TIME_BASE))
        finally:
            container.close()


def _encoder_error(path: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(
        f"cannot write {path}: the encoder gave up ({reason}); what was written before is kept"
    )
