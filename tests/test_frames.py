"""Folders and arrays as frames, and what a source is taken for."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from mien.errors import SourceError, VideoError
from mien.sources import VIDEO_SUFFIXES, find_videos, is_video, open_frames
from mien.sources.arrays import ArrayFrames
from mien.sources.files import VideoFile
from mien.sources.folders import PictureFolder
from video_factory import make_clip, make_sound, number_of, numbered_images


def save(folder: Path, *names: str, size: tuple[int, int] = (64, 48)) -> Path:
    for name, image in zip(names, numbered_images(len(names), *size), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(image).save(folder / name)
    return folder


# --- folders


def test_numbers_in_names_count_as_numbers(tmp_path):
    save(tmp_path, "frame_1.png", "frame_2.png", "frame_10.png", "frame_0100.png", "shot.png")
    with PictureFolder(tmp_path, 4) as source:
        assert source.info.n_frames == 5
        assert source.info.duration_s == 1.25
        frames = list(source)
    assert [number_of(frame.image_rgb) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time_s for frame in frames] == [0, 0.25, 0.5, 0.75, 1]


def test_parts_of_a_folder_come_one_after_the_other(tmp_path):
    save(tmp_path, "2/1.png", "2/12.png", "10/1.png", "10/3.png")
    assert [number_of(frame.image_rgb) for frame in PictureFolder(tmp_path, 25)] == [0, 1, 2, 3]


def test_a_broken_picture_breaks_off_at_its_place(tmp_path):
    save(tmp_path, *(f"{number}.png" for number in range(5)))
    content = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(content[: len(content) // 2])
    frames = []
    with pytest.raises(VideoError, match=r"breaks off at 0\.12 s: .*3\.png is damaged"):
        for frame in PictureFolder(tmp_path, 25):
            frames.append(frame)
    assert len(frames) == 3


def test_a_picture_of_another_size(tmp_path):
    save(tmp_path, "1.png", "2.png")
    save(tmp_path, "3.png", size=(60, 48))
    with pytest.raises(
        VideoError, match=r"3\.png has 60 x 48 pixels, .* 64 x 48; bring all to one"
    ):
        list(PictureFolder(tmp_path, 25))


def test_folders_that_hold_no_frames(tmp_path):
    with pytest.raises(SourceError, match="holds no pictures"):
        PictureFolder(tmp_path, 25)
    with pytest.raises(SourceError, match="no such folder"):
        PictureFolder(tmp_path / "b", 25)
    (tmp_path / "1.png").write_text("text")
    with pytest.raises(SourceError, match=r"1\.png is not a picture"):
        PictureFolder(tmp_path, 25)
    save(tmp_path, "1.png")
    with pytest.raises(SourceError, match="more than the limit"):
        PictureFolder(tmp_path, 25, max_pixels=100)


# --- arrays


def test_given_times():
    images = np.stack(list(numbered_images(3)))
    with ArrayFrames(images, times_s=[0.5, 0.6, 4], frame_rate_hz=10, name="mine") as source:
        assert source.info.name == "mine"
        assert source.info.duration_s == pytest.approx(4.1)
        assert [frame.time_s for frame in source] == [0.5, 0.6, 4]


def test_a_generator_is_taken_from_as_it_is_needed():
    taken = []

    def images():
        for image in numbered_images(5):
            taken.append(image)
            yield image

    source = ArrayFrames(images())
    assert source.info.n_frames is None
    assert source.info.duration_s is None
    frames = iter(source)
    next(frames)
    next(frames)
    assert len(taken) == 2
    assert len(list(frames)) == 3


def test_pictures_are_copied():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    first, _ = ArrayFrames(images)
    first.image_rgb[:] = 9
    assert images.max() == 0


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((1, 8, 8), np.uint8), {}, r"picture 0: expected uint8 \(H, W, 3\) RGB"),
        (np.zeros((1, 8, 8, 3)), {}, "picture 0: expected uint8 .*got float64"),
        (np.zeros((1, 0, 8, 3), np.uint8), {}, "picture 0: expected uint8"),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times_s": [0]}, "expected 2 times"),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times_s": [0, 0]}, "strictly increase"),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times_s": [-1, 0]}, "strictly increase"),
        (np.zeros((2, 8, 8, 3), np.uint8), {"times_s": [0, np.nan]}, "strictly increase"),
        (np.zeros((1, 8, 8, 3), np.uint8), {"frame_rate_hz": 0}, "frame rate above 0"),
        (np.zeros((1, 8, 8, 3), np.uint8), {"frame_rate_hz": np.inf}, "frame rate above 0"),
    ],
)
def test_impossible_arrays(images, options, message):
    with pytest.raises(ValueError, match=message):
        ArrayFrames(images, **options)


def test_no_pictures():
    with pytest.raises(SourceError, match="holds no pictures"):
        ArrayFrames([])


def test_pictures_that_change_on_the_way():
    images = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]
    with pytest.raises(ValueError, match=r"picture 1: expected uint8 \(8, 8, 3\)"):
        list(ArrayFrames(images))
    with pytest.raises(ValueError, match="expected 1 pictures, as many as times"):
        list(ArrayFrames(numbered_images(2), times_s=[0]))


# --- open_frames


def test_sources_by_what_they_are(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "mien.sources.cameras.Camera", lambda device, **o: opened.append((device, o))
    )
    monkeypatch.setattr(
        "mien.sources.network.NetworkStream", lambda address, **o: opened.append(address)
    )
    for camera in (0, "1", "/dev/video3"):
        open_frames(camera, frame_rate_hz=30)
    open_frames("rtsp://host/1")
    assert opened == [
        (0, {"frame_rate_hz": 30}),
        (1, {"frame_rate_hz": 30}),
        ("/dev/video3", {"frame_rate_hz": 30}),
        "rtsp://host/1",
    ]


def test_files_and_folders(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", 3)
    folder = save(tmp_path / "frames", "1.png", "2.png")
    with open_frames(clip) as source, open_frames(str(clip)) as other:
        assert isinstance(source, VideoFile)
        assert len(list(source)) == len(list(other)) == 3
    with open_frames(folder, frame_rate_hz=5) as source:
        assert isinstance(source, PictureFolder)
        assert len(list(source)) == 2
    with pytest.raises(SourceError, match="is a folder; say how many of its pictures"):
        open_frames(folder)
    with pytest.raises(SourceError, match="no such file"):
        open_frames(tmp_path / "b.mp4")
    for source in (clip, folder):
        with pytest.raises(SourceError, match="more than the limit"):
            open_frames(source, frame_rate_hz=5, max_pixels=100)


def test_a_folder_named_like_a_camera(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "0", "1.png")
    with open_frames("0", frame_rate_hz=5) as source:
        assert len(list(source)) == 1


def test_warnings_of_a_file_arrive(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), dtype=np.uint8)
    path = make_clip(tmp_path / "a.mkv", noise, stream={"gop_size": 10})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    told: list[str] = []
    with open_frames(path, on_event=told.append) as source:
        assert len(list(source)) >= 30
    assert len(told) == 1
    assert "passed over" in told[0]


def test_is_video(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", 3)
    for name in ("b.MP4", "b.xyz", "b"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        assert is_video(tmp_path / name)
    make_sound(tmp_path / "sound.m4a")
    assert is_video(tmp_path / "sound.m4a")
    save(tmp_path, "c.png")
    (tmp_path / "d").write_bytes((tmp_path / "c.png").read_bytes())
    (tmp_path / "e.txt").write_text("text " * 500)
    (tmp_path / "f.gif").touch()
    for name in ("c.png", "d", "e.txt", "f.gif"):
        assert not is_video(tmp_path / name)
    # By its ending alone: what is wrong with it is told when it is opened.
    (tmp_path / "g.mkv").write_text("text")
    assert is_video(tmp_path / "g.mkv")


def test_find_videos(tmp_path):
    for name in ("b.mp4", "a/c.MOV", "a/d.png", ".hidden.mp4", ".git/e.mp4", "f.gif", "g.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.mp4").mkdir()
    assert find_videos(tmp_path) == [tmp_path / "a" / "c.MOV", tmp_path / "b.mp4"]


def test_suffixes_are_lower_case_and_no_pictures():
    from mien.images import IMAGE_SUFFIXES

    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in VIDEO_SUFFIXES)
    assert not VIDEO_SUFFIXES & IMAGE_SUFFIXES
