"""Pixels of more than 8 bits: the same picture comes out, however it is stored."""

import io

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pytest

from mien.errors import ImageError
from mien.images import read_image, read_tile
from mien.images.deep_pixels import to_eight_bits
from picture_factory import encode, gradient

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def stored(bits: int, *, repeated: bool) -> np.ndarray:
    """The ramp in more bits: shifted, or scaled so that white is the largest value."""
    if not repeated:
        return RAMP.astype(np.int64) << (bits - 8)
    return np.rint(RAMP.astype(np.float64) * (2**bits - 1) / 255).astype(np.int64)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16, 20, 31, 32])
def test_whole_numbers_of_every_depth(bits: int, repeated: bool) -> None:
    deep = stored(bits, repeated=repeated)
    for kind in (np.uint16, np.int32, np.int64):
        if deep.max() <= np.iinfo(kind).max:
            assert np.array_equal(to_eight_bits(deep.astype(kind)), RAMP)


@pytest.mark.parametrize("white", [1.0, 255.0, 1023.0, 4095.0, 65535.0])
def test_floats_of_every_range(white: float) -> None:
    floats = (RAMP / 255 * white).astype(np.float32)
    assert np.array_equal(to_eight_bits(floats), RAMP)


def test_floats_that_overshoot() -> None:
    floats = (RAMP / 255).astype(np.float32)
    floats[0, 0], floats[-1, -1] = -0.0005, 1.0005
    assert np.array_equal(to_eight_bits(floats), RAMP)


def test_values_below_zero_shift_the_range() -> None:
    assert np.array_equal(to_eight_bits(RAMP.astype(np.int32) * 16 - 2040), RAMP)
    assert np.array_equal(to_eight_bits((RAMP / 255 - 0.5).astype(np.float32)), RAMP)


def test_floats_as_networks_take_them() -> None:
    floats = (RAMP / 127.5 - 1).astype(np.float32)
    assert np.array_equal(to_eight_bits(floats), RAMP)
    assert np.array_equal(to_eight_bits(0.9 * floats), np.rint(0.9 * (RAMP - 127.5) + 127.5))


def test_what_is_no_number_is_black() -> None:
    floats = np.array([[np.nan, np.inf, -np.inf, 0.5, 1.0]], np.float32)
    assert to_eight_bits(floats).tolist() == [[0, 0, 0, 128, 255]]


def test_the_largest_floats_do_not_overflow() -> None:
    largest = np.finfo(np.float32).max
    floats = np.array([[-largest, 0, largest]], np.float32)
    assert to_eight_bits(floats).tolist() == [[0, 128, 255]]


def test_what_the_file_tells_goes_before_the_data() -> None:
    dark = np.array([[0, 100, 200]], np.uint16)
    assert to_eight_bits(dark, white=1023).tolist() == [[0, 25, 50]]
    assert to_eight_bits(dark, white=1000).tolist() == [[0, 25, 51]]
    assert to_eight_bits(dark.astype(np.float32), white=300).tolist() == [[0, 85, 170]]
    # Unless the data says that it is wrong.
    assert to_eight_bits(np.array([[4080]], np.uint16), white=1023).tolist() == [[255]]


def test_white_may_be_zero() -> None:
    assert np.array_equal(to_eight_bits(stored(12, repeated=True), inverted=True), 255 - RAMP)


def tiff(grey: np.ndarray, **tags: int) -> bytes:
    """A TIFF with tags: ``photometric``, ``maximum``."""
    directory = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    if "maximum" in tags:
        directory[281] = tags["maximum"]
    stream = io.BytesIO()
    PIL.Image.fromarray(grey).save(stream, "TIFF", tiffinfo=directory)
    content = stream.getvalue()
    if "photometric" in tags:
        entry = b"\x06\x01\x03\x00\x01\x00\x00\x00"
        assert content.count(entry) == 1
        content = content.replace(entry + b"\1", entry + bytes([tags["photometric"]]))
    return content


DEEP_FILES = {
    "8 bits": encode(RAMP, "PNG"),
    "16 bits": encode(RAMP.astype(np.uint16) * 257, "PNG"),
    "12 bits in 16, PNG": encode(RAMP.astype(np.uint16) * 16, "PNG"),
    "14 bits in 16, TIFF": encode(RAMP.astype(np.uint16) * 64, "TIFF"),
    "10 bits in 16, TIFF": encode(RAMP.astype(np.uint16) * 4, "TIFF"),
    "32 bits": encode(RAMP.astype(np.int32) << 23, "TIFF"),
    "float, 0 to 1": encode((RAMP / 255).astype(np.float32), "TIFF"),
    "float, 0 to 255": encode(RAMP.astype(np.float32), "TIFF"),
    "white is 0": tiff((65535 - RAMP.astype(np.uint16) * 257), photometric=0),
    "PGM of 12 bits": b"P5 16 16 4095\n" + (RAMP.astype(np.uint16) * 16).astype(">u2").tobytes(),
    "PGM that says 16 and has 12": b"P5 16 16 65535\n"
    + (RAMP.astype(np.uint16) * 16).astype(">u2").tobytes(),
}


@pytest.mark.parametrize("name", DEEP_FILES)
def test_the_same_picture_from_every_file(name: str) -> None:
    rgb = read_image(DEEP_FILES[name])
    assert rgb.shape == (16, 16, 3)
    assert np.abs(rgb.astype(int) - RAMP[..., np.newaxis]).max() <= 1
    tile = read_tile(DEEP_FILES[name], name=name)
    assert tile.shape == (16, 16)
    assert np.array_equal(tile, rgb[..., 0])


def test_a_dark_picture_stays_dark_where_the_file_tells_its_range() -> None:
    dark = np.full((8, 8), 100, np.uint16)
    assert (read_image(tiff(dark, maximum=4095)) == 6).all()
    assert (read_image(b"P5 8 8 4095\n" + dark.astype(">u2").tobytes()) == 6).all()


def test_deep_grey_is_turned_upright() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    content = encode(RAMP.astype(np.uint16) * 257, "PNG", exif=exif)
    assert np.array_equal(read_image(content)[..., 0], np.rot90(RAMP, -1))


def deep_colour(bits: int, ending: str) -> bytes:
    """A gradient in the lower bits of 16, by OpenCV, which writes such files."""
    import cv2

    deep = gradient().astype(np.uint16) << (bits - 8)
    done, content = cv2.imencode(ending, deep[..., ::-1])
    assert done
    return content.tobytes()


@pytest.mark.parametrize("ending", [".png", ".tif", ".ppm"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_colour_of_every_depth(bits: int, ending: str) -> None:
    image = read_image(deep_colour(bits, ending))
    assert np.abs(image.astype(int) - gradient()).max() <= 1


def test_deep_colour_with_an_opaque_alpha() -> None:
    import cv2

    deep = np.dstack([gradient()[..., ::-1].astype(np.uint16) * 16, np.full((40, 60), 65535)])
    done, content = cv2.imencode(".png", deep.astype(np.uint16))
    assert done
    assert np.abs(read_image(content.tobytes()).astype(int) - gradient()).max() <= 1


def test_a_broken_picture_of_deep_colour(capfd: pytest.CaptureFixture[str]) -> None:
    for ending in (".png", ".tif"):
        content = deep_colour(12, ending)
        with pytest.raises(ImageError, match="damaged"):
            read_image(content[: len(content) // 2])
    assert capfd.readouterr() == ("", "")
