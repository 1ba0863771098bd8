"""Pictures in: any file that people have -> RGB uint8 (H, W, 3).

Pillow reads the header first, so a picture's size is checked before a pixel is decoded. EXIF
orientation is applied, transparency is laid on white, 16-bit values are scaled to 8 bits, and
CMYK, palette and grey pictures become RGB. OpenCV's reader was rejected: it reports no reason
when a file is broken, fills in truncated ones and takes its size limit from the environment.
"""

import io
import threading
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from mien.errors import ImageError, ImageTooLargeError, PictureError, SourceError
from mien.samples import Image

MAX_PIXELS = 100_000_000
"""Largest picture decoded unless the caller allows more: 100 megapixels, 300 MB as RGB."""

Picture = Path | str | bytes | bytearray | PIL.Image.Image | Image
"""A picture that a program holds; see `as_image`."""

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".avif")
)
"""Endings, lower case, by which pictures are told from other files in folders and archives."""

_PILLOW_LIMIT = threading.Lock()


def read_image(
    source: Path | str | bytes, *, name: str | None = None, max_pixels: int = MAX_PIXELS
) -> Image:
    """Read a picture as RGB.

    Args:
        source: a path, or the file's bytes.
        name: what error messages call it; the path where None.
        max_pixels: width times height above which the picture is refused by its header.

    Returns:
        uint8 (H, W, 3) RGB, upright.

    Raises:
        SourceError: there is no such file, or it may not be read.
        ImageError: the file is empty, not a picture, or broken off.
        ImageTooLargeError: the header announces more than ``max_pixels``.
    """
    name = name or (str(source) if not isinstance(source, bytes) else "the picture")
    with _open(source, name, max_pixels) as picture, _whole(name):
        PIL.ImageOps.exif_transpose(picture, in_place=True)
        return _to_rgb(picture)


def read_tile(source: bytes, *, name: str, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a labelled face: as `read_image`, but a grey picture stays grey, uint8 (H, W).

    Raises:
        ImageError, ImageTooLargeError: as `read_image`.
    """
    with _open(source, name, max_pixels) as picture, _whole(name):
        PIL.ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode == "L" and "transparency" not in picture.info:
            return np.array(picture, dtype=np.uint8)
        rgb = _to_rgb(picture)
    # The middle row first: it gives most colour pictures away at once.
    is_grey = _is_grey(rgb[len(rgb) // 2]) and _is_grey(rgb)
    return np.ascontiguousarray(rgb[..., 0]) if is_grey else rgb


def as_image(picture: object, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Any picture that a program holds as RGB.

    Args:
        picture: a path; the bytes of a file; a Pillow picture; or an array, uint8 RGB (H, W, 3),
            RGBA (H, W, 4) or grey (H, W) and (H, W, 1). OpenCV's arrays are BGR: turn them first
            with ``cv2.cvtColor(image, cv2.COLOR_BGR2RGB)``.
        max_pixels: width times height above which a file or Pillow picture is refused.

    Returns:
        uint8 (H, W, 3) RGB; an array that is this already, as it is.

    Raises:
        PictureError: it is none of these.
        SourceError, ImageError, ImageTooLargeError: as `read_image`.
    """
    if isinstance(picture, str | Path):
        return read_image(picture, max_pixels=max_pixels)
    if isinstance(picture, bytes | bytearray | memoryview):
        return read_image(bytes(picture), max_pixels=max_pixels)
    if isinstance(picture, PIL.Image.Image):
        return _from_pillow(picture, max_pixels)
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    # Whatever the types say, this is what people pass.
    hint = " (cv2.imread gives None for a file that it cannot read)" if picture is None else ""
    raise PictureError(
        "expected a path, bytes, a Pillow picture or a uint8 array, "
        f"got {type(picture).__name__}{hint}"
    )


def _from_pillow(picture: PIL.Image.Image, max_pixels: int) -> Image:
    width, height = picture.size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"the picture has {width} x {height} pixels, more than the limit of {max_pixels:,}"
        )
    if not width or not height:
        raise PictureError("the picture has no pixels")
    with _whole("the picture"):
        return _to_rgb(PIL.ImageOps.exif_transpose(picture))


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
        return _to_rgb(PIL.Image.fromarray(array))
    return array


def find_images(folder: Path) -> Sequence[Path]:
    """Pictures of a folder; see `find_by_suffix`."""
    return find_by_suffix(folder, IMAGE_SUFFIXES)


def find_by_suffix(folder: Path, suffixes: Collection[str]) -> Sequence[Path]:
    """Files of a folder and of those in it, in the order of their names; hidden ones not.

    Args:
        folder: where to look.
        suffixes: endings of the files that are meant, lower case.

    Raises:
        SourceError: the folder cannot be read.
    """
    try:
        return sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in suffixes
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        )
    except OSError as error:
        raise SourceError(f"cannot read {folder}: {error.strerror}") from error


def _open(source: Path | str | bytes, name: str, max_pixels: int) -> PIL.Image.Image:
    """Open a picture by its header alone and check its size."""
    if source == b"":
        raise ImageError(f"{name} is empty (0 bytes); get a complete copy")
    try:
        # Pillow's own limit is a global; ours is an argument and is checked here instead.
        with _PILLOW_LIMIT, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
            try:
                picture = PIL.Image.open(
                    io.BytesIO(source) if isinstance(source, bytes) else source
                )
            finally:
                PIL.Image.MAX_IMAGE_PIXELS = limit
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {name}") from error
    except PIL.UnidentifiedImageError as error:
        if not isinstance(source, bytes) and Path(source).stat().st_size == 0:
            raise ImageError(f"{name} is empty (0 bytes); get a complete copy") from error
        raise ImageError(
            f"{name} is not a picture that can be read; use JPEG, PNG, WebP, TIFF, BMP or GIF"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
        raise SourceError(f"cannot read {name}: {reason}") from error
    width, height = picture.size
    if width * height > max_pixels:
        picture.close()
        raise ImageTooLargeError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels:,}; "
            f"allow it with --max-pixels {width * height}"
        )
    return picture


@contextmanager
def _whole(name: str) -> Iterator[None]:
    """Turn what decoding a damaged picture raises into an error that names it."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        reason = str(error).split("\n")[0]
        raise ImageError(f"{name} is damaged ({reason}); get a complete copy") from error


def _is_grey(rgb: Image) -> bool:
    first = rgb[..., 0]
    return np.array_equal(first, rgb[..., 1]) and np.array_equal(first, rgb[..., 2])


def _to_rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return _from_deep_grey(np.asarray(picture, dtype=np.float64))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        picture = PIL.Image.alpha_composite(white, rgba)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def _from_deep_grey(grey: np.ndarray) -> Image:
    """Scale grey of more than 8 bits to 8: 0..65535 by 257, and smaller ranges as they are."""
    scale = 257.0 if grey.size and grey.max() > 255 else 1.0
    eight_bit = np.clip(np.rint(grey / scale), 0, 255).astype(np.uint8)
    return np.repeat(eight_bit[..., np.newaxis], 3, axis=2)
