"""Pictures in: any file that people have -> RGB uint8 (H, W, 3).

The header comes first, so a picture's size is checked before a pixel is decoded. Orientation is
applied, transparency is laid on white, deep grey is scaled to 8 bits, and CMYK, palette and grey
pictures become RGB. OpenCV's reader was rejected: it reports no reason when a file is broken,
fills in truncated ones and takes its size limit from the environment.

Whatever a decoder raises means that the file is damaged: a list of the errors that are expected
was rejected, because damaged files found new ones for years, and each cost a whole folder.
"""

import ctypes
import functools
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from mien.errors import ImageError, ImageTooLargeError, PictureError, SourceError
from mien.finding import find_by_suffix
from mien.images.deep_pixels import decode_deep_colour, to_eight_bits
from mien.images.heif import HEAD_BYTES, is_heif, read_heif
from mien.images.metadata import without_metadata
from mien.images.pillow import orientation_of, pixels_of, quietly, to_pixels, upright
from mien.samples import Image

MAX_PIXELS = 100_000_000
"""Largest picture decoded unless the caller allows more: 100 megapixels, 300 MB as RGB."""

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo"),
        *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
        *(".pgm", ".ppm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".hif"),
    )
)
"""Endings, lower case, by which pictures are told from other files in folders and archives."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF")
"""What Pillow may take a file for, whatever its ending says: its other formats are not of photos,
and some start programs (EPS: Ghostscript). MPO comes with JPEG; HEIC is read
by `mien.images.heif`."""

Readable = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | PIL.Image.Image
"""What a picture is read from: a path, a file's bytes, an open file, or Pillow's picture."""

Picture = Readable | Image
"""A picture that a program holds; see `as_image`."""

_JPEG_END = b"\xff\xd9"
_PROGRESSIVE = b"\xff\xc2"
"""The frame's marker; among the pixels a 0 follows each 255."""
_LAST_BYTES = 16
_JPEG_BLOCK_ROWS = 16
"""Rows that are decoded together, at most."""
_FEW_BITS = 64
"""The upper 8 of 16 bits, rounded, go no further where a picture has 14 bits or fewer."""


