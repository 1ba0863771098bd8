"""The interface of frame sources: something that moves in, RGB frames with their times out.

Implementations lie beside this file, one each; `mien.sources.open_frames` chooses. A new one
has to pass tests/conformance/test_frame_sources.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from mien.samples import Image


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a source."""

    image_rgb: Image
    """uint8 (H, W, 3) RGB, upright; the receiver's own."""
    number: int
    """From 0, in the order of presentation; the numbers of a live source may have gaps."""
    time_s: float
    """Presentation time in seconds: of a file, from the beginning of its timeline, as players
    show it; of a live source, since it was opened. Strictly greater than the frame before."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its frames are read; None where nothing is."""

    name: str
    """Path, address or camera, as the person named it."""
    width_px: int
    """Width of the upright frames."""
    height_px: int
    """Height of the upright frames."""
    frame_rate_hz: float | None = None
    """Frames per second on average, as announced."""
    duration_s: float | None = None
    """Length, as announced."""
    n_frames: int | None = None
    """Number of frames, as announced or estimated from the length; for progress only."""
    origin_s: float = 0.0
    """Time in the file's own clock that is 0 in the frames' times, for what else is read of it."""
    has_audio: bool = False
    """Whether there is sound beside the frames."""
    is_live: bool = False
    """Whether frames come at their own pace and are lost when nobody takes them."""


class FrameSource(Protocol):
    """Frames in the order of presentation, once. Used by one thread; closed by any.

    Opening finds out what the source is: a source that cannot be read raises in its constructor,
    before anything else was begun.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; a source can be gone through once.

        Raises:
            VideoError: the source breaks off or went away. All frames before that were yielded.
        """
        ...

    def close(self) -> None:
        """Let go of the file, connection or device; may be called twice, and ends iteration."""
        ...

    def __enter__(self) -> Self:
        """The source itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the source."""
        ...
