"""What is measured of a live picture: how often it changes and how old it is."""

import math
from array import array
from collections import deque
from dataclasses import dataclass

import numpy as np

RECENT_S = 2.0
"""The moving averages are taken over this many seconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Frames shown over a whole run; NaN where there were too few to tell."""

    n_shown: int
    """Frames that were shown."""
    frame_rate_hz: float
    """Frames per second: the median."""
    latency_s: float
    """Time from a frame's capture to its display: the median."""
    latency_p95_s: float
    """The same: 95 of 100 frames were faster."""


class Meter:
    """Measures from the times at which frames came and were shown. Keeps 8 bytes of each."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()
        self._latencies_s = array("f")
        self._intervals_s = array("f")
        self._last_s: float | None = None

    def add(self, captured_s: float, shown_s: float) -> None:
        """Count a frame that was shown; both times on one clock, in seconds."""
        self._latencies_s.append(shown_s - captured_s)
        if self._last_s is not None:
            self._intervals_s.append(shown_s - self._last_s)
        self._last_s = shown_s
        self._recent.append((shown_s, shown_s - captured_s))
        while self._recent[0][0] < shown_s - RECENT_S:
            self._recent.popleft()

    def pause(self) -> None:
        """The time until the next frame is no interval: the picture stands still on purpose."""
        self._last_s = None
        self._recent.clear()

    @property
    def frame_rate_hz(self) -> float | None:
        """Frames per second in the last two seconds; None before there are enough."""
        if len(self._recent) < 3:
            return None
        duration_s = self._recent[-1][0] - self._recent[0][0]
        return (len(self._recent) - 1) / duration_s if duration_s > 0 else None

    @property
    def latency_s(self) -> float | None:
        """Mean time from capture to display in the last two seconds, in seconds; None without a
        frame."""
        if not self._recent:
            return None
        return sum(latency_s for _, latency_s in self._recent) / len(self._recent)

    def pace(self) -> Pace:
        """What was measured over the whole run."""
        interval_s = _percentile(self._intervals_s, 50)
        return Pace(
            n_shown=len(self._latencies_s),
            frame_rate_hz=1 / interval_s if interval_s > 0 else math.nan,
            latency_s=_percentile(self._latencies_s, 50),
            latency_p95_s=_percentile(self._latencies_s, 95),
        )


def _percentile(values: "array[float]", percent: float) -> float:
    return float(np.percentile(np.asarray(values), percent)) if len(values) else math.nan
