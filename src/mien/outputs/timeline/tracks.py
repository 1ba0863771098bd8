"""What the timeline keeps of each track, and of how many."""

import heapq
from dataclasses import dataclass, field

from mien.labels import LabelSet
from mien.outputs.timeline.bins import Bins
from mien.outputs.timeline.thumbnails import Thumbnails
from mien.recognition.segments import Segment
from mien.results import Face, FrameResult
from mien.samples import Image

KEPT_TRACKS = 60
"""Tracks of which curves and pictures are kept; of the others, only what a summary says."""
KEPT_SEGMENTS = 1500
"""Segments of a track that are kept, the longest ones."""


@dataclass(slots=True, eq=False)
class TrackRecord:
    """One track: its curve, its pictures and its segments."""

    number: int
    """Number of the track."""
    bins: Bins
    """Its probabilities over time."""
    thumbnails: Thumbnails = field(default_factory=Thumbnails)
    """Its pictures."""
    segments: list[Segment] = field(default_factory=list)
    """Its segments, the longest `KEPT_SEGMENTS`."""
    n_frames: int = 0
    """Frames in which it was seen."""
    last_s: float = 0.0
    """Time of the last of them."""

    def add_segment(self, segment: Segment) -> None:
        """Take a segment that is over."""
        self.segments.append(segment)
        if len(self.segments) > 2 * KEPT_SEGMENTS:
            self.segments = longest(self.segments)


def longest(segments: list[Segment], n: int = KEPT_SEGMENTS) -> list[Segment]:
    """The longest segments, by onset."""
    kept = heapq.nlargest(n, segments, key=lambda segment: segment.duration_s)
    return sorted(kept, key=lambda segment: segment.onset_s)


class TrackRecords:
    """The records of a video's tracks, of a limited number at any time.

    Where there are too many, the one with the fewest frames gives way, but none that is visible.

    Args:
        label_set: the classes of the distributions.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self._label_set = label_set
        self._records: dict[int, TrackRecord] = {}

    def add(self, image_rgb: Image, result: FrameResult) -> None:
        """Take the faces of a frame that have a track and an expression."""
        visible = {face.track for face in result.faces}
        for known in self._records.values():
            if known.number not in visible:
                known.thumbnails.end_run(known.last_s)
        for face in result.faces:
            if face.track is None or face.expression is None:
                continue
            record = self._records.get(face.track)
            if record is None:
                record = self._begin(face.track, result, visible)
            if record is not None:
                _add(record, image_rgb, face, result.time_s)

    def add_segment(self, segment: Segment) -> None:
        """Take a segment that is over."""
        if segment.track in self._records:
            self._records[segment.track].add_segment(segment)

    def longest_seen(self) -> list[TrackRecord]:
        """The records, those with the most frames first."""
        return sorted(self._records.values(), key=lambda r: (-r.n_frames, r.number))

    def _begin(
        self, number: int, result: FrameResult, visible: set[int | None]
    ) -> TrackRecord | None:
        if len(self._records) >= KEPT_TRACKS:
            away = [r for r in self._records.values() if r.number not in visible]
            if not away:
                return None
            del self._records[min(away, key=lambda r: r.n_frames).number]
        record = TrackRecord(number, Bins(len(self._label_set), result.time_s))
        self._records[number] = record
        return record


def _add(record: TrackRecord, image_rgb: Image, face: Face, time_s: float) -> None:
    expression = face.expression
    if expression is None:
        return
    shown = None if expression.is_uncertain else expression.index
    record.bins.add(time_s, expression.probabilities, shown)
    record.thumbnails.add(image_rgb, face, expression, time_s)
    record.n_frames += 1
    record.last_s = time_s
