"""The files that a person wants of what is recognised, and the outputs that write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.outputs.coding import CodedSource
from mien.outputs.output import Output
from mien.outputs.segments import SEGMENT_SUFFIXES, SegmentsFile
from mien.outputs.tables import TABLE_SUFFIXES
from mien.outputs.timeline.file import TIMELINE_SUFFIXES, TimelineFile
from mien.paths import check_suffix
from mien.recognition.recognizer import Recognizer
from mien.recognition.segments import SegmentStream
from mien.sources.addresses import masked
from mien.sources.source import SourceInfo

Paths = Sequence[Path | str] | Path | str
"""One path, or any number of them."""


def paths_of(paths: Paths | None) -> tuple[Path, ...]:
    """Paths as a person gave them, one or several or none, as paths."""
    if paths is None:
        return ()
    return (Path(paths),) if isinstance(paths, str | Path) else tuple(Path(path) for path in paths)


@dataclass(frozen=True, slots=True)
class WantedFiles:
    """The files that a person wants beside annotated copies."""

    tables: tuple[Path, ...] = ()
    """Over all sources: ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``."""
    segments: tuple[Path, ...] = ()
    """About one video; endings as in `mien.outputs.segments.write_segments`."""
    timelines: tuple[Path, ...] = ()
    """About one video: ``.html``."""

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


def open_outputs(
    info: SourceInfo,
    recognizer: Recognizer,
    *,
    video: Path | None = None,
    segments: Sequence[Path] = (),
    timelines: Sequence[Path] = (),
    stream: SegmentStream | None = None,
) -> list[Output]:
    """The files about one video, to be given to `pipeline.run`; nothing is written yet.

    Args:
        info: the source; the sound of a file is brought along into the annotated video.
        recognizer: what recognises; its names are on the timeline.
        video: the annotated video, if wanted.
        segments: files of segments.
        timelines: pages.
        stream: the video's segments, where others take them, too.

    Raises:
        OutputError: a file has an ending that is not understood.
        MissingExtraError: a file needs a library that is not installed.
    """
    stream = stream or SegmentStream()
    sound = Path(info.name) if info.has_audio and Path(info.name).is_file() else None
    card = recognizer.classifier.card
    outputs: list[Output] = []
    if video is not None:
        from mien.outputs.annotated_video import AnnotatedVideo  # loads FFmpeg

        outputs.append(AnnotatedVideo(video, info, audio_from=sound))
    coded = CodedSource(masked(info.name), info.frame_rate_hz, info.duration_s, card.label_set.keys)
    outputs += [SegmentsFile(path, stream, coded) for path in segments]
    outputs += [TimelineFile(path, info, card.label_set, card.name, stream) for path in timelines]
    return outputs
