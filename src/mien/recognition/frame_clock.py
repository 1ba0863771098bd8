"""How long each frame of a video is shown."""

from collections import deque
from statistics import median

from mien.results import FrameResult

MAX_GAP_S = 1.0
"""A face that is unseen for longer than this has left."""

_USUAL_S = 0.04
_N_INTERVALS = 101
_HOLE = 5.0
"""A frame is not shown for more than this many times the usual duration and `MAX_GAP_S`: such a
pause is a hole in the source, as of a stream that went away and came back."""


class FrameClock:
    """Tells the duration of each frame when the next one comes: a frame is shown until then."""

    def __init__(self) -> None:
        self.last_s: float | None = None
        """Time of the last frame; None before the first."""
        self._intervals: deque[float] = deque(maxlen=_N_INTERVALS)

    def tick(self, result: FrameResult) -> float:
        """Take the next frame.

        Returns:
            How long the frame before it was shown, in seconds; 0 for the first frame.
        """
        last_s, self.last_s = self.last_s, result.time_s
        if last_s is None:
            return 0.0
        interval = max(0.0, result.time_s - last_s)
        usual_s = self.typical_s if self._intervals else interval
        self._intervals.append(interval)
        return usual_s if interval > max(MAX_GAP_S, _HOLE * usual_s) else interval

    @property
    def typical_s(self) -> float:
        """Median duration of the latest frames: what the last one is taken to have."""
        return median(self._intervals) if self._intervals else _USUAL_S
