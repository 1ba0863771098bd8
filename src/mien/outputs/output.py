"""The interface of outputs: frames and their results in, one file out.

Implementations lie beside this file; `mien.workflows.pipeline` feeds any number of them at once.
"""

from pathlib import Path
from typing import Protocol

from mien.results import FrameResult
from mien.sources.source import Frame


class FrameTaker(Protocol):
    """What takes the frames of one source and what was recognised in them, one after the other.

    Used by one thread at a time.
    """

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one frame and what was recognised in it; frames come in the order of their times.

        Raises:
            OutputError: as in `Output.write`.
        """
        ...

    def close(self) -> None:
        """There are no more frames; may be called twice.

        Raises:
            OutputError: as in `Output.write`.
        """
        ...


class Output(FrameTaker, Protocol):
    """A file that grows with the frames of one source.

    Nothing is written before the first frame, so a source that cannot be read leaves what stood
    at the path. From then on the file is at its place and holds what came before a crash; only
    what sums up a whole video, segments and timeline, appears when it is closed.
    """

    @property
    def path(self) -> Path:
        """Where it is written."""
        ...

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one frame and what was recognised in it; frames come in the order of their times.

        Raises:
            OutputError: the file cannot be written; what was written before stays readable once
                the output is closed.
        """
        ...

    def close(self) -> None:
        """Complete the file; may be called twice. Without a frame, an empty but valid file; where
        a format has none, as MP4, no file.

        Raises:
            OutputError: as in `write`.
        """
        ...
