"""How long each row of a video lasted, and where a face began to show something.

The rules are those of `mien.recognition.segments`, over whole tables at once.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.recognition.frame_clock import MAX_GAP_S
from mien.summaries.faces import FaceRows

_HOLE = 5.0
_USUAL_S = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """What time says about the rows of `rows`, which are by source, track and time."""

    rows: FaceRows
    """The rows in that order."""
    duration_s: NDArray[np.float64]
    """How long each row's frame was shown, (n,); 1 for each face of photos."""
    is_onset: NDArray[np.bool_]
    """Whether the label of a row was not shown just before, by a face that was in view, (n,). What
    a face shows as it comes into view has no onset: nobody saw it begin."""
    end_s: NDArray[np.float64]
    """When the last row of each source was over, (sources,); NaN where a source has none."""
    frame_s: NDArray[np.float64]
    """How long a frame of each source is usually shown, (sources,); NaN likewise."""


def spans(rows: FaceRows) -> Spans:
    """Durations and onsets of rows, in any order."""
    order = np.lexsort((rows.time_s, rows.track, rows.source))
    rows = rows.taken(order)
    end_s = np.full(len(rows.sources), np.nan)
    frame_s = np.full(len(rows.sources), np.nan)
    if not rows.is_of_videos:
        n = len(rows)
        return Spans(rows, np.ones(n), np.zeros(n, bool), end_s, frame_s)
    duration_s, usual_s = np.empty(len(rows)), np.empty(len(rows))
    starts = np.searchsorted(rows.source, np.arange(len(rows.sources) + 1))
    for number, (begin, end) in enumerate(pairwise(starts.tolist())):
        if begin == end:
            continue
        times, inverse = np.unique(rows.time_s[begin:end], return_inverse=True)
        frames = np.zeros(len(times), np.int64)
        frames[inverse] = rows.frame[begin:end]
        shown_s, usual = _durations(times, frames)
        duration_s[begin:end], usual_s[begin:end] = shown_s[inverse], usual
        end_s[number], frame_s[number] = times[-1] + shown_s[-1], usual
    same = (rows.source[1:] == rows.source[:-1]) & (rows.track[1:] == rows.track[:-1])
    gap_s = rows.time_s[1:] - rows.time_s[:-1] - duration_s[:-1]
    is_seen = same & (gap_s <= np.maximum(MAX_GAP_S, 1.5 * usual_s[1:]))
    is_onset = np.zeros(len(rows), bool)
    is_onset[1:] = is_seen & (rows.label[1:] != rows.label[:-1])
    return Spans(rows, duration_s, is_onset, end_s, frame_s)


def _durations(
    times: NDArray[np.float64], frames: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """How long each frame of one source was shown, and the usual duration.

    A table lacks frames without a face, and those count for nobody: the numbers of the frames tell
    how many are missing.
    """
    if len(times) < 2:
        return np.full(len(times), _USUAL_S), _USUAL_S
    steps = np.maximum(1, np.diff(frames))
    each_s = np.diff(times) / steps
    usual = float(np.median(each_s))
    # A pause is a hole in the source, as of a stream that went away and came back.
    each_s = np.where(each_s > max(MAX_GAP_S, _HOLE * usual), usual, each_s)
    return np.append(each_s, usual), usual
