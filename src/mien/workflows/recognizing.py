"""Pictures and videos, one after the other, with every file that is wanted of them.

`plan` finds out what was named and where files go, before any work; `Job` does it and tells a
`Listener` what it found. The command, Python and other front ends differ in their listeners only.
"""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import MienError, SourceError, VideoError
from mien.outputs.rows import json_line
from mien.outputs.tables import Table
from mien.paths import check_outputs
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.recognizer import Recognizer
from mien.recognition.turning import Rotate
from mien.results import FrameResult, Tta
from mien.sources.animations import pages
from mien.sources.inputs import Input, Picture, Video, find_inputs
from mien.sources.source import SourceInfo
from mien.workflows.copies import plan_copies
from mien.workflows.files import WantedFiles
from mien.workflows.picture_batches import (
    FEWEST_PICTURES,
    PictureOutcome,
    recognize_picture,
    recognize_pictures,
)
from mien.workflows.workers import spec_of

if TYPE_CHECKING:
    from mien.recognition.video_recognizer import VideoRecognizer
    from mien.workflows.videos import VideoRun

__all__ = [
    "Job",
    "Listener",
    "OneVideoError",
    "Plan",
    "WantedFiles",
    "json_line",
    "plan",
]


class OneVideoError(MienError):
    """A file about one video was asked for, and not one video was named."""

    def __init__(self, inputs: Sequence[Input], what: str) -> None:
        n_videos = sum(isinstance(item, Video) for item in inputs)
        first = inputs[0].path or inputs[0].name
        if n_videos:
            words = f"is about one video, and {n_videos} were named; name them one at a time"
        elif len(inputs) == 1:
            words = f"is about a video, and {first} is a photo; for photos: --table FILE"
        else:
            words = (
                f"is about a video, and all {len(inputs)} inputs are photos, as {first}; for "
                "photos: --table FILE"
            )
        super().__init__(words)
        self.what = what
        """``segments`` or ``timeline``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done; nothing was written yet."""

    inputs: tuple[Input, ...]
    """The pictures and videos, in order."""
    copies: tuple[Path | None, ...]
    """Where each one's annotated copy goes; None where none is wanted."""
    files: WantedFiles
    """What else is written."""
    problems: tuple[str, ...]
    """A line for every source, and every folder in a folder, that cannot be read at all."""

    @property
    def names(self) -> dict[str, str]:
        """What a table calls each picture, by its path: below the folder that was named, or its
        file name; the path itself where several would be called the same."""
        of_paths = {str(item.path): str(item.name) for item in self.inputs if item.path}
        counts = Counter(of_paths.values())
        return {path: name for path, name in of_paths.items() if counts[name] == 1}

    @property
    def threads(self) -> int | None:
        """Processor threads of detector and classifier, as in `Recognizer`."""
        from mien.model.sessions import VIDEO_THREADS

        return VIDEO_THREADS if self.n_videos == len(self.inputs) else None

    @property
    def n_videos(self) -> int:
        """How many of the inputs are videos."""
        return sum(isinstance(item, Video) for item in self.inputs)


class Listener:
    """Hears what a `Job` finds, and does nothing with it. Front ends override what they need."""

    def problem(self, line: str) -> None:
        """Something could not be read, or a stream was opened again."""

    def notice(self, line: str) -> None:
        """Something is worth knowing, as that one detector stands in for another."""

    def progress(self, done: int, total: int) -> None:
        """So many inputs are done."""

    def picture(self, result: FrameResult) -> None:
        """A picture was recognised."""

    def pictures_cut_short(self, done: int, total: int, reason: BaseException) -> None:
        """Files hold so many of all inputs, since somebody or something ended the work."""

    def video_begins(self, info: SourceInfo) -> None:
        """A video was opened."""

    def frame(self, result: FrameResult) -> None:
        """A frame of it was recognised."""

    def video_cut_short(self, info: SourceInfo, up_to_s: float, reason: BaseException) -> None:
        """Files hold the video up to this time, since somebody or something ended the work."""

    def video_ends(self, run: "VideoRun") -> None:
        """A video is over; its files are complete."""


