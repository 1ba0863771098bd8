"""A folder of pictures as the frames of one video."""

import re
from collections.abc import Generator
from pathlib import Path

from mien.errors import SourceError, VideoError
from mien.finding import look_at
from mien.images import MAX_PIXELS, find_images, read_image
from mien.samples import Image
from mien.sources.arrays import check_rate
from mien.sources.base import OneWaySource
from mien.sources.source import Frame, SourceInfo


class PictureFolder(OneWaySource):
    """The pictures of a folder and of those in it, in natural order; a `FrameSource`.

    Numbers in names count as numbers: ``frame_2`` comes before ``frame_10``. Pictures are read
    when their turn comes; only the first one is read at once, for the size.

    Args:
        path: the folder.
        frame_rate_hz: pictures per second.
        max_pixels: width times height above which a picture is refused by its header.

    Raises:
        SourceError: the folder cannot be read or holds no pictures, or the first one is broken.
        ValueError: the rate is not positive.
    """

    def __init__(
        self, path: Path | str, frame_rate_hz: float, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        check_rate(frame_rate_hz)
        folder = Path(path)
        if look_at(folder) != "folder":
            raise SourceError(f"no such folder: {folder}")
        self._paths = sorted(
            find_images(folder), key=lambda found: _natural(str(found.relative_to(folder)))
        )
        if not self._paths:
            raise SourceError(f"{folder} holds no pictures; name a folder of JPEG or PNG files")
        self._frame_rate_hz = frame_rate_hz
        self._max_pixels = max_pixels
        self._first: Image | None = read_image(self._paths[0], max_pixels=max_pixels)
        height, width = self._first.shape[:2]
        n_frames = len(self._paths)
        super().__init__(
            SourceInfo(
                str(path),
                width,
                height,
                frame_rate_hz=float(frame_rate_hz),
                duration_s=n_frames / frame_rate_hz,
                n_frames=n_frames,
            )
        )

    def _frames(self) -> Generator[Frame]:
        for number, path in enumerate(self._paths):
            time_s = number / self._frame_rate_hz
            if self._first is not None:
                image_rgb, self._first = self._first, None
            else:
                image_rgb = self._read_picture(path, time_s)
            yield Frame(image_rgb, number, time_s)

    def _read_picture(self, path: Path, time_s: float) -> Image:
        try:
            image_rgb = read_image(path, max_pixels=self._max_pixels)
        except SourceError as error:
            raise VideoError(f"{self.info.name} breaks off at {time_s:.2f} s: {error}") from error
        height, width = image_rgb.shape[:2]
        if (width, height) != (self.info.width_px, self.info.height_px):
            raise VideoError(
                f"{path} has {width} x {height} pixels, the first picture of its folder "
                f"{self.info.width_px} x {self.info.height_px}; bring all to one size"
            )
        return image_rgb

    def _release(self) -> None:
        self._first = None


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Key that orders numbers in names by their value."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
