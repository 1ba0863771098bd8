"""Annotated pictures into files, whose endings choose the format."""

from collections.abc import Sequence
from pathlib import Path

import PIL.Image

from mien.files import atomic_file
from mien.paths import check_suffix
from mien.samples import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
"""Endings that `write_picture` understands."""


def write_picture(
    path: Path, image_rgb: Image, *, suffixes: Sequence[str] = PICTURE_SUFFIXES
) -> None:
    """Write a picture, in the format of the path's ending; it appears when it is complete.

    Args:
        path: where it goes.
        image_rgb: uint8 (H, W, 3) RGB.
        suffixes: the endings that an error names, where other files may be written, too.

    Raises:
        OutputError: the ending is not of a picture, or the file cannot be written.
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        check_suffix(path, suffixes, "picture")
    picture = PIL.Image.fromarray(image_rgb)
    with atomic_file(path) as temporary:
        # Little compression: PNG's best level takes seconds for a photo.
        picture.save(temporary, quality=92, compress_level=3)
