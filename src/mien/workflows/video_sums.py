"""What a video comes to in the end: its segments and its summary."""

from mien.recognition.segments import Segment, SegmentStream
from mien.recognition.summary import VideoSummary, VideoSummaryBuilder
from mien.results import FrameResult
from mien.sources.source import Frame


class VideoSums:
    """A `FrameTaker`: the segments and the summary of one video, as it goes on.

    Args:
        stream: the video's segments, which others take, too.
        keep_segments: whether to keep them all.
    """

    def __init__(self, stream: SegmentStream, *, keep_segments: bool = False) -> None:
        self._stream = stream
        self._summary = VideoSummaryBuilder(segments=stream)
        self._keeps = keep_segments
        self._segments: list[Segment] = []
        self._ended: VideoSummary | None = None

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take one frame; see `FrameTaker`."""
        over = self._stream.at(result)
        if self._keeps:
            self._segments.extend(over)
        self._summary.add(result)

    def close(self) -> None:
        """Sum up; see `FrameTaker`."""
        self._sum_up()

    @property
    def summary(self) -> VideoSummary:
        """The summary, once the video is over."""
        return self._sum_up()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments in the order of their onsets, once the video is over."""
        self._sum_up()
        return tuple(sorted(self._segments, key=lambda one: (one.onset_s, one.track)))

    def _sum_up(self) -> VideoSummary:
        if self._ended is None:
            self._ended = self._summary.finish()
            if self._keeps:
                self._segments.extend(self._stream.rest())
        return self._ended
