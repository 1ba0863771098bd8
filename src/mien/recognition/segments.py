"""Segments: the spans of time in which a face shows one expression, or is uncertain.

Results go in frame by frame, segments come out when they are over, so the memory needed grows
with the faces that are visible and not with the video. The labels are taken as they are shown:
smoothing and hysteresis are the recogniser's.
"""

from copy import deepcopy
from dataclasses import dataclass

from mien.labels import Label
from mien.recognition.frame_clock import MAX_GAP_S, FrameClock
from mien.results import Expression, FrameResult


@dataclass(frozen=True, slots=True)
class Segment:
    """A span in which one face shows one expression.

    Raises:
        ValueError: onset, peak and end are not in this order.
    """

    track: int
    """Number of the face's track."""
    label: Label
    """The expression that is shown; `mien.labels.UNCERTAIN` where none was probable enough, and
    then the confidences are those of the most probable one."""
    onset_s: float
    """Time of the first frame that shows it, in seconds of the source."""
    peak_s: float
    """Time of the frame with the highest confidence, the first of them."""
    end_s: float
    """When the next segment of the track begins, or when the last frame with the face is over."""
    peak_confidence: float
    """The highest confidence."""
    mean_confidence: float
    """Mean confidence of the frames in which the face was seen."""
    n_frames: int
    """Number of frames in which the face was seen."""

    def __post_init__(self) -> None:
        if not self.onset_s <= self.peak_s <= self.end_s:
            raise ValueError(
                f"expected onset, peak and end in order, got {self.onset_s}, {self.peak_s}, "
                f"{self.end_s}"
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.onset_s


@dataclass(slots=True)
class _Open:
    """A segment that may go on."""

    track: int
    label: Label
    onset_s: float
    peak_s: float
    end_s: float
    peak_confidence: float = -1.0
    total: float = 0.0
    n_frames: int = 0

    def add(self, expression: Expression, time_s: float) -> None:
        confidence = expression.confidence
        if confidence > self.peak_confidence:
            self.peak_confidence, self.peak_s = confidence, time_s
        self.total += confidence
        self.n_frames += 1

    def closed(self) -> Segment:
        return Segment(
            self.track,
            self.label,
            self.onset_s,
            self.peak_s,
            self.end_s,
            self.peak_confidence,
            self.total / self.n_frames,
            self.n_frames,
        )


class SegmentBuilder:
    """Makes segments out of the results of one video.

    A face that is hidden for a short time and shows the same expression again goes on with its
    segment; after a longer time, or with another expression, the segment ended when it was
    hidden. Faces without a track or an expression make none.

    Args:
        max_gap_s: the longest time for which a face may be hidden within a segment; one frame
            may always be missing.
    """

    def __init__(self, max_gap_s: float = MAX_GAP_S) -> None:
        self._max_gap_s = max_gap_s
        self._clock = FrameClock()
        self._open: dict[int, _Open] = {}
        self._seen: set[int] = set()

    def add(self, result: FrameResult) -> tuple[Segment, ...]:
        """Take the next frame.

        Returns:
            The segments that are now known to be over, by onset and track.
        """
        now_s = result.time_s
        self._end_frame(self._clock.last_s, self._clock.tick(result))
        closed: list[Segment] = []
        for face in result.faces:
            if face.track is None or face.expression is None:
                continue
            segment = self._open.get(face.track)
            if segment is None or not self._goes_on(segment, face.expression.label, now_s):
                if segment is not None:
                    closed.append(segment.closed())
                segment = _Open(face.track, face.expression.label, now_s, now_s, now_s)
                self._open[face.track] = segment
            segment.add(face.expression, now_s)
            self._seen.add(face.track)
        for track, segment in list(self._open.items()):
            if track not in self._seen and now_s - segment.end_s > self._longest_gap_s:
                closed.append(self._open.pop(track).closed())
        return _in_order(closed)

    def finish(self, end_s: float | None = None) -> tuple[Segment, ...]:
        """End the video.

        Args:
            end_s: when the last frame is over; None: after the typical duration of a frame.

        Returns:
            The segments that were still open, by onset and track.
        """
        last_s = self._clock.last_s
        if end_s is None or last_s is None:
            self._end_frame(last_s, self._clock.typical_s)
        else:
            self._end_frame(last_s, max(0.0, end_s - last_s))
        closed = [segment.closed() for segment in self._open.values()]
        self._open.clear()
        return _in_order(closed)

    def _end_frame(self, time_s: float | None, duration_s: float) -> None:
        """The faces of the last frame were seen until it was over."""
        for track in self._seen:
            self._open[track].end_s = (time_s or 0.0) + duration_s
        self._seen.clear()

    def _goes_on(self, segment: _Open, label: Label, now_s: float) -> bool:
        return segment.label == label and now_s - segment.end_s <= self._longest_gap_s

    @property
    def _longest_gap_s(self) -> float:
        return max(self._max_gap_s, 1.5 * self._clock.typical_s)


class SegmentStream:
    """The segments of one video for everything that needs them, built once.

    Whoever takes part calls `at` with each frame's result; the first one of them does the work.
    For one thread.
    """

    def __init__(self) -> None:
        self._builder = SegmentBuilder()
        self._last: FrameResult | None = None
        self._over: tuple[Segment, ...] = ()

    def at(self, result: FrameResult) -> tuple[Segment, ...]:
        """The segments that are known to be over with this frame, by onset and track."""
        if result is not self._last:
            self._over = self._builder.add(result)
            self._last = result
        return self._over

    def rest(self, end_s: float | None = None) -> tuple[Segment, ...]:
        """The segments that would end if the video ended now; it may go on.

        Args:
            end_s: when the last frame is over; None: after the typical duration of a frame.
        """
        return deepcopy(self._builder).finish(end_s)


def _in_order(segments: list[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda segment: (segment.onset_s, segment.track)))
