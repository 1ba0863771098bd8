"""The chain of a video: decode -> recognise -> draw, encode and write, all at the same time.

The frames are read in one thread, recognised in the caller's and written in a third, with a few
frames between them: the libraries under them let go of Python's lock while they work.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

from mien.outputs.output import Output
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


def run(
    source: FrameSource,
    recognizer: FrameRecognizer,
    outputs: Sequence[Output] = (),
    *,
    on_result: Callable[[FrameResult], None] | None = None,
) -> int:
    """Take a source through recognition into any number of outputs.

    Whatever ends it, Ctrl-C included: every frame that was recognised is given to the outputs,
    then all of them are closed, and the source too.

    Args:
        source: where the frames come from.
        recognizer: what recognises them; used by the calling thread only.
        outputs: what is written; used by another thread until the end.
        on_result: called with each frame's result, in order, in the calling thread.

    Returns:
        How many frames there were.

    Raises:
        VideoError: the source broke off; what came before is in the outputs.
        OutputError: an output cannot be written; the others hold the frames up to then.
    """
    n_frames = 0
    with ExitStack() as stack:
        for output in outputs:
            stack.callback(output.close)
        behind = stack.enter_context(Behind(_writer(outputs), QUEUED_FRAMES))
        ahead = stack.enter_context(Ahead(source, QUEUED_FRAMES, stop=source.close))
        for frame in ahead:
            result = recognizer.recognize(
                frame.image_rgb, source=source.info.name, frame=frame.number, time_s=frame.time_s
            )
            behind.put((frame, result))
            n_frames += 1
            if on_result is not None:
                on_result(result)
    return n_frames


def _writer(outputs: Sequence[Output]) -> Callable[[tuple[Frame, FrameResult]], None]:
    def write(recognised: tuple[Frame, FrameResult]) -> None:
        for output in outputs:
            output.write(*recognised)

    return write
