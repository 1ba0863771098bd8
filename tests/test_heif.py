"""Stills in a video's container: the pixels of the photo, upright, and nothing else."""

import io
import struct
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from heif_factory import heic
from mien.errors import ImageError, ImageTooLargeError
from mien.images import read_image
from mien.sources import is_video
from mien.sources.inputs import Picture, find_inputs
from picture_factory import encode, gradient

PHOTO = gradient(200, 300)


def close(image: np.ndarray, expected: np.ndarray) -> bool:
    return image.shape == expected.shape and bool(np.abs(image.astype(int) - expected).mean() < 1.5)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("tiles", [None, (2, 3), (1, 2)])
def test_one_picture_and_a_grid_turned(tiles: tuple[int, int] | None, turns: int) -> None:
    assert close(read_image(heic(PHOTO, tiles=tiles, turns=turns)), np.rot90(PHOTO, turns))


def test_mirrored_after_it_was_turned() -> None:
    assert close(read_image(heic(PHOTO, mirror=0)), PHOTO[::-1])
    assert close(read_image(heic(PHOTO, mirror=1)), PHOTO[:, ::-1])
    assert close(read_image(heic(PHOTO, turns=1, mirror=1)), np.rot90(PHOTO)[:, ::-1])


def test_cut_to_what_is_shown() -> None:
    assert close(read_image(heic(PHOTO, clap=(200, 100))), PHOTO[50:150, 50:250])


def test_odd_sizes() -> None:
    odd = gradient(199, 301)
    assert close(read_image(heic(odd)), odd)
    assert close(read_image(heic(odd, tiles=(2, 2))), odd)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_the_brands_of_phones_and_cameras(brand: bytes) -> None:
    assert close(read_image(heic(PHOTO, brand=brand)), PHOTO)


def test_too_large_is_refused_by_the_header() -> None:
    for tiles in (None, (2, 2)):
        with pytest.raises(ImageTooLargeError, match="60000 x 60000"):
            read_image(heic(PHOTO, tiles=tiles, size=(60_000, 60_000)))
    with pytest.raises(ImageTooLargeError, match="300 x 200"):
        read_image(heic(PHOTO), max_pixels=300 * 200 - 1)


@pytest.mark.parametrize("kept", [40, 200, 420, 0.6, 0.95])
@pytest.mark.parametrize("tiles", [None, (2, 2)])
def test_broken_off(tmp_path, tiles, kept) -> None:
    content = heic(np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8), tiles=tiles)
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(content[: kept if isinstance(kept, int) else int(len(content) * kept)])
    with pytest.raises(ImageError, match=r"IMG_0001\.HEIC"):
        read_image(path)


def test_tiles_that_do_not_cover_the_picture() -> None:
    with pytest.raises(ImageError, match="tiles do not fit"):
        read_image(heic(PHOTO, tiles=(2, 2), size=(500, 400)))


def test_other_kinds_of_items_are_named() -> None:
    content = heic(PHOTO).replace(b"hvc1", b"vvc1")
    with pytest.raises(ImageError, match="of the kind 'vvc1'; convert it to JPEG"):
        read_image(content)


def test_a_jpeg_in_the_container() -> None:
    """As some cameras write: an item of the kind jpeg, which needs no set-up."""
    stream = io.BytesIO()
    PIL.Image.fromarray(PHOTO).save(stream, "JPEG", quality=95, subsampling=0)
    jpeg = stream.getvalue()
    content = heic(PHOTO)
    start = content.index(b"mdat") + 4
    changed = content[: start - 8] + struct.pack(">I4s", 8 + len(jpeg), b"mdat") + jpeg
    length = struct.pack(">I", len(content) - start)
    assert changed.count(length) == 1
    changed = changed.replace(length, struct.pack(">I", len(jpeg))).replace(b"hvc1", b"jpeg")
    assert close(read_image(changed), PHOTO)


def test_avif_is_read_as_ever() -> None:
    assert close(read_image(encode(PHOTO, "AVIF", quality=90)), PHOTO)


def test_they_are_pictures_by_whatever_name(tmp_path) -> None:
    for name in ("IMG_0001.HEIC", "a.heif", "b.hif", "c", "d.mov"):
        path = tmp_path / name
        path.write_bytes(heic(PHOTO))
        assert not is_video(path)
        assert isinstance(find_inputs(str(path))[0], Picture)
    assert [type(item) for item in find_inputs(str(tmp_path))][:3] == [Picture] * 3


def test_a_jpeg_by_the_name_of_a_heic(tmp_path) -> None:
    path = tmp_path / "d.HEIC"
    path.write_bytes(encode(PHOTO, "JPEG", quality=95))
    assert close(read_image(path), PHOTO)


_DAMAGED = """
import sys
from mien.errors import ImageError
from mien.images import read_image

content = open(sys.argv[1], "rb").read()
for place in range(80, 700):
    damaged = bytearray(content)
    damaged[place] = 0
    try:
        read_image(bytes(damaged))
    except ImageError:
        pass
print("all read")
"""


def test_no_byte_of_a_grid_makes_the_decoder_wait_for_ever(tmp_path) -> None:
    """FFmpeg's frame threads did, in C, where nothing can interrupt them."""
    (tmp_path / "grid.heif").write_bytes(heic(gradient(128, 192), tiles=(2, 2)))
    done = subprocess.run(
        [sys.executable, "-c", _DAMAGED, tmp_path / "grid.heif"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout == "all read\n", done.stderr
