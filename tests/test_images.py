import io
import os
import stat
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.EpsImagePlugin
import PIL.Image
import pytest

from mien.errors import ImageError, ImageTooLargeError, SourceError
from mien.images import as_image, find_images, read_image, read_tile
from picture_factory import encode, gradient, huge_png, noise


def test_png_comes_back_exactly(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(gradient(), "PNG"))
    for source in (path, str(path), path.read_bytes()):
        image = read_image(source)
        assert image.dtype == np.uint8
        assert np.array_equal(image, gradient())


@pytest.mark.parametrize("picture_format", ["JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_formats_of_photos(picture_format):
    image = read_image(encode(gradient(), picture_format))
    assert image.shape == (40, 60, 3)
    assert np.abs(image.astype(int) - gradient()).mean() < 6


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (4, lambda image: image[::-1]),
        (5, lambda image: image.transpose(1, 0, 2)),
        (6, lambda image: np.rot90(image, -1)),
        (7, lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda image: np.rot90(image, 1)),
    ],
)
def test_exif_orientation_is_applied(orientation, upright):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = read_image(encode(gradient(), "PNG", exif=exif))
    assert np.array_equal(image, upright(gradient()))


def test_transparency_lies_on_white():
    rgba = np.dstack([gradient(), np.full((40, 60), 255, np.uint8)])
    rgba[:, :30, 3] = 0
    image = read_image(encode(rgba, "PNG"))
    assert (image[:, :30] == 255).all()
    assert np.array_equal(image[:, 30:], gradient()[:, 30:])


def test_half_transparency_is_blended():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 3] = 128
    assert np.abs(read_image(encode(rgba, "PNG")).astype(int) - 127).max() <= 1


def test_palette_with_a_transparent_entry(tmp_path):
    picture = PIL.Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    path = tmp_path / "palette.png"
    picture.save(path, transparency=0)
    assert read_image(path).tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_grey_becomes_three_equal_channels():
    grey = gradient()[..., 0]
    image = read_image(encode(grey, "PNG"))
    assert np.array_equal(image, np.repeat(grey[..., np.newaxis], 3, axis=2))


@pytest.mark.parametrize("picture_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(picture_format):
    grey = np.array([[0, 257, 32896, 65535]], np.uint16)
    image = read_image(encode(grey, picture_format))
    assert image[0, :, 0].tolist() == [0, 1, 128, 255]
    assert image.shape == (1, 4, 3)


def test_cmyk_jpeg():
    image = read_image(encode(np.full((16, 16, 3), (200, 40, 40), np.uint8), "JPEG", "CMYK"))
    assert np.abs(image.mean(axis=(0, 1)) - (200, 40, 40)).max() < 4


def test_one_bit_and_one_pixel():
    assert read_image(encode(np.array([[255]], np.uint8), "PNG", "1")).tolist() == [[[255] * 3]]


def test_first_frame_of_an_animation(tmp_path):
    frames = [PIL.Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_image(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_broken_off_picture(tmp_path, picture_format, kept):
    content = encode(noise(), picture_format)
    path = tmp_path / "broken.jpg"
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ImageError, match=r"broken\.jpg is damaged"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"hello, world", "not a picture"),
        (b"\xff\xd8\xff", r"damaged \(its header is broken"),
    ],
)
def test_not_a_picture(tmp_path, content, message):
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    for source, name in ((path, "x.jpg"), (content, "the picture")):
        with pytest.raises(ImageError, match=message) as caught:
            read_image(source)
        assert name in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(SourceError, match="cannot read"):
        read_image(tmp_path)


def test_too_large_picture_is_refused_by_its_header(tmp_path):
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png())
    assert path.stat().st_size < 1000
    with pytest.raises(ImageTooLargeError, match="30000 x 30000") as caught:
        read_image(path)
    assert "--max-pixels 900000000" in str(caught.value)


def test_the_limit_is_exact_and_can_be_moved():
    content = encode(gradient(), "PNG")
    with pytest.raises(ImageTooLargeError):
        read_image(content, max_pixels=40 * 60 - 1)
    assert read_image(content, max_pixels=40 * 60).shape == (40, 60, 3)


