"""A whole video in one call, or frame by frame: the one way from a source to its files."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import OutputError
from mien.model.sessions import VIDEO_THREADS
from mien.outputs.dataframe import segments_to_dataframe, to_dataframe
from mien.outputs.output import FrameTaker
from mien.outputs.tables import TABLE_SUFFIXES, Table, write_table
from mien.paths import check_outputs
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.recognizer import Recognizer
from mien.recognition.segments import Segment, SegmentStream
from mien.recognition.smoothing import HALF_LIFE_S
from mien.recognition.summary import VideoSummary
from mien.recognition.video_recognizer import VideoRecognizer
from mien.reports.notebook import video_html
from mien.reports.wording import counted
from mien.results import FrameResult, Tta
from mien.sources import open_frames
from mien.sources.source import Frame, FrameSource, SourceInfo
from mien.workflows.files import Paths, WantedFiles, open_outputs, paths_of
from mien.workflows.pictures import chosen_recognizer, refuse_beside
from mien.workflows.pipeline import recognized, run
from mien.workflows.video_sums import VideoSums

if TYPE_CHECKING:
    import pandas

__all__ = ["VideoResult", "VideoRun", "recognize_video", "stream"]


class VideoRun:
    """One video on its way through recognition into its files.

    Args:
        frames: the source; it is closed at the end of `run` or `stream`.
        recognizer: ready for another video; used by the calling thread only.
        copy: the annotated video, if wanted.
        files: what is written about this one video; tables come open, as they go on over several.
        tables: tables that go on after this video.
        keep_segments: whether `sums` keeps all segments.

    Raises:
        OutputError: a file has an ending that is not understood.
        MissingExtraError: a file needs a library that is not installed.
    """

    def __init__(
        self,
        frames: FrameSource,
        recognizer: VideoRecognizer,
        *,
        copy: Path | None = None,
        files: WantedFiles | None = None,
        tables: Sequence[Table] = (),
        keep_segments: bool = False,
    ) -> None:
        files = files or WantedFiles()
        segments = SegmentStream()
        recognizer.restart()
        recognizer.prepare(frames.info.width_px, frames.info.height_px)
        self.info = frames.info
        """The source."""
        self.recognizer = recognizer
        """What recognises."""
        self.sums = VideoSums(segments, keep_segments=keep_segments)
        """Segments and summary, complete once the video is over, however it ended."""
        self.outputs = [
            *open_outputs(
                frames.info,
                recognizer.recognizer,
                video=copy,
                segments=files.segments,
                timelines=files.timelines,
                stream=segments,
            ),
            *(table.as_output() for table in tables),
        ]
        """The files about the video."""
        self._frames = frames

    @property
    def takers(self) -> list[FrameTaker]:
        """Everything that takes the frames."""
        return [*self.outputs, self.sums]

    def run(self, on_result: Callable[[FrameResult], None] | None = None) -> None:
        """Go through the video; see `mien.workflows.pipeline.run`.

        Args:
            on_result: called with each frame's result, in the calling thread.

        Raises:
            VideoError: the source broke off; the files hold what came before.
            OutputError: a file cannot be written; the others hold the frames up to then.
        """
        run(self._frames, self.recognizer, self.takers, on_result=on_result)

    def stream(self) -> Generator[tuple[Frame, FrameResult]]:
        """Go through the video, frame by frame; errors as in `run`."""
        return recognized(self._frames, self.recognizer, self.takers)


@dataclass(frozen=True, slots=True, repr=False)
class VideoResult:
    """What was found in a video."""

    info: SourceInfo
    """The source."""
    frames: tuple[FrameResult, ...]
    """Every frame's faces, in the order of time."""
    segments: tuple[Segment, ...]
    """Per track, the spans of one expression, in the order of their onsets."""
    summary: VideoSummary
    """Per track, when it was seen and what it showed."""

    def __repr__(self) -> str:
        """One line, however long the video is."""
        return (
            f"VideoResult({self.info.name!r}, {counted(len(self.frames), 'frame')}, "
            f"{counted(self.summary.n_tracks, 'track')}, "
            f"{counted(len(self.segments), 'segment')})"
        )

    def _repr_html_(self) -> str:
        """A table of the tracks, for notebooks."""
        return video_html(self.info, self.summary)

    def to_dataframe(self) -> "pandas.DataFrame":
        """One row per face and frame, with the columns of a table; see `to_dataframe`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return to_dataframe(self.frames)

    def segments_to_dataframe(self) -> "pandas.DataFrame":
        """One row per segment; see `segments_to_dataframe`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return segments_to_dataframe(self.segments)

    def save(self, path: Path | str) -> None:
        """Write every face of every frame as a table.

        Args:
            path: ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``. Annotated videos, segments and
                pages are written while the video runs: arguments of `recognize_video`.

        Raises:
            OutputError: another ending, or the file cannot be written.
            MissingExtraError: Parquet without pyarrow.
        """
        path = Path(path)
        if path.suffix.lower() not in TABLE_SUFFIXES:
            raise OutputError(
                f"cannot write a table as {path}; use one of {' '.join(TABLE_SUFFIXES)}; for "
                "videos, segments and pages name them as you call recognize_video"
            )
        keys = next(
            (
                face.expression.label_set.keys
                for frame in self.frames
                for face in frame.faces
                if face.expression is not None
            ),
            (),
        )
        write_table(path, self.frames, keys, of_videos=True)


