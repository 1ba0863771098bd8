"""Presentation times that strictly increase, out of time stamps that may not.

Time stamps of sound files are kept to the last digit. Missing ones are filled in with the frame
rate, repeated ones are moved by less than a frame, and a clock that jumps back (two recordings in
one file, a stream that was opened again) goes on from where it was.
"""

from fractions import Fraction

_JUMP_BACK_S = Fraction(1)
"""A step back by more than this, and by two frames, is another clock, not frames out of order."""


class Timeline:
    """The clock of one source.

    Args:
        interval_s: time between frames where time stamps do not tell.
        origin_s: time stamp of time 0; that of the first frame where None. Frames before it,
            which players do not show, come right after one another from 0 on.
    """

    def __init__(self, interval_s: Fraction, origin_s: Fraction | None = None) -> None:
        self._interval_s = interval_s
        self._origin_s = origin_s
        self._last_s: Fraction | None = None
        self._resume_s: Fraction | None = None

    @property
    def end_s(self) -> float:
        """Time at which the next frame is due; 0 before the first."""
        return 0.0 if self._last_s is None else float(self._last_s + self._interval_s)

    def resume(self, at_s: float) -> None:
        """Let the next frame be at this time, or later if it has to, whatever its time stamp."""
        self._resume_s = Fraction(at_s)

    def time_of(self, stamp_s: Fraction | None) -> float:
        """Time of the next frame, in seconds, given its time stamp; None where it has none."""
        self._last_s = self._place(stamp_s)
        return float(self._last_s)

    def _place(self, stamp_s: Fraction | None) -> Fraction:
        due_s = Fraction(0) if self._last_s is None else self._last_s + self._interval_s
        if self._resume_s is not None:
            due_s, self._resume_s = max(due_s, self._resume_s), None
            self._origin_s = None
        if stamp_s is None:
            return due_s
        if self._origin_s is None:
            self._origin_s = stamp_s - due_s
        time_s = stamp_s - self._origin_s
        if self._last_s is None:
            return max(time_s, Fraction(0))
        if time_s > self._last_s:
            return time_s
        if time_s < self._last_s - max(_JUMP_BACK_S, 2 * self._interval_s):
            self._origin_s = stamp_s - due_s
            return due_s
        return self._last_s + self._interval_s / 2
