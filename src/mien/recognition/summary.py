"""What a video comes to: who was visible for how long, and what their faces showed.

Built frame by frame. The memory needed grows with the number of tracks, up to a limit; beyond it
the tracks that were visible for the shortest time are counted but not kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import nlargest

from mien.labels import Label
from mien.recognition.frame_clock import FrameClock
from mien.recognition.segments import SegmentStream
from mien.results import Face, FrameResult, Tta

MAX_TRACKS = 1000
"""Tracks that a summary keeps."""


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """One face through a video."""

    track: int
    """Number of the track."""
    first_s: float
    """Time of the first frame in which it was seen."""
    last_s: float
    """When the last frame in which it was seen was over."""
    visible_s: float
    """How long it was seen in all."""
    shares: Mapping[Label, float]
    """Share of that time for each label that was shown, `mien.labels.UNCERTAIN` among them, the
    largest first; they sum to 1."""
    n_segments: int
    """Number of `mien.recognition.segments.Segment`s."""
    label_changes: int
    """How often the shown label changed."""
    raw_label_changes: int
    """How often the most probable label of the frames alone changed, unsmoothed."""

    @property
    def label_changes_per_minute(self) -> float:
        """Changes of the shown label per minute of visible time."""
        return _per_minute(self.label_changes, self.visible_s)

    @property
    def raw_label_changes_per_minute(self) -> float:
        """Changes of the unsmoothed label per minute of visible time."""
        return _per_minute(self.raw_label_changes, self.visible_s)


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """All faces of a video."""

    n_frames: int
    """Number of frames."""
    n_frames_with_faces: int
    """Number of frames with at least one face."""
    n_faces: int
    """Number of faces in all frames: the rows of a table."""
    duration_s: float
    """From the beginning of the first frame to the end of the last one."""
    n_tracks: int
    """Number of tracks."""
    tracks: tuple[TrackSummary, ...]
    """The tracks by number; the longest visible `MAX_TRACKS` where there are more."""
    tta: Tta = "none"
    """Test-time augmentation of the probabilities."""
    min_confidence: float = 0.0
    """The probability below which faces were uncertain; 0: they never were."""


@dataclass(slots=True)
class _Track:
    first_s: float
    last_s: float
    visible_s: float = 0.0
    seconds: dict[Label, float] = field(default_factory=dict)
    label: Label | None = None
    raw: Label | None = None
    n_segments: int = 0
    changes: int = 0
    raw_changes: int = 0

    def see(self, face: Face) -> None:
        if face.expression is not None:
            label = face.expression.label
            self.changes += self.label is not None and label != self.label
            self.label = label
        if face.raw is not None:
            raw = face.raw.label
            self.raw_changes += self.raw is not None and raw != self.raw
            self.raw = raw

    def last(self, time_s: float, duration_s: float) -> None:
        self.last_s = time_s + duration_s
        self.visible_s += duration_s
        if self.label is not None:
            self.seconds[self.label] = self.seconds.get(self.label, 0.0) + duration_s

    def summary(self, track: int) -> TrackSummary:
        total = sum(self.seconds.values()) or 1.0
        ranked = sorted(self.seconds.items(), key=lambda item: -item[1])
        return TrackSummary(
            track,
            self.first_s,
            self.last_s,
            self.visible_s,
            {label: seconds / total for label, seconds in ranked},
            self.n_segments,
            self.changes,
            self.raw_changes,
        )


class VideoSummaryBuilder:
    """Makes a summary out of the results of one video.

    Args:
        max_tracks: how many tracks are kept.
        segments: the video's segments, where others take them, too.
    """

    def __init__(self, max_tracks: int = MAX_TRACKS, segments: SegmentStream | None = None) -> None:
        self._max_tracks = max_tracks
        self._clock = FrameClock()
        self._segments = segments or SegmentStream()
        self._tracks: dict[int, _Track] = {}
        self._seen: list[int] = []
        self._first_s: float | None = None
        self._tta: Tta = "none"
        self._min_confidence = 0.0
        self._n_frames = self._n_frames_with_faces = self._n_faces = self._n_tracks = 0

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        self._end_frame(self._clock.last_s, self._clock.tick(result))
        for segment in self._segments.at(result):
            self._count_segment(segment.track)
        self._n_frames += 1
        self._n_frames_with_faces += bool(result.faces)
        self._n_faces += len(result.faces)
        self._tta = result.tta
        if self._first_s is None:
            self._first_s = result.time_s
        for face in result.faces:
            if face.expression is not None:
                self._min_confidence = face.expression.min_confidence
            if face.track is not None:
                self._see(face.track, face, result.time_s)
        if len(self._tracks) > 2 * self._max_tracks:
            self._forget()

    def finish(self, end_s: float | None = None) -> VideoSummary:
        """End the video.

        Args:
            end_s: when the last frame is over; None: after the typical duration of a frame.
        """
        last_s = self._clock.last_s
        duration_s = self._clock.typical_s
        if end_s is not None and last_s is not None:
            duration_s = max(0.0, end_s - last_s)
        self._end_frame(last_s, duration_s)
        for segment in self._segments.rest(end_s):
            self._count_segment(segment.track)
        self._forget()
        length = 0.0 if last_s is None else last_s + duration_s - (self._first_s or 0.0)
        return VideoSummary(
            self._n_frames,
            self._n_frames_with_faces,
            self._n_faces,
            length,
            self._n_tracks,
            tuple(track.summary(number) for number, track in sorted(self._tracks.items())),
            self._tta,
            self._min_confidence,
        )

    def _see(self, number: int, face: Face, time_s: float) -> None:
        if number not in self._tracks:
            self._tracks[number] = _Track(time_s, time_s)
            self._n_tracks += 1
        self._tracks[number].see(face)
        self._seen.append(number)

    def _count_segment(self, number: int) -> None:
        if number in self._tracks:
            self._tracks[number].n_segments += 1

    def _end_frame(self, time_s: float | None, duration_s: float) -> None:
        for number in self._seen:
            self._tracks[number].last(time_s or 0.0, duration_s)
        self._seen.clear()

    def _forget(self) -> None:
        """Keep the longest visible tracks, and those that are in the picture."""
        kept = nlargest(
            self._max_tracks, self._tracks, key=lambda number: self._tracks[number].visible_s
        )
        kept += self._seen
        self._tracks = {number: self._tracks[number] for number in sorted(set(kept))}


def _per_minute(n: int, seconds: float) -> float:
    return 60.0 * n / seconds if seconds > 0 else 0.0
