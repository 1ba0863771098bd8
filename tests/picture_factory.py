"""Picture files as people have them, whole and broken, made in memory."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray


def encode(
    pixels: NDArray[Any], picture_format: str, mode: str | None = None, **options: Any
) -> bytes:
    """An array as the bytes of a picture file."""
    stream = io.BytesIO()
    picture = PIL.Image.fromarray(pixels)
    if mode is not None:
        picture = picture.convert(mode)
    picture.save(stream, picture_format, **options)
    return stream.getvalue()


def gradient(height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """A smooth RGB picture, uint8 (height, width, 3), that survives JPEG."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // (width - 1), y * 255 // (height - 1), np.full_like(x, 90)]
    return np.stack(channels, axis=2).astype(np.uint8)


def noise(height: int = 120, width: int = 160, seed: int = 0) -> NDArray[np.uint8]:
    """Grey noise, uint8 (height, width, 3)."""
    grey = np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def huge_png(width: int = 30_000, height: int = 30_000) -> bytes:
    """A small PNG file whose header announces many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    line = zlib.compress(bytes(1 + width))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", line) + chunk(b"IEND", b"")
    )
