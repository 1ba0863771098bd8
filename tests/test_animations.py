"""Animated pictures as the frames of a video."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from mien.errors import SourceError, VideoError
from mien.images import read_image
from mien.sources import is_video, open_frames
from mien.sources.animations import is_animation, pages
from mien.sources.inputs import Picture, Video, find_inputs
from video_factory import number_of, numbered_images

FORMATS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG", ".avif": "AVIF"}


def animation(suffix: str, n_frames: int = 4, durations_ms: list[int] | int = 200) -> bytes:
    pictures = [PIL.Image.fromarray(image) for image in numbered_images(n_frames)]
    stream = io.BytesIO()
    pictures[0].save(
        stream,
        FORMATS[suffix],
        save_all=True,
        append_images=pictures[1:],
        duration=durations_ms,
        loop=0,
    )
    return stream.getvalue()


def still(suffix: str) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(next(iter(numbered_images(1)))).save(stream, FORMATS[suffix])
    return stream.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_its_frames_and_their_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"party{suffix.upper()}"
    path.write_bytes(animation(suffix, 4, [200, 400, 200, 200]))
    assert is_animation(path)
    assert is_video(path)
    with open_frames(path) as source:
        info = source.info
        frames = list(source)
    assert (info.width_px, info.height_px, info.n_frames) == (64, 48, 4)
    assert [number_of(frame.image_rgb) for frame in frames] == [0, 1, 2, 3]
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.2, 0.6, 0.8])
    assert frames[0].image_rgb.shape == (48, 64, 3)
    assert frames[0].image_rgb.dtype == np.uint8


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_still_is_a_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(still(suffix))
    assert not is_animation(path)
    assert isinstance(find_inputs(str(path))[0], Picture)


def test_no_time_at_all_is_a_tenth_of_a_second(tmp_path: Path) -> None:
    path = tmp_path / "old.gif"
    path.write_bytes(animation(".gif", 3, 0))
    with open_frames(path) as source:
        assert [frame.time_s for frame in source] == pytest.approx([0, 0.1, 0.2])


def test_in_a_folder_animations_are_videos_and_the_rest_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(animation(".gif"))
    (tmp_path / "b.gif").write_bytes(still(".gif"))
    (tmp_path / "c.webp").write_bytes(animation(".webp"))
    (tmp_path / "d.png").write_bytes(b"x")
    kinds = {str(item.name): type(item) for item in find_inputs(str(tmp_path))}
    assert kinds == {"a.gif": Video, "b.gif": Picture, "c.webp": Video, "d.png": Picture}


def test_as_a_picture_it_is_its_first_frame() -> None:
    assert number_of(read_image(animation(".webp"))) == 0


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    frames = [PIL.Image.new("RGBA", (8, 8), (255, 0, 0, alpha)) for alpha in (0, 255)]
    path = tmp_path / "a.png"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with open_frames(path) as source:
        colours = [frame.image_rgb[0, 0].tolist() for frame in source]
    assert colours == [[255, 255, 255], [255, 0, 0]]


def test_what_is_broken_off_gives_what_it_has(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    pictures = [PIL.Image.fromarray(image) for image in noise]
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    times_s = []
    with open_frames(path) as source, pytest.raises(VideoError, match=r"breaks off at 0\.\d0 s"):
        for frame in source:
            times_s.append(frame.time_s)
    assert len(times_s) >= 3


def test_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(animation(".gif"))
    with pytest.raises(SourceError, match="64 x 48 pixels, more than the limit"):
        open_frames(path, max_pixels=1000)


def test_pages_of_a_tiff_are_counted(tmp_path: Path) -> None:
    page = PIL.Image.new("RGB", (64, 64))
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page, page])
    page.save(tmp_path / "one.tiff")
    page.save(tmp_path / "a.png")
    (tmp_path / "bad.tif").write_bytes(b"II*\0")
    found = {path.name: pages(path) for path in tmp_path.iterdir()}
    assert found == {"pages.tif": 3, "one.tiff": 1, "a.png": 1, "bad.tif": 1}
