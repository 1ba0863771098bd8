"""The timeline as an output: collects what the page needs, in bounded memory, and writes it."""

import time
from contextlib import nullcontext, suppress
from copy import deepcopy
from pathlib import Path

from mien.errors import OutputError
from mien.files import write_text
from mien.labels import LabelSet
from mien.outputs.timeline.page import TimelineContent, timeline_page
from mien.outputs.timeline.tracks import TrackRecords
from mien.paths import check_suffix
from mien.recognition.frame_clock import FrameClock
from mien.recognition.segments import SegmentStream
from mien.recognition.summary import VideoSummaryBuilder
from mien.results import FrameResult
from mien.sources.source import Frame, SourceInfo

TIMELINE_SUFFIXES = (".html", ".htm")
"""Endings that a timeline understands."""

REFRESH_S = 60.0
"""While a video runs, the page is written anew about once in so many seconds, so that a crash
leaves one that is not much older."""
_WRITING_SHARE = 0.05
"""Of the time, that may go into writing the page anew."""


class TimelineFile:
    """An `Output`: one HTML page that stands alone, with a chart over time for each track.

    What it keeps does not grow with the length of the video: curves become coarser, and of many
    tracks and segments the longest ones are shown; the page says so.

    Args:
        path: ``.html`` or ``.htm``.
        info: the source.
        label_set: the classes that the model tells apart.
        model: name of the model, for the page's head.
        segments: the video's segments, where others take them, too.

    Raises:
        OutputError: the ending is another.
    """

    def __init__(
        self,
        path: Path,
        info: SourceInfo,
        label_set: LabelSet,
        model: str = "",
        segments: SegmentStream | None = None,
    ) -> None:
        check_suffix(path, TIMELINE_SUFFIXES, "timeline")
        self.path = path
        self._info = info
        self._label_set = label_set
        self._model = model
        self._detector = ""
        self._clock = FrameClock()
        self._records = TrackRecords(label_set)
        self._segments = segments or SegmentStream()
        self._summary = VideoSummaryBuilder(segments=self._segments)
        self._next_writing_s = 0.0
        self._failed = False
        self._is_closed = False

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one frame; see `mien.outputs.output.Output`."""
        self._detector = result.detector
        self._clock.tick(result)
        self._records.add(frame.image_rgb, result)
        for segment in self._segments.at(result):
            self._records.add_segment(segment)
        self._summary.add(result)
        began_s = time.monotonic()
        if began_s >= self._next_writing_s:
            self._failed = True
            self._write_page(is_complete=False)
            self._failed = False
            took_s = time.monotonic() - began_s
            self._next_writing_s = began_s + max(REFRESH_S, took_s / _WRITING_SHARE)

    def close(self) -> None:
        """Complete the page; see `mien.outputs.output.Output`."""
        if self._is_closed:
            return
        self._is_closed = True
        # What `write` raised is not raised again, but there may be room by now.
        with suppress(OutputError) if self._failed else nullcontext():
            self._write_page(is_complete=True)

    def _write_page(self, *, is_complete: bool) -> None:
        # Copies are ended, since the video may go on.
        summary = deepcopy(self._summary).finish()
        records = deepcopy(self._records) if not is_complete else self._records
        for segment in self._segments.rest():
            records.add_segment(segment)
        content = TimelineContent(
            self._info,
            self._label_set,
            self._model,
            self._detector,
            summary,
            records.longest_seen(),
            frame_s=self._clock.typical_s,
            end_s=(self._clock.last_s or 0.0) + self._clock.typical_s,
            is_complete=is_complete,
        )
        write_text(self.path, timeline_page(content))
