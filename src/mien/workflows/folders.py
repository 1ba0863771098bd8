"""All pictures and videos of a folder in one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import SourceError
from mien.outputs.dataframe import to_dataframe
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.smoothing import HALF_LIFE_S
from mien.reports.notebook import pictures_html, video_html
from mien.reports.wording import counted
from mien.results import FrameResult, Tta
from mien.sources.source import SourceInfo
from mien.workflows.files import Paths, WantedFiles, paths_of
from mien.workflows.recognizing import Job, Listener, plan
from mien.workflows.videos import VideoResult, VideoRun

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, repr=False)
class FolderResult:
    """What was found in the pictures and videos of a folder; notebooks show it."""

    pictures: tuple[FrameResult, ...]
    """The pictures, in the order of their names."""
    videos: tuple[VideoResult, ...]
    """The videos, in the order of their names."""
    problems: tuple[str, ...]
    """A line for everything that could not be read, or broke off."""
    left_out: tuple[str, ...] = ()
    """A line for each folder that was named, on what in it is no picture and no video."""

    def __repr__(self) -> str:
        """One line, however large the folder is."""
        return (
            f"FolderResult({counted(len(self.pictures), 'picture')}, "
            f"{counted(len(self.videos), 'video')}, {counted(len(self.problems), 'problem')})"
        )

    def _repr_html_(self) -> str:
        videos = "".join(video_html(video.info, video.summary) for video in self.videos)
        return pictures_html(self.pictures, self.problems) + videos

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per face, of pictures and of the frames of videos; see `mien.to_dataframe`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        frames = [frame for video in self.videos for frame in video.frames]
        return to_dataframe([*self.pictures, *frames])


class _Collector(Listener):
    def __init__(
        self,
        on_problem: Callable[[str], None] | None,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.pictures: list[FrameResult] = []
        self.videos: list[VideoResult] = []
        self.problems: list[str] = []
        self._frames: list[FrameResult] = []
        self._on_problem = on_problem
        self._on_progress = on_progress

    def problem(self, line: str) -> None:
        self.problems.append(line)
        if self._on_problem is not None:
            self._on_problem(line)

    def notice(self, line: str) -> None:
        if self._on_problem is not None:
            self._on_problem(line)

    def progress(self, done: int, total: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, total)

    def picture(self, result: FrameResult) -> None:
        self.pictures.append(result)

    def video_begins(self, info: SourceInfo) -> None:
        self._frames = []

    def frame(self, result: FrameResult) -> None:
        self._frames.append(result)

    def video_ends(self, run: VideoRun) -> None:
        self.videos.append(
            VideoResult(run.info, tuple(self._frames), run.sums.segments, run.sums.summary)
        )


def recognize_folder(
    folder: str | Path | Sequence[str | Path],
    *,
    model: str | Path | Classifier = "default",
    detector: str | FaceDetector = "auto",
    out: Path | str | None = None,
    table: Paths = (),
    min_confidence: float = 0.0,
    tta: Tta = "none",
    half_life_s: float = HALF_LIFE_S,
    search_side_px: int | None = None,
    max_pixels: int | None = None,
    offline: bool = False,
    workers: int = 1,
    on_problem: Callable[[str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> FolderResult:
    """Recognise the expressions in all pictures and videos of a folder and of those in it.

    What cannot be read is named among the result's problems; the others are done all the same.

    Args:
        folder: a folder, or any number of folders and files.
        model: as in `Recognizer`.
        detector: as in `Recognizer`.
        out: a folder for annotated copies.
        table: ``.csv``, ``.jsonl`` or ``.parquet``, over all; one path or several.
        min_confidence: as in `Recognizer`.
        tta: as in `Recognizer`.
        half_life_s: for videos, as in `VideoRecognizer`.
        search_side_px: for videos, as in `VideoRecognizer`.
        max_pixels: largest picture or frame that is decoded; 100 and 67 million where None.
        offline: never touch the network.
        workers: processes that recognise many pictures; a detector is named then.
        on_problem: called with each problem as it comes, and where Haar stands in for YuNet.
        on_progress: called with (inputs done, inputs in all).

    Raises:
        SourceError: there is no such folder, or it holds no pictures and no videos.
        ValueError: a value that means nothing.
        OutputError: a file cannot be written.
        ModelError, WeightsError, DetectorError: as `Recognizer`.
        MissingExtraError: a file needs a library that is not installed.
    """
    sources = [folder] if isinstance(folder, str | Path) else list(folder)
    found = _Collector(on_problem, on_progress)
    left_out: list[str] = []
    planned = plan(
        [str(source) for source in sources],
        files=WantedFiles(tables=paths_of(table)),
        out=None if out is None else str(out),
        on_problem=found.problem,
        on_left_out=left_out.append,
    )
    if not planned.inputs and planned.problems:
        raise SourceError(planned.problems[0])
    job = Job(
        model,
        detector,
        found,
        offline=offline,
        search_side_px=search_side_px,
        half_life_s=half_life_s,
        min_confidence=min_confidence,
        tta=tta,
        max_pixels=max_pixels,
        keep_segments=True,
        workers=workers,
    )
    job.run(planned)
    return FolderResult(
        tuple(found.pictures), tuple(found.videos), tuple(found.problems), tuple(left_out)
    )
