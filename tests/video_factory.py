"""Video files as people have them, whole and odd, encoded with PyAV."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

TIME_BASE = Fraction(1, 90_000)
"""Tick of the video streams, in seconds."""


def numbered_images(
    n_frames: int, width: int = 64, height: int = 48
) -> Iterable[NDArray[np.uint8]]:
    """Pictures that differ, uint8 (height, width, 3): a grey level that tells the number.

    `number_of` reads it back, also after a lossy codec.
    """
    for number in range(n_frames):
        image = np.full((height, width, 3), 16 + (number * 8) % 224, np.uint8)
        # Corners of four colours tell turned and mirrored pictures apart.
        image[: height // 4, : width // 4] = (255, 0, 0)
        image[: height // 4, -(width // 4) :] = (0, 255, 0)
        image[-(height // 4) :, : width // 4] = (0, 0, 255)
        image[-(height // 4) :, -(width // 4) :] = (255, 255, 0)
        yield image


def number_of(image_rgb: NDArray[np.uint8]) -> int:
    """Number, modulo 28, of a picture of `numbered_images`."""
    height, width = image_rgb.shape[:2]
    middle = image_rgb[height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
    return round((float(middle.mean()) - 16) / 8) % 28


def make_clip(
    path: Path,
    images: Iterable[NDArray[np.uint8]] | int = 10,
    *,
    size: tuple[int, int] = (64, 48),
    frame_rate: float = 25,
    times_s: Sequence[float] | None = None,
    audio: bool = False,
    audio_s: float | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    stream: dict[str, Any] | None = None,
    container_format: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode a clip.

    Args:
        path: where to; its suffix chooses the container.
        images: uint8 (H, W, 3) RGB pictures of one size, or how many of `numbered_images`.
        size: width and height of numbered images.
        frame_rate: frames per second; only a label where ``times_s`` is given.
        times_s: presentation time of each frame, for a variable frame rate.
        audio: add a sine tone of 440 Hz, AAC (MP2 in MPEG containers) at 48 kHz.
        audio_s: length of the tone in seconds; that of the pictures where None.
        rotation: degrees counter-clockwise by which players have to turn the picture.
        mirrored: whether players have to mirror it, left to right, too.
        codec: name of the video encoder.
        pixel_format: what the encoder gets.
        options: options of the encoder; fast ones where None.
        stream: attributes to set on the video stream, e.g. colour tags or ``gop_size``.
        container_format: name of the format, where the suffix does not say it.
        container_options: options of the container, e.g. movflags.
    """
    if isinstance(images, int):
        images = numbered_images(images, *size)
    pictures = list(images)
    if options is None:
        options = {"preset": "ultrafast"} if codec == "libx264" else {}
    height, width = pictures[0].shape[:2]
    times = list(times_s) if times_s is not None else [n / frame_rate for n in range(len(pictures))]
    with av.open(
        str(path), "w", format=container_format, options=container_options or {}
    ) as container:
        video = container.add_stream(
            codec, rate=Fraction(frame_rate).limit_denominator(1001), options=options
        )
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        if codec not in ("mpeg4", "mpeg2video", "ffv1", "mjpeg", "gif"):
            video.codec_context.time_base = TIME_BASE
        for name, value in (stream or {}).items():
            setattr(video.codec_context, name, value)
        if rotation or mirrored:
            video.set_display_rotation(rotation, hflip=mirrored)
        tone = container.add_stream("aac", rate=48_000) if audio else None
        base = video.codec_context.time_base or Fraction(1, 1) / video.codec_context.framerate
        for image, time_s in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time_s / base), base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if tone is not None:
            _add_tone(container, tone, audio_s or times[-1] + 1 / frame_rate)
    return path


def make_sound(path: Path, seconds: float = 0.5) -> Path:
    """Encode a file with sound and no picture."""
    with av.open(str(path), "w") as container:
        _add_tone(container, container.add_stream("aac", rate=48_000), seconds)
    return path


def _add_tone(container: Any, stream: Any, seconds: float) -> None:
    rate, block = 48_000, 1024
    wave = np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate).astype(np.float32)
    for start in range(0, len(wave), block):
        frame = av.AudioFrame.from_ndarray(
            wave[np.newaxis, start : start + block] * 0.2, format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def without_pictures(avi: bytes, numbers: Iterable[int]) -> bytes:
    """An AVI file of one stream in which these frames have no bytes, so that they repeat the one
    before, as screen recorders write them."""
    start = avi.index(b"movi") + 4
    end = start - 4 + int.from_bytes(avi[start - 8 : start - 4], "little")
    empty, chunks, index, at, number = set(numbers), b"", b"", start, 0
    while at < end:
        size = int.from_bytes(avi[at + 4 : at + 8], "little")
        content = b"" if number in empty else avi[at + 8 : at + 8 + size]
        entry = (0 if number else 16, 4 + len(chunks), len(content))
        index += avi[at : at + 4] + b"".join(value.to_bytes(4, "little") for value in entry)
        chunks += avi[at : at + 4] + len(content).to_bytes(4, "little") + content
        chunks += bytes(len(content) % 2)
        at, number = at + 8 + size + size % 2, number + 1
    movie = b"movi" + chunks
    content = avi[8 : start - 12] + b"LIST" + len(movie).to_bytes(4, "little") + movie
    content += b"idx1" + len(index).to_bytes(4, "little") + index
    return b"RIFF" + len(content).to_bytes(4, "little") + content
