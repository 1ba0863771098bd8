"""Cameras: numbers and device files that are there, are not, or go away. No camera is needed."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.errors import SourceError, VideoError
from mien.sources import cameras
from mien.sources.cameras import Camera, CameraEntry, list_cameras
from video_factory import make_clip, number_of


class FakeCapture:
    """A camera that shows three BGR pictures and is pulled out."""

    def __init__(self, device: int | str, backend: int = 0) -> None:
        self.device = device
        self.left = 3
        self.asked: dict[int, float] = {}
        self.is_open = True

    def isOpened(self) -> bool:
        return self.is_open

    def read(self):
        if not self.left:
            return False, None
        self.left -= 1
        return True, np.full((48, 64, 3), (200, 100, 50), np.uint8)

    def set(self, prop: int, value: float) -> bool:
        self.asked[prop] = value
        return False

    def get(self, prop: int) -> float:
        return 0.0

    def release(self) -> None:
        self.is_open = False


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[FakeCapture]:
    made: list[FakeCapture] = []

    def make(*arguments):
        made.append(FakeCapture(*arguments))
        return made[-1]

    monkeypatch.setattr(cv2, "VideoCapture", make)
    return made


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "video4linux"
    monkeypatch.setattr(cameras, "_IS_LINUX", True)
    monkeypatch.setattr(cameras, "_DEVICES", folder)
    return folder


def test_frames_are_rgb_with_rising_times(fake):
    with Camera(0) as camera, pytest.raises(VideoError, match="camera 0 went away after") as error:
        frames = []
        for frame in camera:
            frames.append(frame)
    assert "connect it again" in str(error.value)
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert frames[0].image_rgb[0, 0].tolist() == [50, 100, 200]
    assert 0 <= frames[0].time_s < frames[1].time_s < frames[2].time_s
    assert camera.info.is_live
    assert camera.info.frame_rate_hz is None
    assert not fake[0].is_open


def test_a_size_and_rate_are_asked_for(fake):
    with Camera(1, size=(1280, 720), frame_rate_hz=60):
        asked = fake[0].asked
    assert fake[0].device == 1
    assert asked[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    assert asked[cv2.CAP_PROP_FRAME_HEIGHT] == 720
    assert asked[cv2.CAP_PROP_FPS] == 60
    with Camera(1):
        assert fake[1].asked == {}


def test_a_camera_that_gives_no_picture(fake, monkeypatch):
    monkeypatch.setattr(FakeCapture, "read", lambda self: (False, None))
    with pytest.raises(SourceError, match="camera 2 gives no picture; is another program using it"):
        Camera(2)
    assert not fake[0].is_open


def test_a_video_file_plays_as_a_camera(tmp_path):
    with Camera(str(make_clip(tmp_path / "a.mp4", 6, codec="mpeg4"))) as camera:
        assert camera.info.frame_rate_hz == 25
        assert [number_of(frame.image_rgb) for frame in camera] == list(range(6))


@pytest.mark.parametrize("device", [0, 57, "/dev/video57"])
def test_a_camera_that_is_not_there(no_devices, device, capfd):
    with pytest.raises(SourceError, match=r"there is no camera .*; no camera is connected"):
        Camera(57 if device == 0 else device)
    assert capfd.readouterr() == ("", "")


def test_the_error_names_those_that_are_there(monkeypatch):
    monkeypatch.setattr(cameras, "_IS_LINUX", True)
    entry = CameraEntry(3, "/dev/video3", "HD Webcam")
    monkeypatch.setattr(cameras, "list_cameras", lambda: (entry,))
    with pytest.raises(SourceError, match=r"connected: 3 \(HD Webcam\)"):
        Camera(57)


def test_what_is_no_camera(no_devices, tmp_path, capfd):
    with pytest.raises(SourceError, match="is no camera"):
        Camera(str(tmp_path))
    (tmp_path / "a.mp4").write_text("text")
    with pytest.raises(SourceError, match="is not a video"):
        Camera(str(tmp_path / "a.mp4"))
    assert capfd.readouterr() == ("", "")


def test_list_on_linux(no_devices, monkeypatch):
    for number, name in ((10, "Second\n"), (0, "First\n"), (1, "First: metadata\n"), (2, "")):
        (no_devices / f"video{number}").mkdir(parents=True)
        (no_devices / f"video{number}" / "name").write_text(name)
    (no_devices / "video").mkdir()
    monkeypatch.setattr(cameras, "_captures", lambda device: device.name != "video1")
    assert list_cameras() == (
        CameraEntry(0, "/dev/video0", "First"),
        CameraEntry(2, "/dev/video2", "camera 2"),
        CameraEntry(10, "/dev/video10", "Second"),
    )


@pytest.mark.parametrize(
    ("capabilities", "own", "captures"),
    [
        (0x84A00001, 0x04200001, True),
        (0x84A00001, 0x04A00000, False),  # the metadata node of a webcam
        (0x00000001, 0, True),
        (0x00000002, 0, False),
        (0x84201000, 0x04201000, True),
    ],
)
def test_only_devices_that_capture(tmp_path, monkeypatch, capabilities, own, captures):
    import fcntl

    def ioctl(file, request, answer):
        assert request == 0x80685600
        assert len(answer) == 104
        struct.pack_into("=II", answer, 84, capabilities, own)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    (tmp_path / "video0").touch()
    assert cameras._captures(tmp_path / "video0") is captures


def test_a_device_that_is_none(tmp_path):
    (tmp_path / "video0").touch()
    assert not cameras._captures(tmp_path / "video0")
    assert not cameras._captures(tmp_path / "video1")


def test_list_elsewhere(fake, monkeypatch):
    monkeypatch.setattr(cameras, "_IS_LINUX", False)
    monkeypatch.setattr(FakeCapture, "isOpened", lambda self: self.device in (0, 2))
    assert list_cameras() == (CameraEntry(0, None, "camera 0"), CameraEntry(2, None, "camera 2"))
    assert [capture.device for capture in fake] == list(range(10))
    assert not any(capture.is_open for capture in fake)
