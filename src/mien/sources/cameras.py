"""Cameras at this computer through OpenCV.

PyAV reads cameras too, but names them differently on every system and has to be told a size and
format that the camera knows; OpenCV finds these itself.
"""

import stat
import struct
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import SourceError, VideoError
from mien.samples import Image
from mien.sources.base import OneWaySource
from mien.sources.files import open_file
from mien.sources.source import Frame, SourceInfo

if TYPE_CHECKING:
    import cv2

_IS_LINUX = sys.platform == "linux"
_DEVICES = Path("/sys/class/video4linux")
_MAX_INDEX = 9
"""Highest camera number that is tried where the system lists none."""
_QUERY_CAPABILITIES = 0x80685600
"""VIDIOC_QUERYCAP. Source: linux/videodev2.h."""
_CAPABILITIES = struct.Struct("=16s32s32sIII12x")
"""struct v4l2_capability: driver, card, bus, version, capabilities, those of this device."""
_HAS_DEVICE_CAPABILITIES = 0x80000000
_CAPTURES = 0x1 | 0x1000
"""V4L2_CAP_VIDEO_CAPTURE or V4L2_CAP_VIDEO_CAPTURE_MPLANE; others are outputs and metadata."""


@dataclass(frozen=True, slots=True)
class CameraEntry:
    """A camera that is connected."""

    index: int
    """Its number, for `Camera`."""
    path: str | None
    """Its device file; None where the system has none."""
    name: str
    """What it calls itself, or ``camera N``."""


class Camera(OneWaySource):
    """The frames of a camera; a live `FrameSource`.

    Args:
        device: its number from 0, or its device file. A video file is played as if it were one,
            as fast as it can be decoded, and ends without an error.
        size: width and height in pixels to ask for; the camera takes the nearest it has.
        frame_rate_hz: frames per second to ask for.

    Raises:
        SourceError: there is no such camera, it may not be read, or it gives no picture.
    """

    def __init__(
        self,
        device: int | str,
        *,
        size: tuple[int, int] | None = None,
        frame_rate_hz: float | None = None,
    ) -> None:
        self._name = f"camera {device}" if isinstance(device, int) else device
        self._opened_s = time.monotonic()
        with _quiet():
            self._capture = _open(device, self._name)
            try:
                _ask(self._capture, size, frame_rate_hz)
                first = self._grab()
                if first is None:
                    raise SourceError(
                        f"{self._name} gives no picture; is another program using it?"
                    )
                info = self._describe(first)
            except BaseException:
                self._capture.release()
                raise
        self._first: Image | None = first
        self._is_file = isinstance(device, str) and Path(device).is_file()
        super().__init__(info)

    def _describe(self, first: Image) -> SourceInfo:
        import cv2

        rate_hz = self._capture.get(cv2.CAP_PROP_FPS)
        height, width = first.shape[:2]
        return SourceInfo(
            self._name,
            width,
            height,
            frame_rate_hz=rate_hz if 0 < rate_hz <= 1000 else None,
            is_live=True,
        )

    def _grab(self) -> Image | None:
        import cv2

        is_there, image_bgr = self._capture.read()
        if not is_there or image_bgr is None or image_bgr.size == 0:
            return None
        return cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

    def _frames(self) -> Generator[Frame]:
        number, last_s = 0, -1.0
        while True:
            if self._first is not None:
                image_rgb, self._first = self._first, None
            else:
                with _quiet():
                    found = self._grab()
                if found is None:
                    break
                image_rgb = found
            # Two reads may fall into one tick of the clock.
            last_s = max(time.monotonic() - self._opened_s, last_s + 1e-6)
            yield Frame(image_rgb, number, last_s)
            number += 1
        if not self._is_file:
            raise VideoError(
                f"{self._name} went away after {last_s:.1f} s; connect it again and start anew"
            )

    def _release(self) -> None:
        self._first = None
        with _quiet():
            self._capture.release()


def list_cameras() -> tuple[CameraEntry, ...]:
    """The cameras that are connected, by number; none of them is switched on where the system
    lists them, as Linux does."""
    if _IS_LINUX:
        found = (_entry(folder) for folder in _DEVICES.glob("video*"))
        return tuple(sorted((entry for entry in found if entry), key=lambda entry: entry.index))
    return tuple(_probe(range(_MAX_INDEX + 1)))


def _entry(folder: Path) -> CameraEntry | None:
    number = folder.name.removeprefix("video")
    device = Path("/dev") / folder.name
    if not number.isdecimal() or not _captures(device):
        return None
    try:
        name = (folder / "name").read_text("utf-8", "replace").strip()
    except OSError:
        name = ""
    return CameraEntry(int(number), str(device), name or f"camera {number}")


def _captures(device: Path) -> bool:
    """Whether a device gives pictures; a device that may not be opened is taken for one."""
    import fcntl

    answer = bytearray(_CAPABILITIES.size)
    try:
        with device.open("rb", buffering=0) as file:
            fcntl.ioctl(file, _QUERY_CAPABILITIES, answer)
    except PermissionError:
        return True
    except OSError as error:
        # In use by a program that has it alone.
        return isinstance(error, BlockingIOError)
    *_, capabilities, own = _CAPABILITIES.unpack(answer)
    return bool((own if capabilities & _HAS_DEVICE_CAPABILITIES else capabilities) & _CAPTURES)


def _probe(indexes: Sequence[int]) -> Iterator[CameraEntry]:
    import cv2

    for index in indexes:
        with _quiet():
            capture = cv2.VideoCapture(index)
            is_there = capture.isOpened()
            capture.release()
        if is_there:
            yield CameraEntry(index, None, f"camera {index}")


def _open(device: int | str, name: str) -> "cv2.VideoCapture":
    import cv2

    if isinstance(device, str):
        _check_device(Path(device))
    is_v4l2 = _IS_LINUX and not (isinstance(device, str) and Path(device).is_file())
    try:
        capture = cv2.VideoCapture(device, cv2.CAP_V4L2 if is_v4l2 else cv2.CAP_ANY)
    except cv2.error as error:
        raise SourceError(f"cannot open {name}: {str(error).splitlines()[0]}") from error
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"there is no {name}, or it may not be used; {_those_there()}")
    return capture


def _check_device(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SourceError(f"there is no camera {path}; {_those_there()}") from error
    if stat.S_ISREG(mode):
        # OpenCV's own FFmpeg prints what is wrong with a file, and says nothing to its caller.
        open_file(path).close()
    elif not stat.S_ISCHR(mode):
        raise SourceError(f"{path} is no camera; {_those_there()}")


def _those_there() -> str:
    # Where cameras are not listed, looking for them would switch on each.
    if not _IS_LINUX:
        return "connect one, or name another number"
    entries = [f"{entry.index} ({entry.name})" for entry in list_cameras()]
    return f"connected: {', '.join(entries)}" if entries else "no camera is connected"


def _ask(
    capture: "cv2.VideoCapture", size: tuple[int, int] | None, frame_rate_hz: float | None
) -> None:
    """Ask for a size and rate; a camera that does not have them keeps its own."""
    import cv2

    if size is not None:
        # Uncompressed pictures above 640 x 480 exceed what USB 2 carries at 30 a second.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    if frame_rate_hz is not None:
        capture.set(cv2.CAP_PROP_FPS, frame_rate_hz)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from printing what is said in an error anyway."""
    from cv2.utils import logging

    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)
