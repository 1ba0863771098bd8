"""What ``mien recognize`` does with one picture and with one video."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.console import print_line, progress_bar, warn
from mien.cli.findings import print_pictures, print_video
from mien.drawing import annotate
from mien.errors import SourceError, VideoError
from mien.images import MAX_PIXELS, read_image
from mien.outputs.paths import check_suffix
from mien.outputs.pictures import write_picture
from mien.outputs.rows import json_line
from mien.outputs.segments import SEGMENT_SUFFIXES
from mien.outputs.tables import TABLE_SUFFIXES, Table
from mien.outputs.timeline.file import TIMELINE_SUFFIXES
from mien.recognition.classifier import Classifier
from mien.recognition.recognizer import Recognizer
from mien.recognition.turning import Rotate
from mien.results import FrameResult, Tta
from mien.sources.inputs import Picture, Video
from mien.sources.source import SourceInfo

if TYPE_CHECKING:
    from mien.recognition.video_recognizer import VideoRecognizer


@dataclass(frozen=True, slots=True)
class Wanted:
    """The files that a person wants beside annotated copies."""

    tables: tuple[Path, ...] = ()
    """Over all sources."""
    segments: tuple[Path, ...] = ()
    """About one video."""
    timelines: tuple[Path, ...] = ()
    """About one video."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return (*self.tables, *self.segments, *self.timelines)

    def check(self) -> None:
        """Check their endings.

        Raises:
            OutputError: one is not understood.
        """
        for paths, suffixes, what in (
            (self.tables, TABLE_SUFFIXES, "table"),
            (self.segments, SEGMENT_SUFFIXES, "file of segments"),
            (self.timelines, TIMELINE_SUFFIXES, "timeline"),
        ):
            for path in paths:
                check_suffix(path, suffixes, what)


@dataclass(slots=True)
class Work:
    """Recognises one input after the other; what videos and pictures need is loaded once."""

    classifier: Classifier
    """What classifies."""
    detector: str
    """Name of the detector."""
    offline: bool
    """As in `Recognizer`."""
    on_fallback: Callable[[str], None]
    """As in `Recognizer`; told once."""
    search_side_px: int | None
    """As in `Recognizer`; where None, `video_search_side_px` for videos."""
    half_life_s: float | None
    """For videos, as in `VideoRecognizer`; its default where None."""
    min_confidence: float
    """As in `Recognizer`."""
    tta: Tta
    """As in `Recognizer`."""
    rotate: Rotate
    """As in `Recognizer`."""
    max_pixels: int | None
    """Largest picture that is decoded; the default where None."""
    as_json: bool
    """Print JSON as it comes, and nothing else."""
    _found: list[FrameResult] = field(default_factory=list)
    _pictures: Recognizer | None = None
    _videos: "dict[int, VideoRecognizer]" = field(default_factory=dict)
    """By the side at which they search."""
    _told: set[str] = field(default_factory=set)

    @property
    def label_keys(self) -> tuple[str, ...]:
        """Keys of the classes, in order."""
        return self.classifier.label_set.keys

    def bar(self, n_pictures: int) -> AbstractContextManager[Callable[[int, int], None]]:
        """A bar for many pictures, as `progress_bar`."""
        return progress_bar("recognizing", shown=n_pictures > 4 and self._is_quiet)

    def picture(self, picture: Picture, copy: Path | None, tables: Sequence[Table]) -> bool:
        """Recognise a picture; False where it cannot be read, which is told."""
        if self._pictures is None:
            self._pictures = self._recognizer(self.search_side_px, thoroughly=True)
        try:
            image_rgb = read_image(picture.path, max_pixels=self.max_pixels or MAX_PIXELS)
        except SourceError as error:
            warn(str(error))
            return False
        result = self._pictures.recognize(image_rgb, source=str(picture.path))
        if self.rotate == "auto" and result.turn_deg:
            warn(
                f"{picture.path}: no upright face found; {len(result.faces)} found after turning "
                f"by {result.turn_deg} degrees"
            )
        for table in tables:
            table.add(result)
        if copy is not None:
            write_picture(copy, annotate(image_rgb, result))
        if self.as_json:
            print_line(json_line(result))
        else:
            self._found.append(result)
        return True

    def video(
        self, video: Video, copy: Path | None, tables: Sequence[Table], wanted: Wanted
    ) -> bool:
        """Go through a video; False where it cannot be read or breaks off, which is told."""
        # Photos need none of this, and FFmpeg and tracks take a while to load.
        from mien.recognition.summary import VideoSummaryBuilder
        from mien.sources import open_frames
        from mien.workflows.pipeline import run
        from mien.workflows.videos import open_outputs

        try:
            source = open_frames(
                video.source,
                frame_rate_hz=video.frame_rate_hz,
                max_pixels=self.max_pixels,
                on_event=warn,
            )
        except SourceError as error:
            warn(str(error))
            return False
        summary, whole = VideoSummaryBuilder(), True
        with source:
            recognizer = self._video_recognizer(source.info)
            outputs = open_outputs(
                source.info,
                recognizer.recognizer,
                video=copy,
                segments=wanted.segments,
                timelines=wanted.timelines,
            )
            outputs += [table.as_output() for table in tables]
            total = source.info.n_frames or 0
            name = Path(source.info.name).name
            with progress_bar(name, shown=self._is_quiet) as show:

                def note(result: FrameResult) -> None:
                    summary.add(result)
                    show(result.frame + 1, max(total, result.frame + 1))
                    if self.as_json:
                        print_line(json_line(result))

                try:
                    run(source, recognizer, outputs, on_result=note)
                except VideoError as error:
                    warn(str(error))
                    whole = False
                except (KeyboardInterrupt, BrokenPipeError) as error:
                    why = "stdout closed" if isinstance(error, BrokenPipeError) else "interrupted"
                    if outputs:
                        up_to_s = summary.finish().duration_s
                        warn(f"{why}; files hold {name} up to {up_to_s:.1f} s")
                    raise
        if not self.as_json:
            print_video(source.info, summary.finish(), recognizer.recognizer.detector)
        return whole

    def print_pictures(self) -> None:
        """Print what the pictures showed, if that was not printed as it came."""
        if self._found:
            print_pictures(self._found)

    @property
    def _is_quiet(self) -> bool:
        return not (self.as_json and sys.stdout.isatty())

    def _video_recognizer(self, info: SourceInfo) -> "VideoRecognizer":
        from mien.recognition.smoothing import HALF_LIFE_S
        from mien.recognition.video_recognizer import VideoRecognizer, video_search_side_px

        side_px = self.search_side_px or video_search_side_px(info.width_px, info.height_px)
        if side_px not in self._videos:
            half_life_s = HALF_LIFE_S if self.half_life_s is None else self.half_life_s
            recognizer = self._recognizer(side_px)
            self._videos[side_px] = VideoRecognizer(recognizer, half_life_s=half_life_s)
        self._videos[side_px].restart()
        return self._videos[side_px]

    def _recognizer(self, search_side_px: int | None, *, thoroughly: bool = False) -> Recognizer:
        return Recognizer(
            self.classifier,
            self.detector,
            offline=self.offline,
            on_fallback=self._tell_once,
            search_side_px=search_side_px,
            thoroughly=thoroughly,
            rotate=self.rotate,
            min_confidence=self.min_confidence,
            tta=self.tta,
        )

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.on_fallback(line)
