"""What `mien recognize` prints while it works: JSON as it comes, bars, and tables at the end."""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mien.cli.console import print_line, progress_bar, warn
from mien.cli.findings import PictureRows, print_video
from mien.results import FrameResult
from mien.workflows.findings import video_findings
from mien.workflows.recognizing import Listener, json_line

if TYPE_CHECKING:
    from mien.sources.source import SourceInfo
    from mien.workflows.videos import VideoRun


class Terminal(Listener):
    """A listener that prints; a context manager, which takes its bar away.

    Args:
        as_json: print JSON as it comes, and nothing else.
        names: what the table calls pictures, by their paths; the path of those that have none.
    """

    def __init__(self, *, as_json: bool, names: Mapping[str, str] | None = None) -> None:
        self._as_json = as_json
        self._found = PictureRows(names)
        self._bar = ExitStack()
        self._show_frame: Callable[[int, int], None] = lambda done, total: None
        self._n_frames = 0
        self.show: Callable[[int, int], None] = lambda done, total: None
        """Shows (inputs done, inputs in all)."""

    @property
    def is_quiet(self) -> bool:
        """Whether a bar may be drawn: not where JSON goes to the same terminal."""
        return not (self._as_json and sys.stdout.isatty())

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        self._bar.close()

    def close(self) -> None:
        """Let go of what is kept; may be called twice."""
        self._found.close()

    def problem(self, line: str) -> None:
        """Warn."""
        warn(line)

    def notice(self, line: str) -> None:
        """Warn."""
        warn(line)

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self.show(done, total)

    def picture(self, result: FrameResult) -> None:
        """Print JSON, or keep the result for the table at the end."""
        if self._as_json:
            print_line(json_line(result))
        else:
            self._found.add(result)

    def video_begins(self, info: "SourceInfo") -> None:
        """Begin a bar."""
        self._n_frames = info.n_frames or 0
        name = Path(info.name).name
        self._show_frame = self._bar.enter_context(progress_bar(name, shown=self.is_quiet))

    def frame(self, result: FrameResult) -> None:
        """Move the bar, and print JSON."""
        self._show_frame(result.frame + 1, max(self._n_frames, result.frame + 1))
        if self._as_json:
            print_line(json_line(result))

    def pictures_cut_short(self, done: int, total: int, reason: BaseException) -> None:
        """Say what the files hold."""
        self._bar.close()
        warn(f"{_cause(reason)}; files hold the first {done:,} of {total:,}")

    def video_cut_short(self, info: "SourceInfo", up_to_s: float, reason: BaseException) -> None:
        """Say what the files hold."""
        warn(f"{_cause(reason)}; files hold {Path(info.name).name} up to {up_to_s:.1f} s")

    def video_ends(self, run: "VideoRun") -> None:
        """Print what the video showed."""
        self._bar.close()
        if not self._as_json:
            print_video(video_findings(run))

    def print_pictures(self) -> None:
        """Print what the pictures showed, if that was not printed as it came."""
        self._found.print()


def _cause(reason: BaseException) -> str:
    return "stdout closed" if isinstance(reason, BrokenPipeError) else "interrupted"