def test_pillows_own_limit_does_not_stand_in_the_way(monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    assert read_image(encode(gradient(), "PNG")).shape == (40, 60, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_tiles_stay_grey_where_they_are():
    grey = gradient()[..., 0]
    assert np.array_equal(read_tile(encode(grey, "PNG"), name="t"), grey)
    assert read_tile(encode(gradient(), "PNG"), name="t").shape == (40, 60, 3)


def test_find_images(tmp_path):
    for name in ("b.JPG", "a.png", "sub/c.webp", "notes.txt", ".hidden.png", ".cache/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)]
    assert found == ["a.png", "b.JPG", "sub/c.webp"]


def exif_block(order: str = "<", value: int = 6, kind: int = 3, extra: bytes = b"") -> bytes:
    """An EXIF block whose first entry tells the orientation, before any other entries."""
    packed = struct.pack(order + {3: "H2x", 4: "I", 8: "h2x"}[kind], value)
    entries = struct.pack(order + "HHI", 0x112, kind, 1) + packed + extra
    head = b"II*\0" if order == "<" else b"MM\0*"
    count = len(entries) // 12
    return head + struct.pack(order + "IH", 8, count) + entries + bytes(4)


def jpeg_with(block: bytes) -> bytes:
    """A JPEG with an EXIF block as it is."""
    jpeg = encode(gradient(), "JPEG", quality=95)
    segment = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def entry(tag: int, kind: int, count: int, value: int, order: str = "<") -> bytes:
    return struct.pack(order + "HHII", tag, kind, count, value)


ODD_BLOCKS = {
    "big-endian": exif_block(">"),
    "a long": exif_block(kind=4),
    "signed": exif_block(kind=8),
    "a text that is a rational": exif_block(extra=entry(0x10F, 5, 1, 38) + bytes(8)),
    "a rational over zero": exif_block(extra=entry(0x11A, 10, 1, 38)) + b"\xff" * 4 + bytes(4),
    "a date that is a double": exif_block(extra=entry(0x132, 12, 1, 38)) + struct.pack("<d", 1e300),
    "a pointer to nowhere": exif_block(extra=entry(0x8769, 4, 1, 0xFFFFFF00)),
    "a pointer to itself": exif_block(extra=entry(0x8769, 4, 1, 8)),
    "a type that does not exist": exif_block(extra=entry(0x110, 99, 1, 0)),
    "a count of four milliards": exif_block(extra=entry(0x10F, 2, 0xFFFFFFFF, 38)),
    "more entries than there are": exif_block()[:8] + b"\xff\xff" + exif_block()[10:],
    "doubled header": b"Exif\0\0" + exif_block(),
    "a next directory nowhere": exif_block()[:-4] + b"\xff" * 4,
    "a tag of maker's notes without an end": exif_block(extra=entry(0x927C, 7, 1000, 38)),
}
"""EXIF that tells a turn, and something else that is wrong."""


@pytest.mark.parametrize("name", ODD_BLOCKS)
@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP"])
def test_odd_exif_costs_neither_the_picture_nor_its_turn(name, picture_format):
    if picture_format == "JPEG":
        content = jpeg_with(ODD_BLOCKS[name])
    else:
        options = {"exif": ODD_BLOCKS[name], "lossless": True}
        content = encode(gradient(), picture_format, **options)
    image = read_image(content)
    assert image.shape == (60, 40, 3)
    assert np.abs(image.astype(int) - np.rot90(gradient(), -1)).mean() < 2


@pytest.mark.parametrize(
    "block",
    [b"", b"II", b"II*\0", b"no tiff", exif_block(value=9), exif_block(value=0), b"Exif\0\0" * 9],
)
def test_exif_that_tells_no_turn(block):
    image = read_image(jpeg_with(block))
    assert np.abs(image.astype(int) - gradient()).mean() < 2


def test_the_first_directory_tells_the_orientation_and_not_the_thumbnails():
    block = exif_block(value=1)[:-4]
    thumbnail = exif_block(value=8)[8:]
    content = jpeg_with(block + struct.pack("<I", len(block) + 4) + thumbnail)
    assert read_image(content).shape == (40, 60, 3)


def test_orientation_of_tiff_and_of_xmp():
    assert read_image(encode(gradient(), "TIFF", tiffinfo={274: 8})).shape == (60, 40, 3)
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    assert read_image(encode(gradient(), "JPEG", xmp=xmp)).shape == (60, 40, 3)


def png_with(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """A PNG with a chunk before its pixels, whose checksum may be wrong."""
    png = encode(gradient(), "PNG")
    crc = zlib.crc32(kind + content) if checksum is None else checksum
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize(
    "content",
    [
        png_with(b"tEXt", b"Comment\0hello", checksum=1),
        png_with(b"zTXt", b"Comment\0\0not zlib"),
        png_with(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(bytes(80 << 20))),
        png_with(b"iCCP", b"name\0\0broken"),
        png_with(b"pHYs", b"short"),
        png_with(b"eXIf", b"II*\0\xff\xff\xff\xff"),
        png_with(b"cHRM", b""),
    ],
)
def test_what_is_wrong_around_the_pixels_of_a_png(content):
    assert np.array_equal(read_image(content), gradient())


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe2\x00\x10MPF\0" + b"\xff" * 10,
        b"\xff\xe2\x00\x14ICC_PROFILE\0\0\0bad",
        b"\xff\xed\x00\x20Photoshop 3.0\0" + b"8BIM" + b"\xff" * 12,
        b"\xff\xe1\x00\x06Exif",
        b"\xff\xee\x00\x05abc",
    ],
)
def test_what_is_wrong_around_the_pixels_of_a_jpeg(segment):
    jpeg = encode(gradient(), "JPEG", quality=95)
    image = read_image(jpeg[:2] + segment + jpeg[2:])
    assert np.abs(image.astype(int) - gradient()).mean() < 2


class Unforeseen(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [RuntimeError, AttributeError, KeyError, struct.error, TypeError, OverflowError, Unforeseen],
)
@pytest.mark.parametrize("where", ["open", "load"])
def test_whatever_a_decoder_raises_is_damage(monkeypatch, tmp_path, error, where):
    path = tmp_path / "a.webp"
    path.write_bytes(encode(gradient(), "WEBP"))

    def fail(*arguments, **options):
        raise error("a reason")

    from PIL.WebPImagePlugin import WebPImageFile

    monkeypatch.setattr(WebPImageFile, "_open" if where == "open" else "load", fail)
    with pytest.raises(ImageError, match=r"a\.webp is (damaged|not a picture)"):
        read_image(path)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_what_is_no_fault_of_the_picture_passes(monkeypatch, error):
    from PIL.WebPImagePlugin import WebPImageFile

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(WebPImageFile, "load", fail)
    with pytest.raises(error):
        read_image(encode(gradient(), "WEBP"))


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8])
def test_broken_off_avif(kept):
    content = encode(noise(), "AVIF")
    with pytest.raises(ImageError, match="damaged"):
        read_image(content[: int(len(content) * kept)])


