"""Calm expressions: probabilities smoothed over time, and a label that does not flicker.

Distributions of single frames enter, one per track, and smoothed ones leave. Smoothing is
exponential, by time and not by frames: what was seen weighs half as much after every half-life,
so frame rates, lost frames and gaps need no care. The label changes only when another class leads
by a margin, or leads for a while (hysteresis). Where there is a least confidence, "uncertain" takes
part as one more class whose probability is always that threshold; but it has to lead for a while,
since every change from one expression to another passes through a moment in which none is probable.
Means of logarithms and the One Euro filter (Casiez, Roussel and Vogel, 2012) were tried; what they
gained is in LOG.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.labels import LabelSet
from mien.results import Expression, check_min_confidence

HALF_LIFE_S = 0.08
"""Chosen with benchmark/video_stability.py; what else was tried is in LOG.md."""
MARGIN = 0.1
"""As above."""
PATIENCE_S = 0.25
"""A class that leads for so long is shown even where it leads by less than the margin."""

NUMBERS = {"half_life_s": HALF_LIFE_S, "margin": MARGIN, "patience_s": PATIENCE_S}
"""As of `mien.recognition.tracks.NUMBERS`."""


@dataclass(slots=True)
class _State:
    """One track's past."""

    probabilities: NDArray[np.float64]
    held: int
    """Index of the class that is shown; the number of classes where the face is uncertain."""
    time_s: float
    leader: int
    """Index of the class that would be shown without hysteresis; as above."""
    led_since_s: float


class Smoother:
    """Smooths the expressions of tracks. For one thread.

    Args:
        label_set: the classes, in the order of the probabilities.
        half_life_s: after so many seconds a frame weighs half as much as a new one; 0 switches
            smoothing and hysteresis off.
        margin: by how much another class must be more probable than the label that is shown,
            after smoothing, to take its place at once; in [0, 1). By less, it takes `PATIENCE_S`.
        min_confidence: as in `Recognizer`: a face becomes uncertain where no class reached it for
            `PATIENCE_S`, and shows a class again at once where that exceeds it by the margin; by
            less, after `PATIENCE_S`.

    Raises:
        ValueError: a negative half-life, a margin outside [0, 1), or a least confidence outside
            [0, 1].
    """

    def __init__(
        self,
        label_set: LabelSet,
        *,
        half_life_s: float = HALF_LIFE_S,
        margin: float = MARGIN,
        min_confidence: float = 0.0,
    ) -> None:
        check_smoothing(half_life_s, margin)
        check_min_confidence(min_confidence)
        self._label_set = label_set
        self._half_life_s = half_life_s
        self._margin = margin
        self._min_confidence = min_confidence
        self._states: dict[int, _State] = {}

    def smooth(
        self, tracks: Sequence[int], probabilities: NDArray[np.float64], time_s: float
    ) -> tuple[Expression, ...]:
        """Take what the faces of the next frame show.

        Args:
            tracks: the track number of each face, all different.
            probabilities: float64 (n, classes), a row per face, summing to 1.
            time_s: time of the frame in seconds, not before the last one of these tracks.

        Returns:
            The smoothed expression of each face; that of a track's first frame is as it came.

        Raises:
            ValueError: other than one distribution per face; nothing was changed.
        """
        if probabilities.shape != (len(tracks), len(self._label_set)):
            raise ValueError(
                f"expected probabilities ({len(tracks)}, {len(self._label_set)}), "
                f"got {probabilities.shape}"
            )
        if self._half_life_s == 0.0:
            return tuple(
                Expression(self._label_set, tuple(row), min_confidence=self._min_confidence)
                for row in probabilities.tolist()
            )
        pairs = zip(tracks, probabilities, strict=True)
        return tuple(self._smooth_one(track, row, time_s) for track, row in pairs)

    def keep(self, tracks: Collection[int]) -> None:
        """Forget all tracks but these."""
        for track in self._states.keys() - set(tracks):
            del self._states[track]

    def _smooth_one(self, track: int, row: NDArray[np.float64], time_s: float) -> Expression:
        state = self._states.get(track)
        if state is None:
            first = int(self._candidates(row).argmax())
            state = self._states[track] = _State(row.copy(), first, time_s, first, time_s)
        else:
            weight = 1.0 - 0.5 ** ((time_s - state.time_s) / self._half_life_s)
            state.probabilities += weight * (row - state.probabilities)
            state.time_s = time_s
            candidates = self._candidates(state.probabilities)
            leader = int(candidates.argmax())
            if leader != state.leader:
                state.leader, state.led_since_s = leader, time_s
            lead = candidates[leader] - candidates[state.held]
            leads_clearly = lead > self._margin and leader < len(self._label_set)
            if leads_clearly or time_s - state.led_since_s >= PATIENCE_S:
                state.held = leader
        return self._shown(state)

    def _candidates(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """What may be shown: the classes, then "uncertain", which wins no tie."""
        return np.append(probabilities, self._min_confidence)

    def _shown(self, state: _State) -> Expression:
        probabilities = tuple(state.probabilities.tolist())
        if not self._min_confidence:
            return Expression(self._label_set, probabilities, state.held)
        is_uncertain = state.held == len(self._label_set)
        held = None if is_uncertain else state.held
        return Expression(self._label_set, probabilities, held, self._min_confidence, is_uncertain)


def check_smoothing(half_life_s: float, margin: float) -> None:
    """Refuse values that mean nothing.

    Raises:
        ValueError: a half-life that is negative or not finite, or a margin outside [0, 1).
    """
    if not 0.0 <= half_life_s < float("inf"):
        raise ValueError(f"expected a half_life_s of at least 0, got {half_life_s}")
    if not 0.0 <= margin < 1.0:
        raise ValueError(f"expected a margin in [0, 1), got {margin}")
