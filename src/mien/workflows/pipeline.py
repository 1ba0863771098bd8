"""The chain of a video: decode -> recognise -> draw, encode and write, all at the same time.

The frames are read in one thread, recognised in the caller's and written in a third, with a few
frames between them: the libraries under them let go of Python's lock while they work.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from typing import Protocol

from mien.interrupts import deferred
from mien.outputs.output import FrameTaker
from mien.results import FrameResult
from mien.samples import Image
from mien.sources.source import Frame, FrameSource
from mien.workflows.threads import Ahead, Behind

QUEUED_FRAMES = 4
"""Frames that wait between two steps at most: 8 frames of 4K are 200 MB."""


class FrameRecognizer(Protocol):
    """What recognises the frames of a video, one after the other."""

    def recognize(
        self, image_rgb: Image, *, source: str = "", frame: int = 0, time_s: float = 0.0
    ) -> FrameResult:
        """The faces of one frame; see `mien.recognition.video_recognizer.VideoRecognizer`."""
        ...


def recognized(
    source: FrameSource,
    recognizer: FrameRecognizer,
    takers: Sequence[FrameTaker] = (),
    *,
    idle: Callable[[], None] = lambda: None,
) -> Generator[tuple[Frame, FrameResult]]:
    """Take a source through recognition into any number of takers, frame by frame.

    Whatever ends it, Ctrl-C and closing the iterator included: every frame that was recognised is
    given to the takers, then all of them are closed, and the source too.

    Args:
        source: where the frames come from.
        recognizer: what recognises them; used by the calling thread only.
        takers: outputs and the like; used by another thread until the end.
        idle: called after every frame, and now and then while there is none; what it raises ends
            the chain.

    Yields:
        Each frame with its result, in order.

    Raises:
        VideoError: the source broke off; what came before is with the takers.
        OutputError: an output cannot be written; the others hold the frames up to then.
    """
    with ExitStack() as stack:
        for taker in takers:
            stack.callback(taker.close)
        behind = stack.enter_context(Behind(_writer(takers), QUEUED_FRAMES, idle=idle))
        ahead = stack.enter_context(Ahead(source, QUEUED_FRAMES, stop=source.close, idle=idle))
        for frame in ahead:
            idle()
            result = recognizer.recognize(
                frame.image_rgb, source=source.info.name, frame=frame.number, time_s=frame.time_s
            )
            behind.put((frame, result))
            yield frame, result


def run(
    source: FrameSource,
    recognizer: FrameRecognizer,
    takers: Sequence[FrameTaker] = (),
    *,
    on_result: Callable[[FrameResult], None] | None = None,
) -> int:
    """As `recognized`, to the end.

    Args:
        source: where the frames come from.
        recognizer: what recognises them.
        takers: outputs and the like.
        on_result: called with each frame's result, in order, in the calling thread.

    Returns:
        How many frames there were.

    Raises:
        VideoError, OutputError: as `recognized`.
    """
    n_frames = 0
    with deferred() as interrupt:
        frames = recognized(source, recognizer, takers, idle=interrupt)
        try:
            for _, result in frames:
                n_frames += 1
                if on_result is not None:
                    on_result(result)
        finally:
            # What `on_result` raises ends the chain here, not when the iterator is collected.
            frames.close()
    return n_frames


def _writer(takers: Sequence[FrameTaker]) -> Callable[[tuple[Frame, FrameResult]], None]:
    def write(recognised: tuple[Frame, FrameResult]) -> None:
        for taker in takers:
            taker.write(*recognised)

    return write
