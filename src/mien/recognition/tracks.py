"""Tracks: which face of this frame is which face of the frames before.

A track is the continuous presence of one face in one shot. Detections and a description of each
one's appearance enter, track numbers leave. Every pair of track and detection gets a cost, from
how far the detection lies from where the track should be, how much its size and its appearance
changed; the pairs of the least total cost are taken. Everything is measured in face widths and
seconds, so sizes and frame rates do not matter. Libraries that were considered are in LOG.md,
semantics in docs/tracks.md.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

from mien.recognition.appearance import SIZE, Appearances, distances, mixed
from mien.recognition.assignment import cheapest_pairs
from mien.results import Detection

MAX_GAP_S = 1.5
"""How long a track waits for a face that is hidden or away."""

LONGEST_FRAME_S = 0.6
"""What a frame counts for at most: where frames usually lie further apart, all seconds here are
meant in frames of so long. Else a face that moves, or is missed once, would be another one in
pictures taken every few seconds. Longer than `_IN_VIEW_S`, for somebody else may have taken the
place."""
_N_INTERVALS = 9

# Standard deviations of what a face does between two sightings dt seconds apart.
_PLACE = (0.25, 1.5)
"""Place against the prediction, in face widths: constant, and per second."""
_SIZE_RATIO = (0.25, 0.5)
"""Natural logarithm of the ratio of widths: constant, and per second."""
_APPEARANCE = 0.22
"""Distance of appearances."""
_APPEARANCE_AT_MOST = 9.0
"""Cost of a changed appearance while the face is in view: a hand, a shadow, a turned head."""
_IN_VIEW_S = 0.5
_MOST_COST = 12.0
"""A pair that costs more is no pair: the detection begins a track."""
_WAITING_COST = 2.0
"""Per second since the last sighting, so that tracks in view come first."""

_COASTING_S = 1.0
"""Time constant with which the velocity of a face out of view fades."""
_VELOCITY_HALF_LIFE_S = 0.1
_APPEARANCE_HALF_LIFE_S = 0.5

NUMBERS = {
    "max_gap_s": MAX_GAP_S,
    "longest_frame_s": LONGEST_FRAME_S,
    "n_intervals": _N_INTERVALS,
    "place": _PLACE,
    "size_ratio": _SIZE_RATIO,
    "appearance": _APPEARANCE,
    "appearance_at_most": _APPEARANCE_AT_MOST,
    "in_view_s": _IN_VIEW_S,
    "most_cost": _MOST_COST,
    "waiting_cost": _WAITING_COST,
    "coasting_s": _COASTING_S,
    "velocity_half_life_s": _VELOCITY_HALF_LIFE_S,
    "appearance_half_life_s": _APPEARANCE_HALF_LIFE_S,
}
"""All of the above, for those who compute the same elsewhere: the page in the browser."""


@dataclass(slots=True, eq=False)
class _Track:
    """A track that has not ended, as it was last seen. Plain numbers: for the few faces of a frame
    they take half as long as arrays of one number each."""

    number: int
    """0 where it has none yet."""
    x_px: float
    """Centre."""
    y_px: float
    width_px: float
    looks: Appearances
    """One row."""
    seen_s: float
    velocity_x_px_s: float = 0.0
    velocity_y_px_s: float = 0.0


class Tracker:
    """Numbers faces across the frames of one shot after another. Deterministic; for one thread.

    A detection that belongs to no track begins one at once, so every face has a number from its
    first frame on; a false detection of one frame takes a number, too. Numbers begin at 1 and are
    never given twice. Remembers nothing of tracks that ended.

    Args:
        max_gap_s: how long a track waits for its face to come back, in seconds; a frame counts for
            `LONGEST_FRAME_S` at most.

    Raises:
        ValueError: a negative gap.
    """

    def __init__(self, *, max_gap_s: float = MAX_GAP_S) -> None:
        if not max_gap_s >= 0.0:
            raise ValueError(f"expected a max_gap_s of at least 0, got {max_gap_s}")
        self._max_gap_s = max_gap_s
        self._last_number = 0
        self._tracks: list[_Track] = []
        self._last_s: float | None = None
        self._intervals_s: deque[float] = deque(maxlen=_N_INTERVALS)
        self._now_s = 0.0
        """Time as the tracks know it, which slow frames do not hurry on."""

    @property
    def waiting_or_in_view(self) -> frozenset[int]:
        """Numbers of the tracks that have not ended."""
        return frozenset(track.number for track in self._tracks)

    def end_all(self) -> None:
        """End all tracks, as a cut does; the next faces get new numbers."""
        self._tracks = []

    def update(
        self,
        detections: Sequence[Detection],
        appearances: Appearances,
        time_s: float,
    ) -> tuple[int, ...]:
        """Take the faces of the next frame.

        Args:
            detections: the faces, in any order.
            appearances: what each looks like, as `mien.recognition.appearance.describe` says.
            time_s: time of the frame in seconds, later than the one before.

        Returns:
            The track number of each face.

        Raises:
            ValueError: other than one row per face; nothing was changed.
        """
        if appearances.colours.shape != (len(detections), SIZE):
            raise ValueError(
                f"expected {len(detections)} appearances, got {len(appearances.colours)}"
            )
        now_s = self._tick(time_s)
        tracks = [track for track in self._tracks if now_s - track.seen_s <= self._max_gap_s]
        faces = _as_tracks(detections, appearances, now_s)
        for old, new in _pairs(tracks, faces, now_s):
            faces[new].number = tracks[old].number
            _go_on(faces[new], tracks[old])
            tracks[old] = faces[new]
        for face in faces:
            if not face.number:
                self._last_number += 1
                face.number = self._last_number
                tracks.append(face)
        self._tracks = tracks
        return tuple(face.number for face in faces)

    def _tick(self, time_s: float) -> float:
        """Let time go on to the next frame; returns it as the tracks know it."""
        if self._last_s is not None:
            interval_s = time_s - self._last_s
            self._intervals_s.append(interval_s)
            self._now_s += interval_s * min(1.0, LONGEST_FRAME_S / median_low(self._intervals_s))
        self._last_s = time_s
        return self._now_s


def _as_tracks(
    detections: Sequence[Detection], appearances: Appearances, time_s: float
) -> list[_Track]:
    """Faces of one frame as tracks that begin, still without a number."""
    tracks = []
    for row, face in enumerate(detections):
        x, y, width, height = face.box_xywh_px
        looks = appearances.rows(slice(row, row + 1))
        tracks.append(_Track(0, x + width / 2, y + height / 2, width, looks, time_s))
    return tracks


def _pairs(tracks: list[_Track], faces: list[_Track], now_s: float) -> list[tuple[int, int]]:
    """Positions of the tracks and of the faces that belong together."""
    if not tracks or not faces:
        return []
    costs = _costs(tracks, faces, now_s)
    pairs = zip(*(each.tolist() for each in cheapest_pairs(costs)), strict=True)
    return [(row, column) for row, column in pairs if costs[row, column] < _MOST_COST]


def _costs(tracks: list[_Track], faces: list[_Track], now_s: float) -> NDArray[np.float64]:
    """What it costs to take each face for each track, (tracks, faces).

    Cut off, so that pairs that are none do not push the others apart.
    """
    looks = distances(_looks(tracks), _looks(faces)).tolist()
    costs = []
    for track, distance_to in zip(tracks, looks, strict=True):
        gap_s = now_s - track.seen_s
        coasted_s = _COASTING_S * -math.expm1(-gap_s / _COASTING_S)
        x_px = track.x_px + track.velocity_x_px_s * coasted_s
        y_px = track.y_px + track.velocity_y_px_s * coasted_s
        place = (_PLACE[0] + _PLACE[1] * gap_s) ** 2 * track.width_px
        size = _SIZE_RATIO[0] + _SIZE_RATIO[1] * gap_s
        most = _APPEARANCE_AT_MOST if gap_s <= _IN_VIEW_S else math.inf
        costs.append(
            [
                min(
                    ((x_px - face.x_px) ** 2 + (y_px - face.y_px) ** 2) / (place * face.width_px)
                    + (math.log(track.width_px / face.width_px) / size) ** 2
                    + min((distance / _APPEARANCE) ** 2, most)
                    + _WAITING_COST * gap_s,
                    _MOST_COST,
                )
                for face, distance in zip(faces, distance_to, strict=True)
            ]
        )
    return np.array(costs)


def _looks(tracks: Sequence[_Track]) -> Appearances:
    if len(tracks) == 1:
        return tracks[0].looks
    return Appearances(
        np.concatenate([track.looks.colours for track in tracks]),
        np.concatenate([track.looks.weights for track in tracks]),
    )


def _go_on(face: _Track, track: _Track) -> None:
    """Give a face what its track knows of the time before."""
    gap_s = face.seen_s - track.seen_s
    weight = _weight(gap_s, _VELOCITY_HALF_LIFE_S)
    x_px_s, y_px_s = (face.x_px - track.x_px) / gap_s, (face.y_px - track.y_px) / gap_s
    face.velocity_x_px_s = track.velocity_x_px_s + weight * (x_px_s - track.velocity_x_px_s)
    face.velocity_y_px_s = track.velocity_y_px_s + weight * (y_px_s - track.velocity_y_px_s)
    face.looks = mixed(track.looks, face.looks, _weight(gap_s, _APPEARANCE_HALF_LIFE_S))


def _weight(gap_s: float, half_life_s: float) -> float:
    """What a new value weighs against the past after a gap."""
    return float(1.0 - 0.5 ** (gap_s / half_life_s))
