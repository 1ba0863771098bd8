"""Decoded frames as upright RGB of one size.

FFmpeg's swscale converts, on one thread: without scaling it takes 0.08 ms for 640 x 360 and is
within 3 grey levels of the formula. Its exact modes were measured to take 6 to 14 times as long.
"""

import struct
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.samples import Image

if TYPE_CHECKING:
    from av import VideoFrame

Size = tuple[int, int]
"""Width and height in pixels."""
Matrix = tuple[int, int, int, int]
"""a, b, c, d of x' = ax + cy and y' = bx + dy, with y downwards."""

_UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED: the file does not say which matrix its colours have."""
_BT709 = 1
"""AVCOL_SPC_BT709."""
_HD_HEIGHT_PX = 720
"""From this height on, colours without a stated matrix are taken for BT.709, as players do."""
_MAX_STRETCH = 4
"""Pixels longer or wider than this are not believed."""


class RgbConverter:
    """Turns decoded frames into upright RGB with square pixels.

    All pictures have the size of the first one. A stream may change its size while it runs; what
    takes frames (an encoder, a track) needs one size and one scale, so later pictures are
    scaled to fit into the first one's size, their shape kept, in the middle of black.

    Args:
        pixel_shape: width of a pixel divided by its height; None where it is not known.
    """

    def __init__(self, pixel_shape: Fraction | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._pixel_shape = pixel_shape
        self._size: Size | None = None
        self._rotation: int | None = None
        self._matrix: Matrix | None = None

    def shown_size(self, frame: "VideoFrame") -> Size:
        """Size of the pictures: that of the first frame this was asked of, upright."""
        if self._size is None:
            self._size = self._upright_size(frame, self._matrix_of(frame))
        return self._size

    def convert(self, frame: "VideoFrame") -> Image:
        """One frame as uint8 (H, W, 3) RGB, C-contiguous, which nobody else holds."""
        size = self.shown_size(frame)
        matrix = self._matrix_of(frame)
        shown = self._upright_size(frame, matrix)
        inner = shown if shown == size else _fit(shown, size)
        stored = (inner[1], inner[0]) if matrix is not None and _swaps_axes(matrix) else inner
        image_rgb = self._to_rgb(frame, stored)
        if matrix is not None:
            image_rgb = _upright(image_rgb, matrix)
        return image_rgb if inner == size else _in_the_middle(image_rgb, size)

    def _matrix_of(self, frame: "VideoFrame") -> Matrix | None:
        # Looking at a frame's side data ties it into a reference cycle in PyAV, so each would stay
        # in memory until Python collects its garbage: only where the angle differs.
        if frame.rotation != self._rotation:
            self._rotation = frame.rotation
            self._matrix = display_matrix(frame)
        return self._matrix

    def _upright_size(self, frame: "VideoFrame", matrix: Matrix | None) -> Size:
        width, height = square_size((frame.width, frame.height), self._pixel_shape)
        return (height, width) if matrix is not None and _swaps_axes(matrix) else (width, height)

    def _to_rgb(self, frame: "VideoFrame", size: Size) -> Image:
        has_alpha = any(component.is_alpha for component in frame.format.components)
        is_hd = frame.colorspace == _UNSPECIFIED and frame.height >= _HD_HEIGHT_PX
        converted = self._reformatter.reformat(
            frame,
            width=size[0],
            height=size[1],
            format="rgba" if has_alpha else "rgb24",
            src_colorspace=_BT709 if is_hd and not frame.format.is_rgb else None,
            threads=1,
        )
        pixels = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        if has_alpha:
            return _on_white(pixels)
        # Without a conversion this is the decoder's own picture, which it may still refer to.
        return pixels.copy() if converted is frame else np.ascontiguousarray(pixels)


def square_size(size: Size, pixel_shape: Fraction | None) -> Size:
    """Size of a picture with square pixels; pixels that are not are stretched, never reduced."""
    width, height = size
    if pixel_shape is None or not Fraction(1, _MAX_STRETCH) <= pixel_shape <= _MAX_STRETCH:
        return size
    if pixel_shape > 1:
        return round(width * pixel_shape), height
    return width, round(height / pixel_shape)


def display_matrix(frame: "VideoFrame") -> Matrix | None:
    """The part of the display matrix that turns and mirrors; None where the picture is upright as
    it is stored.

    Source: ISO/IEC 14496-12, 6.2.2 and 8.3.2.
    """
    try:
        side_data: Any = frame.side_data.get("DISPLAYMATRIX") if len(frame.side_data) else None
    except ValueError:
        # There is more beside the picture than PyAV has names for, such as a camera's EXIF.
        return _turned_by(frame.rotation)
    if side_data is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(side_data))
    return None if a > 0 and d > 0 and b == c == 0 else (a, b, c, d)


def _turned_by(degrees: int) -> Matrix | None:
    """The matrix of a turn against the clock by a multiple of 90 degrees, as `frame.rotation`."""
    return {1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0)}.get(round(degrees / 90) % 4)


def _swaps_axes(matrix: Matrix) -> bool:
    a, b, c, d = matrix
    return abs(b) + abs(c) > abs(a) + abs(d)


def _upright(image_rgb: Image, matrix: Matrix) -> Image:
    """Turn and mirror by the nearest multiple of 90 degrees."""
    import cv2

    a, b, c, d = matrix
    if _swaps_axes(matrix):
        image_rgb = cv2.transpose(image_rgb).astype(np.uint8, copy=False)
        flips = (c < 0, b < 0)
    else:
        flips = (a < 0, d < 0)
    code = {(True, True): -1, (True, False): 1, (False, True): 0}.get(flips)
    return image_rgb if code is None else cv2.flip(image_rgb, code).astype(np.uint8, copy=False)


def _on_white(rgba: Image) -> Image:
    alpha = rgba[..., 3:].astype(np.uint16)
    # Division by 255 with rounding, in integers.
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)


def _fit(size: Size, frame: Size) -> Size:
    scale = min(frame[0] / size[0], frame[1] / size[1])
    return (
        min(frame[0], max(1, round(size[0] * scale))),
        min(frame[1], max(1, round(size[1] * scale))),
    )


def _in_the_middle(image_rgb: Image, size: Size) -> Image:
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    height, width = image_rgb.shape[:2]
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    canvas[top : top + height, left : left + width] = image_rgb
    return canvas
