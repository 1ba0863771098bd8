"""Tracks: which face of this frame is which face of the frames before.

A track is the continuous presence of one face in one shot. Detections and a description of each
one's appearance enter, track numbers leave. Every pair of track and detection gets a cost, from
how far the detection lies from where the track should be, how much its size and its appearance
changed; the pairs of the least total cost are taken. Everything is measured in face widths and
seconds, so sizes and frame rates do not matter. Libraries that were considered are in LOG.md,
semantics in docs/tracks.md.
"""

from collections import deque
from collections.abc import Sequence
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

_TRACK = np.dtype(
    [
        ("number", np.int64),
        ("centre_px", np.float64, 2),
        ("velocity_px_s", np.float64, 2),
        ("width_px", np.float64),
        ("colours", np.float32, SIZE),
        ("weights", np.float32, SIZE),
        ("seen_s", np.float64),
    ]
)
Tracks = NDArray[np.void]
"""One `_TRACK` per track that has not ended."""


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
        self._tracks: Tracks = np.empty(0, _TRACK)
        self._last_s: float | None = None
        self._intervals_s: deque[float] = deque(maxlen=_N_INTERVALS)
        self._now_s = 0.0
        """Time as the tracks know it, which slow frames do not hurry on."""

    @property
    def waiting_or_in_view(self) -> frozenset[int]:
        """Numbers of the tracks that have not ended."""
        return frozenset(self._tracks["number"].tolist())

    def end_all(self) -> None:
        """End all tracks, as a cut does; the next faces get new numbers."""
        self._tracks = np.empty(0, _TRACK)

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
        self._tracks = self._tracks[now_s - self._tracks["seen_s"] <= self._max_gap_s]
        faces = _as_tracks(detections, appearances, now_s)
        old, seen = _pairs(self._tracks, faces, now_s)
        faces["number"][seen] = self._tracks["number"][old]
        new = np.flatnonzero(faces["number"] == 0)
        faces["number"][new] = np.arange(len(new)) + self._last_number + 1
        self._last_number += len(new)
        self._tracks[old] = _continued(self._tracks[old], faces[seen])
        self._tracks = np.concatenate([self._tracks, faces[new]])
        return tuple(faces["number"].tolist())

    def _tick(self, time_s: float) -> float:
        """Let time go on to the next frame; returns it as the tracks know it."""
        if self._last_s is not None:
            interval_s = time_s - self._last_s
            self._intervals_s.append(interval_s)
            self._now_s += interval_s * min(1.0, LONGEST_FRAME_S / median_low(self._intervals_s))
        self._last_s = time_s
        return self._now_s


def _as_tracks(detections: Sequence[Detection], appearances: Appearances, time_s: float) -> Tracks:
    """Faces of one frame as tracks that begin, still without a number."""
    boxes = np.array([face.box_xywh_px for face in detections], np.float64).reshape(-1, 4)
    faces = np.zeros(len(boxes), _TRACK)
    faces["centre_px"] = boxes[:, :2] + boxes[:, 2:] / 2
    faces["width_px"] = boxes[:, 2]
    faces["colours"] = appearances.colours
    faces["weights"] = appearances.weights
    faces["seen_s"] = time_s
    return faces


def _pairs(
    tracks: Tracks, faces: Tracks, time_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the tracks and of the faces that belong together."""
    gaps_s = (time_s - tracks["seen_s"])[:, np.newaxis]
    coasted_s = _COASTING_S * -np.expm1(-gaps_s / _COASTING_S)
    expected_px = tracks["centre_px"] + tracks["velocity_px_s"] * coasted_s
    place = _squared_distances(expected_px, faces["centre_px"])
    place /= np.multiply.outer(tracks["width_px"], faces["width_px"])
    ratio = np.subtract.outer(np.log(tracks["width_px"]), np.log(faces["width_px"]))
    looks = (distances(_looks(tracks), _looks(faces)) / _APPEARANCE) ** 2
    costs = (
        place / (_PLACE[0] + _PLACE[1] * gaps_s) ** 2
        + (ratio / (_SIZE_RATIO[0] + _SIZE_RATIO[1] * gaps_s)) ** 2
        + np.where(gaps_s <= _IN_VIEW_S, np.minimum(looks, _APPEARANCE_AT_MOST), looks)
        + _WAITING_COST * gaps_s
    )
    # Cut off, so that pairs that are none do not push the others apart.
    costs = np.minimum(costs, _MOST_COST)
    rows, columns = cheapest_pairs(costs)
    paired = costs[rows, columns] < _MOST_COST
    return rows[paired], columns[paired]


def _looks(tracks: Tracks) -> Appearances:
    return Appearances(tracks["colours"], tracks["weights"])


def _continued(tracks: Tracks, faces: Tracks) -> Tracks:
    """Tracks with their new sightings."""
    gaps_s = (faces["seen_s"] - tracks["seen_s"])[:, np.newaxis]
    measured_px_s = (faces["centre_px"] - tracks["centre_px"]) / gaps_s
    continued = faces.copy()
    continued["velocity_px_s"] = tracks["velocity_px_s"] + _weights(
        gaps_s, _VELOCITY_HALF_LIFE_S
    ) * (measured_px_s - tracks["velocity_px_s"])
    weights = _weights(gaps_s, _APPEARANCE_HALF_LIFE_S).astype(np.float32)
    looks = mixed(_looks(tracks), _looks(faces), weights)
    continued["colours"], continued["weights"] = looks.colours, looks.weights
    return continued


def _weights(gaps_s: NDArray[np.float64], half_life_s: float) -> NDArray[np.float64]:
    """What a new value weighs against the past after a gap."""
    return np.asarray(1.0 - 0.5 ** (gaps_s / half_life_s))


def _squared_distances(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    offsets = first[:, np.newaxis] - second
    return np.asarray(np.einsum("ijk,ijk->ij", offsets, offsets))
