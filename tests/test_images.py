import numpy as np
import PIL.Image
import pytest

from mien.errors import ImageError, ImageTooLargeError, SourceError
from mien.images import find_images, read_image, read_tile
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
        (b"\xff\xd8\xff", "not a picture"),
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
