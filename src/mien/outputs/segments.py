"""Segments into files: CSV, JSON, WebVTT to load beside the video as subtitles, and what programs
for coding behaviour read: ELAN, BORIS, The Observer XT."""

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

from mien.clock import subtitle_clock
from mien.files import write_text
from mien.labels import UNCERTAIN
from mien.outputs.boris import to_boris, to_boris_table
from mien.outputs.coding import CodedSource
from mien.outputs.elan import to_eaf
from mien.outputs.observer import to_observer
from mien.outputs.rows import csv_lines
from mien.paths import check_suffix
from mien.recognition.segments import Segment, SegmentStream
from mien.results import FrameResult
from mien.sources.source import Frame

SEGMENT_COLUMNS = (
    *("track", "expression", "onset_s", "peak_s", "end_s"),
    *("peak_confidence", "mean_confidence", "n_frames"),
)
"""Columns of a CSV, and fields in JSON, of `mien.recognition.segments.Segment`."""

_SUBTITLE_LINES = 12
"""Lines of subtitles that fit above each other; people beyond that share them."""


class SegmentsFile:
    """An `Output`: the segments of one video. It appears when it is closed, also after Ctrl-C.

    Args:
        path: as `write_segments`.
        segments: the video's segments, where others take them, too.
        source: the video, for programs that show it beside them.

    Raises:
        OutputError: the ending is another.
    """

    def __init__(
        self,
        path: Path,
        segments: SegmentStream | None = None,
        source: CodedSource | None = None,
    ) -> None:
        check_suffix(path, SEGMENT_SUFFIXES, "file of segments")
        self.path = path
        self._source = source
        self._stream = segments or SegmentStream()
        self._segments: list[Segment] = []
        self._is_closed = False

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one frame; see `mien.outputs.output.Output`."""
        self._segments.extend(self._stream.at(result))

    def close(self) -> None:
        """Write the file; see `mien.outputs.output.Output`."""
        if not self._is_closed:
            self._is_closed = True
            self._segments.extend(self._stream.rest())
            write_segments(self.path, self._segments, self._source)


def write_segments(
    path: Path, segments: Iterable[Segment], source: CodedSource | None = None
) -> None:
    """Write segments, by onset and track; the file appears when it is complete.

    Args:
        path: ``.csv``, ``.json``, ``.vtt``, ``.eaf``, ``.boris``, ``.boris.csv`` or
            ``.observer.csv``.
        segments: of one video, in any order.
        source: the video.

    Raises:
        OutputError: the ending is another, or the file cannot be written.
    """
    check_suffix(path, SEGMENT_SUFFIXES, "file of segments")
    ordered = sorted(segments, key=lambda segment: (segment.onset_s, segment.track))
    name = path.name.lower()
    if name.endswith(BORIS_TABLE):
        text = to_boris_table(ordered, source or CodedSource(), path)
    elif name.endswith(OBSERVER_TABLE):
        text = to_observer(ordered, source or CodedSource(), path)
    elif path.suffix.lower() in _PROGRAMS:
        text = _PROGRAMS[path.suffix.lower()](ordered, source or CodedSource(), path)
    else:
        text = _FORMATS[path.suffix.lower()](ordered)
    write_text(path, text)


def segment_cells(segment: Segment) -> tuple[int | str | float, ...]:
    """A segment's values in the order of `SEGMENT_COLUMNS`; seconds with 6 decimals,
    probabilities with 7."""
    return (
        *(segment.track, segment.label.key),
        *(round(time_s, 6) for time_s in (segment.onset_s, segment.peak_s, segment.end_s)),
        *(round(segment.peak_confidence, 7), round(segment.mean_confidence, 7)),
        segment.n_frames,
    )


def _csv(segments: Sequence[Segment]) -> str:
    return csv_lines([SEGMENT_COLUMNS, *map(segment_cells, segments)])


def _json(segments: Sequence[Segment]) -> str:
    rows = [dict(zip(SEGMENT_COLUMNS, segment_cells(segment), strict=True)) for segment in segments]
    return json.dumps({"segments": rows}, ensure_ascii=False, indent=1) + "\n"


def _vtt(segments: Sequence[Segment]) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/): cues by onset, each person on a line of their own,
    as cues that are shown together would cover each other otherwise."""
    lanes = _Lanes()
    cues = []
    for segment in segments:
        begin, end = _milliseconds(segment.onset_s), _milliseconds(segment.end_s)
        end = max(end, begin + 1)
        line = -1 - lanes.lane(segment.track, begin, end) % _SUBTITLE_LINES
        words = f"#{segment.track} {segment.label.display_name}"
        if (
            segment.label != UNCERTAIN
        ):  # an uncertain face shows no class that the confidence belongs to
            words += f" {segment.mean_confidence:.0%}"
        # A line break would end the cue; per cent as in the rest of the program's prose.
        text = escape(" ".join(words.replace("%", " %").split()), quote=False)
        cues.append(f"{subtitle_clock(begin)} --> {subtitle_clock(end)} line:{line}\n{text}\n")
    return "\n".join(["WEBVTT\n", *cues])


class _Lanes:
    """Lines for people: each keeps theirs, and gets another's when that one has left."""

    def __init__(self) -> None:
        self._lane_of: dict[int, int] = {}
        self._busy_until: list[int] = []
        self._holder: list[int] = []

    def lane(self, track: int, begin: int, end: int) -> int:
        lane = self._lane_of.get(track, -1)
        if lane < 0 or self._holder[lane] != track:
            lane = next(
                (free for free, until in enumerate(self._busy_until) if until <= begin),
                len(self._busy_until),
            )
            if lane == len(self._busy_until):
                self._busy_until.append(0)
                self._holder.append(track)
            self._lane_of[track] = lane
        self._holder[lane] = track
        self._busy_until[lane] = end
        return lane


def _milliseconds(time_s: float) -> int:
    return max(0, round(time_s * 1000))


_FORMATS: dict[str, Callable[[Sequence[Segment]], str]] = {
    ".csv": _csv,
    ".json": _json,
    ".vtt": _vtt,
}
_PROGRAMS: dict[str, Callable[[Sequence[Segment], CodedSource, Path], str]] = {
    ".eaf": to_eaf,
    ".boris": to_boris,
}
BORIS_TABLE, OBSERVER_TABLE = ".boris.csv", ".observer.csv"
"""Ends of the names of tables that are as BORIS and The Observer XT write them."""
SEGMENT_SUFFIXES = (*_FORMATS, *_PROGRAMS, BORIS_TABLE, OBSERVER_TABLE)
"""Endings that `write_segments` understands."""