def plan(
    sources: Sequence[str],
    *,
    files: WantedFiles | None = None,
    out: str | None = None,
    frame_rate_hz: float | None = None,
    on_problem: Callable[[str], None] = lambda line: None,
    on_left_out: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Find the inputs, and check every output before the work.

    Args:
        sources: photos, videos, folders of them, and addresses.
        files: tables over all, and files about one video.
        out: where annotated copies go: a folder, or a file for one input.
        frame_rate_hz: the pictures of a folder are the frames of one video, so many a second.
        on_problem: called with a line for every source, and every folder in a folder, that cannot
            be read at all.
        on_left_out: called with a line about each folder, on what in it is no picture and no
            video.

    Raises:
        OneVideoError: segments or a timeline are wanted of none or of several videos.
        OutputError: an output cannot be written, or would overwrite a source or another one.
    """
    files = files or WantedFiles()
    inputs: list[Input] = []
    problems: list[str] = []

    def fail(line: str) -> None:
        problems.append(line)
        on_problem(line)

    for source in sources:
        try:
            inputs.extend(
                find_inputs(
                    source,
                    frame_rate_hz=frame_rate_hz,
                    on_left_out=on_left_out,
                    on_failure=fail,
                )
            )
        except SourceError as error:
            fail(str(error))
    n_videos = sum(isinstance(item, Video) for item in inputs)
    if inputs and (files.segments or files.timelines) and n_videos != 1:
        raise OneVideoError(inputs, "segments" if files.segments else "timeline")
    files.check()
    copies = plan_copies(inputs, out) if out is not None else []
    check_outputs([*copies, *files.paths], [item.path for item in inputs if item.path is not None])
    return Plan(tuple(inputs), tuple(copies) or (None,) * len(inputs), files, tuple(problems))


@dataclass(slots=True)
class Job:
    """Recognises one input after the other; what pictures and videos need is loaded once."""

    model: str | Path | Classifier | Callable[[], Classifier] = "default"
    """As in `Recognizer`; or what opens it, called once, when it is needed."""
    detector: str | FaceDetector = "auto"
    """As in `Recognizer`."""
    listener: Listener = field(default_factory=Listener)
    """Told what is found."""
    offline: bool = False
    """As in `Recognizer`."""
    search_side_px: int | None = None
    """As in `Recognizer`, for the smallest faces of photos; and as in `VideoRecognizer`."""
    half_life_s: float | None = None
    """For videos, as in `VideoRecognizer`; its default where None."""
    min_confidence: float = 0.0
    """As in `Recognizer`."""
    tta: Tta = "none"
    """As in `Recognizer`."""
    rotate: Rotate = 0
    """As in `Recognizer`."""
    max_pixels: int | None = None
    """Largest picture or frame that is decoded; the defaults where None."""
    keep_segments: bool = False
    """Whether `VideoRun.sums` keeps all segments of a video."""
    exact_tilt: bool = False
    """For videos, as in `VideoRecognizer`: where landmarks or angles are written."""
    workers: int = 1
    """Processes that recognise many pictures; what they find is the same. More than one need a
    detector by its name."""
    _recognizer: Recognizer | None = None
    _videos: "VideoRecognizer | None" = None

    def run(self, planned: Plan) -> int:
        """Do everything that was planned, tables and annotated copies included.

        Returns:
            How many inputs could not be read or broke off; the listener was told of each.

        Raises:
            OutputError: a file cannot be written.
            ModelError, WeightsError, DetectorError: as `Recognizer`.
            MissingExtraError: a file needs a library that is not installed.
        """
        if not planned.inputs:
            return 0
        failures = done = 0
        opened: list[Table] = []
        with ExitStack() as stack:

            @cache
            def tables() -> Sequence[Table]:
                keys = self._ready().classifier.label_set.keys
                for path in planned.files.tables:
                    table = Table(path, keys, of_videos=planned.n_videos > 0)
                    opened.append(stack.enter_context(table))
                return opened

            pairs = zip(planned.inputs, planned.copies, strict=True)
            for is_video, group in groupby(pairs, key=lambda pair: isinstance(pair[0], Video)):
                inputs = list(group)
                with ExitStack() as group_stack:
                    if not is_video:
                        tables()  # before anything is written
                        outcomes = group_stack.enter_context(closing(self._outcomes(inputs)))
                    for item, copy in inputs:
                        self.listener.progress(done, len(planned.inputs))
                        if isinstance(item, Video):
                            failures += not self._video(item, copy, tables, planned.files)
                            done += 1
                            continue
                        try:
                            failures += not self._picture(item, next(outcomes), tables())
                        except (KeyboardInterrupt, BrokenPipeError) as error:
                            if done:
                                for table in opened:
                                    table.close()
                                if opened or copy is not None:
                                    total = len(planned.inputs)
                                    self.listener.pictures_cut_short(done, total, error)
                            raise
                        done += 1
            if failures == len(planned.inputs):
                for table in opened:
                    table.abandon()
        return failures

    def _outcomes(self, inputs: Sequence[tuple[Input, Path | None]]) -> Generator[PictureOutcome]:
        """What becomes of pictures, in order; by several processes where that is quicker."""
        pictures = [(item.path, copy) for item, copy in inputs if isinstance(item, Picture)]
        recognizer = self._ready()
        workers = min(self.workers, len(pictures) // (FEWEST_PICTURES // 2))
        if workers > 1 and isinstance(self.detector, str):
            from mien import __version__

            spec = spec_of(
                recognizer,
                __version__,
                search_side_px=self.search_side_px,
                max_pixels=self.max_pixels,
            )
            return recognize_pictures(pictures, spec, workers)
        return (
            recognize_picture(recognizer, path, copy, self.max_pixels) for path, copy in pictures
        )

    def _picture(self, picture: Picture, outcome: PictureOutcome, tables: Sequence[Table]) -> bool:
        """Take what was found in a picture; False where it cannot be read, which is reported."""
        result = outcome.result
        if result is None:
            self.listener.problem(outcome.problem)
            return False
        if self.rotate == "auto" and result.turn_deg:
            self.listener.notice(
                f"{picture.path}: no upright face found; {len(result.faces)} found after turning "
                f"by {result.turn_deg} degrees"
            )
        if (n_pages := pages(picture.path)) > 1:
            self.listener.notice(f"{picture.path}: only the first of {n_pages} pages was read")
        for table in tables:
            table.add(result)
        self.listener.picture(result)
        return True

    def _video(
        self,
        video: Video,
        copy: Path | None,
        tables: Callable[[], Sequence[Table]],
        files: WantedFiles,
    ) -> bool:
        """Go through a video; False where it cannot be read or breaks off, which is reported."""
        # Photos need none of this, and FFmpeg and tracks take a while to load.
        from mien.recognition.smoothing import HALF_LIFE_S
        from mien.recognition.video_recognizer import VideoRecognizer
        from mien.sources import open_frames
        from mien.workflows.videos import VideoRun

        try:
            source = open_frames(
                video.source,
                frame_rate_hz=video.frame_rate_hz,
                max_pixels=self.max_pixels,
                on_event=self.listener.problem,
            )
        except SourceError as error:
            self.listener.problem(str(error))
            return False
        with source:
            if self._videos is None:
                self._videos = VideoRecognizer(
                    self._ready(),
                    half_life_s=HALF_LIFE_S if self.half_life_s is None else self.half_life_s,
                    search_side_px=self.search_side_px,
                    exact_tilt=self.exact_tilt or bool(files.tables),
                )
            run = VideoRun(
                source,
                self._videos,
                copy=copy,
                files=files,
                tables=tables(),
                keep_segments=self.keep_segments,
            )
            self.listener.video_begins(run.info)
            is_whole = True
            try:
                run.run(on_result=self.listener.frame)
            except VideoError as error:
                self.listener.problem(str(error))
                is_whole = False
            except (KeyboardInterrupt, BrokenPipeError) as error:
                if run.outputs:
                    up_to_s = run.sums.summary.duration_s
                    self.listener.video_cut_short(run.info, up_to_s, error)
                raise
        self.listener.video_ends(run)
        return is_whole

    def _ready(self) -> Recognizer:
        if self._recognizer is None:
            self._recognizer = Recognizer(
                self.model() if callable(self.model) else self.model,
                self.detector,
                offline=self.offline,
                on_fallback=self.listener.notice,
                # A detector that is there already was made to search as it should.
                search_side_px=self.search_side_px if isinstance(self.detector, str) else None,
                thoroughly=True,
                rotate=self.rotate,
                min_confidence=self.min_confidence,
                tta=self.tta,
            )
        return self._recognizer