def read_image(source: Readable, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture as RGB; of an animation, the first frame.

    Args:
        source: a path, the file's bytes, an open binary file, or a picture of Pillow's.
        name: what error messages call it; the path where None.
        max_pixels: width times height above which the picture is refused by its header.

    Returns:
        uint8 (H, W, 3) RGB, upright.

    Raises:
        SourceError: there is no such file, it may not be read, or ``source`` is nothing that
            pictures are read from.
        ImageError: the file is empty, not a picture, or damaged.
        ImageTooLargeError: the header announces more than ``max_pixels``.
    """
    return _read(source, name, max_pixels, keep_grey=False)


def read_tile(source: bytes, *, name: str, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a labelled face: as `read_image`, but a grey picture stays grey, uint8 (H, W).

    Raises:
        ImageError, ImageTooLargeError: as `read_image`.
    """
    pixels = _read(source, name, max_pixels, keep_grey=True)
    if pixels.ndim == 2:
        return pixels
    # The middle row first: it gives most colour pictures away at once.
    is_grey = _is_grey(pixels[len(pixels) // 2]) and _is_grey(pixels)
    return np.ascontiguousarray(pixels[..., 0]) if is_grey else pixels


def as_image(picture: object, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Any picture that a program holds as RGB.

    Args:
        picture: what `read_image` reads, or an array: uint8 RGB (H, W, 3), RGBA (H, W, 4) or grey
            (H, W) and (H, W, 1). OpenCV's arrays are BGR: turn them first with
            ``cv2.cvtColor(image, cv2.COLOR_BGR2RGB)``.
        max_pixels: width times height above which a file or Pillow picture is refused.

    Returns:
        uint8 (H, W, 3) RGB; an array that is this already, as it is.

    Raises:
        PictureError: it is none of these.
        SourceError, ImageError, ImageTooLargeError: as `read_image`.
    """
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    return _read(picture, None, max_pixels, keep_grey=False)


def _from_array(array: NDArray[Any]) -> Image:
    shape = array.shape
    is_grey = len(shape) == 2 or (len(shape) == 3 and shape[2] == 1)
    if array.dtype != np.uint8 or 0 in shape or not (is_grey or shape[2:] in ((3,), (4,))):
        hint = ""
        if array.dtype != np.uint8 and array.dtype.kind in "fiu":
            hint = "; scale its values to 0..255 and convert it: array.astype(numpy.uint8)"
        raise PictureError(
            "expected a uint8 array (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey, "
            f"got {array.dtype} {shape}{hint}"
        )
    if is_grey:
        return np.repeat(array.reshape(*shape[:2], 1), 3, axis=2)
    if shape[2] == 4:
        return to_pixels(PIL.Image.fromarray(array))
    return array


def find_images(folder: Path) -> list[Path]:
    """Pictures of a folder; see `mien.finding.find_by_suffix`."""
    return find_by_suffix(folder, IMAGE_SUFFIXES)


def _read(source: object, name: str | None, max_pixels: int, *, keep_grey: bool) -> Image:
    if isinstance(source, PIL.Image.Image):
        name = name or "the picture"
        _check(source.size, name, max_pixels)
        with whole(name):
            return pixels_of(source, keep_grey)
    if isinstance(source, str | os.PathLike):
        source = os.fsdecode(source)  # whatever class a program has for its paths
        if not source:
            raise SourceError("the name of the picture is empty; name a file")
        name = name or source
        with opened(source, name) as file:
            return _read_file(file, name, max_pixels, keep_grey)
    name = name or "the picture"
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_file(io.BytesIO(source), name, max_pixels, keep_grey)
    if hasattr(source, "read"):
        content = source.read()
        if isinstance(content, bytes):
            return _read_file(io.BytesIO(content), name, max_pixels, keep_grey)
    hint = " (cv2.imread gives None for a file that it cannot read)" if source is None else ""
    raise PictureError(
        "expected a path, bytes, a Pillow picture or a uint8 array, "
        f"got {type(source).__name__}{hint}"
    )


@contextmanager
def opened(path: Path | str, name: str) -> Iterator[BinaryIO]:
    """A picture's file.

    Raises:
        SourceError: there is no such file, or it may not be read.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115  (closed below; only opening is explained here)
    except FileNotFoundError as error:
        where = " (the link leads nowhere)" if Path(path).is_symlink() else ""
        raise SourceError(f"no such file: {name}{where}") from error
    except IsADirectoryError as error:
        raise SourceError(f"cannot read {name}: it is a folder; name a picture") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot read {name}: {reason}") from error
    with file:
        yield file


def _read_file(file: BinaryIO, name: str, max_pixels: int, keep_grey: bool) -> Image:
    with whole(name):
        head = file.read(HEAD_BYTES)
        if not head:
            raise ImageError(f"{name} is empty (0 bytes); get a complete copy")
        file.seek(0)
        if is_heif(head):
            return read_heif(file, name, check_size=lambda size: _check(size, name, max_pixels))
        try:
            return _read_with_pillow(file, name, max_pixels, keep_grey)
        except (ImageTooLargeError, MemoryError):
            raise
        except Exception:
            # What is damaged may be a text or a profile, which no viewer minds.
            file.seek(0)
            found = without_metadata(file.read())
            if found is None:
                raise
            bare, orientation = found
            if bare.startswith(b"\xff\xd8") and _lacks_its_end_alone(bare, name, max_pixels):
                bare += _JPEG_END
            return _read_with_pillow(io.BytesIO(bare), name, max_pixels, keep_grey, orientation)


def _lacks_its_end_alone(jpeg: bytes, name: str, max_pixels: int) -> bool:
    """Whether a JPEG has all its rows, and only the marker at its end is missing.

    Some cameras do not write it, and viewers do not miss it. Of a file that breaks off earlier, the
    last bytes tell of rows further up; but for progressive ones, which go over all rows many times.
    """
    if _JPEG_END in jpeg[-_LAST_BYTES:] or _PROGRESSIVE in jpeg:
        return False
    whole, shorter = (
        _read_with_pillow(io.BytesIO(part + _JPEG_END), name, max_pixels, keep_grey=False)
        for part in (jpeg, jpeg[:-_LAST_BYTES])
    )
    differing = np.flatnonzero((whole != shorter).any(axis=(1, 2)))
    return bool(differing.size) and bool(differing[0] >= len(whole) - _JPEG_BLOCK_ROWS)


def _read_with_pillow(
    file: BinaryIO, name: str, max_pixels: int, keep_grey: bool, orientation: int | None = None
) -> Image:
    with open_with_pillow(file, name, max_pixels) as picture:
        may_be_dark = _has_deep_colour(picture)
        pixels = pixels_of(picture, keep_grey, orientation)
        if may_be_dark and pixels.max() <= _FEW_BITS:
            file.seek(0)
            deep_rgb = decode_deep_colour(file.read())
            if deep_rgb is not None:
                eight = PIL.Image.fromarray(to_eight_bits(deep_rgb))
                pixels = to_pixels(
                    upright(eight, orientation or orientation_of(picture)), keep_grey=keep_grey
                )
        return pixels


def _has_deep_colour(picture: PIL.Image.Image) -> bool:
    """Whether a picture that was not loaded yet is RGB of 16 bits, of which Pillow keeps 8."""
    tiles = getattr(picture, "tile", None)
    arguments = tiles[0][-1] if tiles else ""
    told = arguments if isinstance(arguments, tuple) else (arguments,)
    return picture.mode in ("RGB", "RGBA") and (";16" in str(told[0]) or told == ("RGB", 65535))


_TIFF_STARTS = (b"II*\0", b"MM\0*")


def open_with_pillow(file: BinaryIO, name: str, max_pixels: int) -> PIL.Image.Image:
    """Open a picture by its header alone, as one of `FORMATS`, and check its size.

    Raises:
        ImageError: it is none.
        ImageTooLargeError: the header announces more than ``max_pixels``.
        Exception: it is damaged; `whole` says so.
    """
    # Pillow's own limit is a global; ours is an argument and is checked here instead.
    with quietly():
        limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            picture = PIL.Image.open(file, formats=FORMATS)
        except PIL.UnidentifiedImageError as error:
            file.seek(0)
            head = file.read(HEAD_BYTES)
            if head.startswith(_TIFF_STARTS):
                raise ImageError(
                    f"{name} is damaged, or a TIFF of a kind that is not read, such as colours in "
                    "floats; save it as PNG"
                ) from error
            if _begins_as_a_picture(head):
                raise ValueError("its header is broken, or of a rare kind") from error
            raise ImageError(
                f"{name} is not a picture that can be read; use JPEG, PNG, WebP, HEIC, AVIF, "
                "TIFF, BMP, PPM or GIF"
            ) from error
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = limit
    _check(picture.size, name, max_pixels)
    if picture.format == "TIFF":
        _silence_libtiff()
    return picture


def _begins_as_a_picture(head: bytes) -> bool:
    """Whether a file that Pillow does not know begins as those that it should know."""
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return head.startswith(starts) or is_webp or head[4:12] in (b"ftypavif", b"ftypavis")


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff, in Pillow, from printing on stderr what it raises as well."""
    with suppress(OSError, AttributeError):  # on some systems it is no library of its own
        pillow = ctypes.CDLL(str(vars(PIL.Image)["core"].__file__))
        pillow.TIFFSetErrorHandler(None)
        pillow.TIFFSetWarningHandler(None)


def _check(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels:,}; "
            f"allow it with --max-pixels {width * height}"
        )


@contextmanager
def whole(name: str) -> Iterator[None]:
    """Turn what reading a damaged picture raises, whatever it is, into an error that names it."""
    try:
        yield
    except (SourceError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise ImageError(f"{name} is damaged ({reason}); get a complete copy") from error


def _is_grey(rgb: Image) -> bool:
    first = rgb[..., 0]
    return np.array_equal(first, rgb[..., 1]) and np.array_equal(first, rgb[..., 2])
