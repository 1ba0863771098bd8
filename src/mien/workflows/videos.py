"""A whole video in one call: its frames, what is shown in them, and any number of files."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.outputs.annotated_video import AnnotatedVideo
from mien.outputs.dataframe import segments_to_dataframe, to_dataframe
from mien.outputs.output import Output
from mien.outputs.paths import check_outputs
from mien.outputs.segments import SegmentsFile
from mien.outputs.tables import Table
from mien.outputs.timeline import TimelineFile
from mien.recognition.recognizer import Recognizer
from mien.recognition.segments import Segment, SegmentBuilder
from mien.recognition.summary import VideoSummary, VideoSummaryBuilder
from mien.recognition.tta import check_tta
from mien.recognition.video_recognizer import VideoRecognizer, video_search_side_px
from mien.results import FrameResult, Tta, check_min_confidence
from mien.sources import open_frames
from mien.sources.source import FrameSource, SourceInfo
from mien.workflows.pipeline import run

if TYPE_CHECKING:
    import pandas

Paths = Sequence[Path | str] | Path | str
"""One path, or any number of them."""


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
            f"VideoResult({self.info.name!r}, {len(self.frames)} frames, "
            f"{self.summary.n_tracks} tracks, {len(self.segments)} segments)"
        )

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


def recognize_video(
    source: str | Path | int | FrameSource,
    *,
    recognizer: Recognizer | VideoRecognizer | None = None,
    out: Path | str | None = None,
    table: Paths = (),
    segments: Paths = (),
    timeline: Paths = (),
    frame_rate_hz: float | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    on_event: Callable[[str], None] = lambda message: None,
) -> VideoResult:
    """Recognise the expressions in a video, from its first frame to its last.

    All results are kept, about 2 KB per face and frame; for streams without an end use
    `mien.workflows.pipeline.run`.

    Args:
        source: a video file, a folder of frames, an address, a camera's number, or a source.
        recognizer: what recognises; the default model on frames reduced as
            `video_search_side_px` says where None.
        out: an annotated copy, ``.mp4``, with the sound of a file.
        table: ``.csv``, ``.jsonl`` or ``.parquet``; here and below one path or several.
        segments: ``.csv``, ``.json`` or ``.vtt``.
        timeline: ``.html``.
        frame_rate_hz: frames per second of a folder of frames.
        min_confidence: as in `Recognizer`; a recogniser that is there already has its own.
        tta: as above.
        on_event: told in a line what happens to the source, as that a stream was opened again.

    Returns:
        What was found; the files are complete.

    Raises:
        ValueError: a ``min_confidence`` or ``tta`` that means nothing, or that a recogniser
            beside it would not heed.
        SourceError: the source cannot be read; nothing was written.
        VideoError: it breaks off; the files hold what came before.
        OutputError: a file cannot be written; the others hold the frames up to then.
        MissingExtraError: a file needs a library that is not installed; nothing was written.
    """
    check_min_confidence(min_confidence)
    check_tta(tta)
    if recognizer is not None and (min_confidence, tta) != (0.0, "none"):
        raise ValueError("the recognizer is there already; give it min_confidence and tta itself")
    found: list[FrameResult] = []
    with ExitStack() as stack:
        frames = stack.enter_context(_opened(source, frame_rate_hz, on_event))
        info = frames.info
        video = _video_recognizer(recognizer, info, min_confidence, tta)
        label_keys = video.recognizer.classifier.label_set.keys
        every = [*_paths(out), *_paths(table), *_paths(segments), *_paths(timeline)]
        check_outputs(every, [info.name])
        outputs = open_outputs(
            info,
            video.recognizer,
            video=Path(out) if out is not None else None,
            segments=_paths(segments),
            timelines=_paths(timeline),
        )
        for path in _paths(table):
            rows = stack.enter_context(Table(path, label_keys, of_videos=True))
            outputs.append(rows.as_output())
        run(frames, video, outputs, on_result=found.append)
    return _result(info, found)


def open_outputs(
    info: SourceInfo,
    recognizer: Recognizer,
    *,
    video: Path | None = None,
    segments: Sequence[Path] = (),
    timelines: Sequence[Path] = (),
) -> list[Output]:
    """The files about one video, to be given to `run`; nothing is written yet.

    Args:
        info: the source; the sound of a file is brought along into the annotated video.
        recognizer: what recognises; its names are on the timeline.
        video: the annotated video, if wanted.
        segments: files of segments.
        timelines: pages.

    Raises:
        OutputError: a file has an ending that is not understood.
        MissingExtraError: a file needs a library that is not installed.
    """
    sound = Path(info.name) if info.has_audio and Path(info.name).is_file() else None
    card = recognizer.classifier.card
    outputs: list[Output] = []
    if video is not None:
        outputs.append(AnnotatedVideo(video, info, audio_from=sound))
    outputs += [SegmentsFile(path) for path in segments]
    outputs += [TimelineFile(path, info, card.label_set, card.name) for path in timelines]
    return outputs


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
    info: SourceInfo,
    min_confidence: float,
    tta: Tta,
) -> VideoRecognizer:
    """What recognises a video, ready for its first frame."""
    if isinstance(recognizer, VideoRecognizer):
        recognizer.restart()
        return recognizer
    if recognizer is None:
        side_px = video_search_side_px(info.width_px, info.height_px)
        recognizer = Recognizer(search_side_px=side_px, min_confidence=min_confidence, tta=tta)
    return VideoRecognizer(recognizer)


def _paths(paths: Paths | None) -> list[Path]:
    if paths is None:
        return []
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _result(info: SourceInfo, found: Sequence[FrameResult]) -> VideoResult:
    spans, summary = SegmentBuilder(), VideoSummaryBuilder()
    segments: list[Segment] = []
    for result in found:
        segments += spans.add(result)
        summary.add(result)
    segments += spans.finish()
    segments.sort(key=lambda segment: (segment.onset_s, segment.track))
    return VideoResult(info, tuple(found), tuple(segments), summary.finish())