def test_a_damaged_tiff_says_so_once(capfd):
    content = bytearray(encode(noise(), "TIFF", compression="tiff_adobe_deflate"))
    content[300:400] = bytes(100)
    with pytest.raises(ImageError, match="damaged"):
        read_image(bytes(content))
    assert capfd.readouterr() == ("", "")


EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n"
    b"newpath 0 0 moveto\nshowpage\n%%EOF\n"
)


def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch):
    started = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {started}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(PIL.EpsImagePlugin, "gs_binary", None)
    with pytest.raises((OSError, SyntaxError)), PIL.Image.open(io.BytesIO(EPS)) as picture:
        picture.load()
    assert started.exists(), "the fake program is not what Pillow would start"
    started.unlink()
    for name in ("a.eps", "photo.jpg"):
        (tmp_path / name).write_bytes(EPS)
        with pytest.raises(ImageError, match="not a picture that can be read"):
            read_image(tmp_path / name)
    assert not started.exists()


@pytest.mark.parametrize("picture_format", ["PCX", "TGA", "ICO", "SGI", "JPEG2000", "PDF"])
def test_formats_that_are_not_of_photos_are_refused(picture_format):
    with pytest.raises(ImageError, match="not a picture that can be read; use JPEG"):
        read_image(encode(gradient(), picture_format))


def test_a_pair_of_photos_in_one_file():
    several = [PIL.Image.fromarray(255 - gradient())]
    image = read_image(encode(gradient(), "MPO", save_all=True, append_images=several))
    assert np.abs(image.astype(int) - gradient()).mean() < 6


