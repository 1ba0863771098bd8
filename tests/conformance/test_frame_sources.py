"""What every frame source must do; a new one is added to `SOURCES`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from mien.errors import SourceError
from mien.sources.animations import AnimatedPicture
from mien.sources.arrays import ArrayFrames
from mien.sources.cameras import Camera
from mien.sources.files import VideoFile
from mien.sources.folders import PictureFolder
from mien.sources.network import NetworkStream
from mien.sources.source import FrameSource
from stream_factory import http, serving
from video_factory import make_clip, number_of, numbered_images

N_FRAMES = 12
SIZE = (64, 48)


def picture_folder(folder: Path, stack: ExitStack) -> FrameSource:
    for number, image in enumerate(numbered_images(N_FRAMES, *SIZE)):
        PIL.Image.fromarray(image).save(folder / f"frame_{number}.png")
    return PictureFolder(folder, 25)


def animation(folder: Path, stack: ExitStack) -> FrameSource:
    first, *others = map(PIL.Image.fromarray, numbered_images(N_FRAMES, *SIZE))
    first.save(folder / "a.webp", save_all=True, append_images=others, duration=40, quality=95)
    return AnimatedPicture(folder / "a.webp")


def web_file(folder: Path, stack: ExitStack) -> FrameSource:
    body = make_clip(folder / "a.ts", N_FRAMES, size=SIZE).read_bytes()
    port = stack.enter_context(serving(http(body, announced=len(body))))
    return NetworkStream(f"http://127.0.0.1:{port}/a.ts")


def live_stream(folder: Path, stack: ExitStack) -> FrameSource:
    body = make_clip(folder / "a.ts", N_FRAMES, size=SIZE).read_bytes()
    port = stack.enter_context(serving(http(body)))
    return NetworkStream(f"http://127.0.0.1:{port}/a.ts", retries=0)


SOURCES: dict[str, Callable[[Path, ExitStack], FrameSource]] = {
    "file": lambda folder, stack: VideoFile(make_clip(folder / "a.mp4", N_FRAMES, size=SIZE)),
    "variable": lambda folder, stack: VideoFile(
        make_clip(
            folder / "a.mkv", N_FRAMES, size=SIZE, times_s=[n * n / 100 for n in range(N_FRAMES)]
        )
    ),
    "turned": lambda folder, stack: VideoFile(
        make_clip(folder / "a.mov", N_FRAMES, size=SIZE[::-1], rotation=90)
    ),
    "odd": lambda folder, stack: VideoFile(
        make_clip(folder / "a.mkv", N_FRAMES, size=(63, 47), codec="ffv1", pixel_format="yuv444p")
    ),
    "web": web_file,
    "live": live_stream,
    "camera": lambda folder, stack: Camera(
        str(make_clip(folder / "a.mp4", N_FRAMES, size=SIZE, codec="mpeg4"))
    ),
    "folder": picture_folder,
    "animation": animation,
    "array": lambda folder, stack: ArrayFrames(np.stack(list(numbered_images(N_FRAMES, *SIZE)))),
    "generator": lambda folder, stack: ArrayFrames(numbered_images(N_FRAMES, *SIZE)),
}


@pytest.fixture(params=SOURCES)
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FrameSource]:
    monkeypatch.delenv("http_proxy", raising=False)
    with ExitStack() as stack:
        opened = SOURCES[request.param](tmp_path, stack)
        stack.callback(opened.close)
        yield opened


def taken(source: FrameSource) -> list:
    """All frames; a live source ends in an error when the other side does."""
    frames = []
    try:
        for frame in source:
            frames.append(frame)
    except SourceError:
        assert source.info.is_live
    return frames


def test_frames(source):
    info = source.info
    assert info.name
    frames = taken(source)
    assert len(frames) == N_FRAMES
    assert [frame.number for frame in frames] == list(range(N_FRAMES))
    for frame in frames:
        assert frame.image_rgb.shape == (info.height_px, info.width_px, 3)
        assert frame.image_rgb.dtype == np.uint8
        assert frame.image_rgb.flags.c_contiguous
        assert frame.image_rgb.flags.writeable
        assert isinstance(frame.time_s, float)
    # Order, and red, green and blue in their corners: the pictures are upright.
    assert [number_of(frame.image_rgb) for frame in frames] == list(range(N_FRAMES))


def test_corners(source):
    image = next(iter(source)).image_rgb.astype(int)
    corners = [image[3, 3], image[3, -4], image[-4, 3], image[-4, -4]]
    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    if source.info.name.endswith(".mov"):  # turned by 90 degrees to the left
        expected = [expected[1], expected[3], expected[0], expected[2]]
    assert np.abs(np.array(corners) - expected).max() < 40


def test_times_strictly_increase(source):
    times = [frame.time_s for frame in taken(source)]
    assert times[0] >= 0
    assert all(earlier < later for earlier, later in pairwise(times))


def test_info_is_about_what_comes(source):
    info = source.info
    assert (info.width_px, info.height_px) in (SIZE, (63, 47))
    assert info.frame_rate_hz is None or info.frame_rate_hz > 0
    if info.is_live:
        assert info.n_frames is None
        assert info.duration_s is None
    times = [frame.time_s for frame in taken(source)]
    assert source.info is info
    if info.duration_s is not None and not info.name.endswith("mkv"):
        assert times[-1] < info.duration_s < times[-1] + 0.1


def test_a_frame_is_the_receivers_own(source):
    frames = iter(source)
    first = next(frames)
    kept = first.image_rgb.copy()
    second = next(frames)
    assert np.array_equal(first.image_rgb, kept)
    second.image_rgb[:] = 0
    assert np.array_equal(first.image_rgb, kept)
    assert number_of(next(frames).image_rgb) == 2


def test_closing_twice(source):
    source.close()
    source.close()
    assert list(source) == []


def test_closing_ends_iteration(source):
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []
    assert list(source) == []


def test_closing_after_the_end(source):
    assert taken(source)
    source.close()
    source.close()
    assert list(source) == []


def test_the_block_closes(source):
    with source as inside:
        assert inside is source
        next(iter(inside))
    assert list(source) == []


def test_a_source_is_gone_through_once(source):
    assert len(taken(source)) == N_FRAMES
    with pytest.raises(RuntimeError, match="once"):
        iter(source)


def test_closing_from_another_thread(source):
    def close_soon() -> None:
        began.wait(5)
        source.close()

    began = threading.Event()
    thread = threading.Thread(target=close_soon)
    thread.start()
    frames = []
    for frame in source:
        frames.append(frame)
        began.set()
        thread.join(5)
    assert len(frames) == 1
    assert not thread.is_alive()


def test_closing_while_a_frame_is_read(source):
    """From many threads, at any moment: no crash, no error, no frame afterwards."""
    taker = threading.Thread(target=taken, args=(source,))
    closers = [threading.Thread(target=source.close) for _ in range(4)]
    taker.start()
    for closer in closers:
        closer.start()
    for thread in (taker, *closers):
        thread.join(5)
        assert not thread.is_alive()
    assert list(source) == []


def test_nothing_is_printed(source, capfd):
    taken(source)
    source.close()
    assert capfd.readouterr() == ("", "")