def recognize_video(
    source: str | Path | int | FrameSource,
    *,
    model: str | Path | Classifier = "default",
    detector: str | FaceDetector = "auto",
    recognizer: Recognizer | VideoRecognizer | None = None,
    out: Path | str | None = None,
    table: Paths = (),
    segments: Paths = (),
    timeline: Paths = (),
    frame_rate_hz: float | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    half_life_s: float = HALF_LIFE_S,
    search_side_px: int | None = None,
    exact_tilt: bool | None = None,
    offline: bool = False,
    on_event: Callable[[str], None] = lambda message: None,
) -> VideoResult:
    """Recognise the expressions in a video, from its first frame to its last.

    All results are kept, about 2 KB per face and frame; for sources without an end use `stream`.

    Args:
        source: a video file, a folder of frames, an address, a camera's number, or a source.
        model: as in `Recognizer`.
        detector: as in `Recognizer`.
        recognizer: what recognises, in place of a model and a detector.
        out: an annotated copy, ``.mp4``, with the sound of a file.
        table: ``.csv``, ``.jsonl`` or ``.parquet``; here and below one path or several.
        segments: ``.csv``, ``.json``, ``.vtt``, ``.eaf``, ``.boris``, ``.boris.csv`` or
            ``.observer.csv``.
        timeline: ``.html``.
        frame_rate_hz: frames per second of a folder of frames.
        min_confidence: as in `Recognizer`; a recogniser that is there already has its own.
        tta: as above.
        half_life_s: of the smoothing, as in `VideoRecognizer`.
        search_side_px: as in `VideoRecognizer`.
        exact_tilt: as in `VideoRecognizer`; where None, if a table is wanted, which has the angles.
        offline: never touch the network.
        on_event: told in a line what happens to the source, as that a stream was opened again.

    Returns:
        What was found; the files are complete.

    Raises:
        ValueError: a value that means nothing, or that a recogniser beside it would not heed.
        SourceError: the source cannot be read; nothing was written.
        VideoError: it breaks off; the files hold what came before.
        OutputError: a file cannot be written; the others hold the frames up to then.
        ModelError, WeightsError, DetectorError: as `Recognizer`; nothing was written.
        MissingExtraError: a file needs a library that is not installed; nothing was written.
    """
    video = _video_recognizer(
        recognizer,
        model,
        detector,
        min_confidence=min_confidence,
        tta=tta,
        half_life_s=half_life_s,
        search_side_px=search_side_px,
        exact_tilt=exact_tilt,
        has_table=bool(paths_of(table)),
        offline=offline,
    )
    files = WantedFiles(paths_of(table), paths_of(segments), paths_of(timeline))
    copy = Path(out) if out is not None else None
    found: list[FrameResult] = []
    with ExitStack() as stack:
        frames = stack.enter_context(_opened(source, frame_rate_hz, on_event))
        check_outputs([*paths_of(out), *files.paths], [frames.info.name])
        label_keys = video.recognizer.classifier.label_set.keys
        tables = [
            stack.enter_context(Table(path, label_keys, of_videos=True)) for path in files.tables
        ]
        job = VideoRun(frames, video, copy=copy, files=files, tables=tables, keep_segments=True)
        job.run(on_result=found.append)
    return VideoResult(job.info, tuple(found), job.sums.segments, job.sums.summary)