def test_what_pictures_are_read_from(tmp_path):
    content = encode(gradient(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with open(path, "rb") as file, PIL.Image.open(path) as picture:
        sources = (content, bytearray(content), memoryview(content), io.BytesIO(content))
        for source in (*sources, path, str(path), file, picture):
            assert np.array_equal(read_image(source), gradient())
        for source in (content, path, picture):
            assert np.array_equal(as_image(source), gradient())


def test_pictures_of_pillow_are_turned_and_laid_on_white():
    exif = PIL.Image.Exif()
    exif[0x112] = 6
    with PIL.Image.open(io.BytesIO(encode(gradient(), "PNG", exif=exif))) as picture:
        assert np.array_equal(read_image(picture), np.rot90(gradient(), -1))
    assert read_image(PIL.Image.new("RGBA", (2, 1))).tolist() == [[[255] * 3] * 2]


def test_arrays_are_pictures_already():
    image = gradient()
    assert as_image(image) is image


@pytest.mark.parametrize("wrong", [None, 7, 1.5, [1, 2], {}, object(), io.StringIO("text")])
def test_what_no_picture_is_read_from(wrong):
    with pytest.raises(SourceError, match=f"got {type(wrong).__name__}") as caught:
        as_image(wrong)
    assert ("cv2.imread gives None" in str(caught.value)) == (wrong is None)


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b.png", "data:image/png;base64," + "A" * 9000])
def test_texts_that_are_no_paths(text):
    with pytest.raises(SourceError, match="cannot read") as caught:
        read_image(text)
    assert len(str(caught.value)) < 300


def test_paths_that_may_not_be_looked_at(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(SourceError, match=r"cannot read .*a\.png: Permission denied"):
        read_image(tmp_path / "a.png")


def test_links_that_lead_nowhere(tmp_path):
    (tmp_path / "a.png").symlink_to("gone.png")
    with pytest.raises(SourceError, match="leads nowhere"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jfif", "b.JPE", "c.HEIC", "d.Jpeg", "e.TIF", "f.pnm"])
def test_endings_that_are_seen_in_folders(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in find_images(tmp_path)] == [name]


@pytest.mark.parametrize("options", [{}, {"quality": 50}, {"subsampling": 0}])
def test_a_jpeg_that_lacks_its_end_alone(options):
    content = encode(noise(), "JPEG", **{"quality": 95, **options})
    assert content.endswith(b"\xff\xd9")
    assert np.array_equal(read_image(content[:-2]), read_image(content))
    for kept in (0.3, 0.6, 0.8):
        with pytest.raises(ImageError, match="damaged"):
            read_image(content[: int(len(content) * kept)])


@pytest.mark.parametrize("kept", [0.2, 0.4, 0.6, 0.8, 0.97])
def test_a_progressive_jpeg_that_breaks_off(kept):
    content = encode(noise(), "JPEG", progressive=True)
    with pytest.raises(ImageError, match="damaged"):
        read_image(content[: int(len(content) * kept)])


def test_the_turn_is_kept_where_something_else_is_wrong():
    jpeg = jpeg_with(exif_block())
    assert read_image(jpeg[:-2]).shape == (60, 40, 3)
    broken = struct.pack(">I", 4) + b"tEXt" + b"abcd" + bytes(4)
    png = encode(gradient(), "PNG", exif=exif_block())
    assert read_image(png[:33] + broken + png[33:]).shape == (60, 40, 3)


def test_a_tiff_of_floats_in_colour_says_what_it_may_be():
    stored = cv2.imencode(".tif", gradient().astype(np.float32) / 255)[1].tobytes()
    with pytest.raises(ImageError, match="of a kind that is not read, such as colours in floats"):
        read_image(stored)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_paths_of_other_classes(tmp_path, as_bytes):
    class Place:
        def __fspath__(self):
            return os.fsencode(tmp_path / "a.png") if as_bytes else str(tmp_path / "a.png")

    (tmp_path / "a.png").write_bytes(encode(gradient(), "PNG"))
    for read in (read_image, as_image):
        assert np.array_equal(read(Place()), gradient())


def test_an_empty_name_is_told():
    with pytest.raises(SourceError, match="name of the picture is empty"):
        as_image("")