def stream(
    source: str | Path | int | FrameSource,
    *,
    model: str | Path | Classifier = "default",
    detector: str | FaceDetector = "auto",
    recognizer: Recognizer | VideoRecognizer | None = None,
    frame_rate_hz: float | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    half_life_s: float = HALF_LIFE_S,
    search_side_px: int | None = None,
    exact_tilt: bool | None = None,
    offline: bool = False,
    on_event: Callable[[str], None] = lambda message: None,
) -> Iterator[tuple[Frame, FrameResult]]:
    """Recognise a source frame by frame: cameras, streams without an end, long videos.

    Nothing is kept, so the memory does not grow. The source is opened when the first frame is
    asked for, and closed when the iterator ends or is closed.

    Args:
        source: as in `recognize_video`; so are all other arguments.
        model: as in `Recognizer`.
        detector: as in `Recognizer`.
        recognizer: what recognises, in place of a model and a detector.
        frame_rate_hz: frames per second of a folder of frames; asked of a camera.
        min_confidence: as in `Recognizer`.
        tta: as in `Recognizer`.
        half_life_s: of the smoothing, as in `VideoRecognizer`.
        search_side_px: as in `VideoRecognizer`.
        exact_tilt: as in `VideoRecognizer`; not where None.
        offline: never touch the network.
        on_event: told in a line what happens to the source.

    Yields:
        Each frame, with its picture and time, and what was recognised in it.

    Raises:
        ValueError, SourceError, VideoError, ModelError, WeightsError, DetectorError: as
            `recognize_video`.
    """
    video = _video_recognizer(
        recognizer,
        model,
        detector,
        min_confidence=min_confidence,
        tta=tta,
        half_life_s=half_life_s,
        search_side_px=search_side_px,
        exact_tilt=exact_tilt,
        offline=offline,
    )
    return _streamed(source, video, frame_rate_hz, on_event)


def _streamed(
    source: str | Path | int | FrameSource,
    video: VideoRecognizer,
    frame_rate_hz: float | None,
    on_event: Callable[[str], None],
) -> Iterator[tuple[Frame, FrameResult]]:
    with (
        _opened(source, frame_rate_hz, on_event) as frames,
        closing(VideoRun(frames, video).stream()) as found,
    ):
        yield from found


def _opened(
    source: str | Path | int | FrameSource,
    frame_rate_hz: float | None,
    on_event: Callable[[str], None],
) -> FrameSource:
    if not isinstance(source, str | Path | int):
        return source
    return open_frames(source, frame_rate_hz=frame_rate_hz, on_event=on_event)


def _video_recognizer(
    recognizer: Recognizer | VideoRecognizer | None,
    model: str | Path | Classifier,
    detector: str | FaceDetector,
    *,
    min_confidence: float,
    tta: Tta,
    half_life_s: float,
    search_side_px: int | None,
    exact_tilt: bool | None,
    offline: bool,
    has_table: bool = False,
) -> VideoRecognizer:
    """What recognises a video, by what was given of it."""
    if not isinstance(recognizer, VideoRecognizer):
        recognizer = chosen_recognizer(
            *(recognizer, model, detector),
            min_confidence=min_confidence,
            tta=tta,
            offline=offline,
            threads=VIDEO_THREADS,
        )
        return VideoRecognizer(
            recognizer,
            half_life_s=half_life_s,
            search_side_px=search_side_px,
            exact_tilt=has_table if exact_tilt is None else exact_tilt,
        )
    refuse_beside(recognizer.recognizer, model, detector, min_confidence, tta)
    if (half_life_s, search_side_px, exact_tilt) != (HALF_LIFE_S, None, None):
        raise ValueError(
            "the video recogniser is there already; give it half_life_s, search_side_px and "
            "exact_tilt itself"
        )
    return recognizer
