"""What each person showed under each condition."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from mien.errors import TableError
from mien.summaries.conditions import Span
from mien.summaries.faces import NO_TRACK
from mien.summaries.spans import Spans

SOURCE, TRACK = "source", "track"
"""Who counts as one person, or one condition, without a file that says so."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One person under one condition."""

    person: str
    """Who."""
    group: tuple[str, ...]
    """The condition, a value for each column that groups."""
    rows: NDArray[np.int64]
    """The rows of `Spans.rows` in which the person is seen, (n,)."""
    windows: tuple[Span, ...]
    """The parts of sources in which that was."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a unit showed; arrays are by `FaceRows.shown_keys`, NaN where nothing is known."""

    seen: float
    """Seconds in which the person was seen; in photos, the number of faces."""
    share: NDArray[np.float64]
    """Of `seen`, summing to 1."""
    mean_probability: NDArray[np.float64]
    """Weighted by time; NaN for *uncertain*, which is no class."""
    onsets_per_minute: NDArray[np.float64]
    """Per minute in which the person was seen; NaN in photos."""
    latency_s: NDArray[np.float64]
    """From the beginning of a window to the first onset in it, the median of the windows; NaN
    where in half of them there was none, and in photos."""
    watched_s: float
    """How long it was possible to see an onset: the median length of the windows."""

    def of(self, measure: str) -> NDArray[np.float64]:
        """One of `mien.summaries.summary.MEASURES`."""
        return np.asarray(getattr(self, measure), np.float64)


def units(
    found: Spans,
    spans: Sequence[Span],
    *,
    group_by: Sequence[str] = (),
    person: str = TRACK,
    min_seen_s: float = 0.0,
) -> tuple[list[Unit], int]:
    """Divide rows among persons and conditions.

    Args:
        found: the rows.
        spans: what is said of them; rows outside of all spans belong to no unit.
        group_by: columns of the spans, or `SOURCE`.
        person: a column of the spans; `SOURCE`: each file is one person; `TRACK`: each track is.
        min_seen_s: tracks that are seen for less are left out.

    Returns:
        The units by group and person, and how many tracks were left out.

    Raises:
        TableError: a row would be in two groups or two persons, or no row is left.
    """
    rows = found.rows
    kept, n_short = _long_enough(found, min_seen_s)
    members: dict[tuple[tuple[str, ...], str], list[NDArray[np.int64]]] = {}
    windows: dict[tuple[tuple[str, ...], str], list[Span]] = {}
    taken = np.full(len(rows), -1)
    begins = np.searchsorted(rows.source, np.arange(len(rows.sources) + 1))
    for number, span in enumerate(spans):
        within = np.arange(begins[span.source], begins[span.source + 1])
        times, tracks = rows.time_s[within], rows.track[within]
        chosen = kept[within] & (times >= span.from_s) & (times < span.to_s)
        if span.track is not None:
            chosen &= tracks == span.track
        if span.where and not chosen.any():
            raise TableError(_nobody(rows.sources[span.source], span, found))
        if (earlier := int(taken[within[chosen]].max(initial=-1))) >= 0:
            raise TableError(_twice(rows.sources[span.source], spans[earlier], span, person))
        taken[within[chosen]] = number
        source = rows.sources[span.source]
        group = tuple(_value(span, column, source) for column in group_by)
        for name, index in _persons(within[chosen], tracks[chosen], span, source, person):
            members.setdefault((group, name), []).append(index)
            windows.setdefault((group, name), []).append(span)
    if not members:
        raise TableError(
            f"no face is left: all {n_short} tracks are seen for less than {min_seen_s:g} s"
        )
    return [
        Unit(name, group, np.sort(np.concatenate(parts)), tuple(windows[group, name]))
        for (group, name), parts in sorted(members.items())
    ], n_short


def shown(found: Spans, unit: Unit, without: NDArray[np.bool_] | None = None) -> Shown:
    """What a unit showed.

    Args:
        found: the rows.
        unit: whose rows.
        without: rows that do not count, (rows,).
    """
    index = unit.rows if without is None else unit.rows[~without[unit.rows]]
    rows, n_labels = found.rows, len(found.rows.shown_keys)
    weights, labels = found.duration_s[index], rows.label[index]
    seen = float(weights.sum())
    nothing = np.full(n_labels, np.nan)
    if not seen:
        return Shown(0.0, nothing, nothing, nothing, nothing, math.nan)
    share = np.bincount(labels, weights, n_labels) / seen
    mean = np.asarray(np.append(weights @ rows.probabilities[index] / seen, np.nan), np.float64)
    if not rows.is_of_videos:
        return Shown(seen, share, mean, nothing, nothing, math.nan)
    onsets = index[found.is_onset[index]]
    counts = np.bincount(rows.label[onsets], minlength=n_labels)
    latency_s, watched_s = _latencies(found, onsets, unit.windows, n_labels)
    return Shown(
        seen, share, mean, np.asarray(60.0 * counts / seen, np.float64), latency_s, watched_s
    )


def _latencies(
    found: Spans, onsets: NDArray[np.int64], windows: Sequence[Span], n_labels: int
) -> tuple[NDArray[np.float64], float]:
    rows = found.rows
    firsts, lengths = [], []
    for window in windows:
        source = rows.source[onsets] == window.source
        times = rows.time_s[onsets]
        inside = onsets[source & (times >= window.from_s) & (times < window.to_s)]
        first = np.full(n_labels, np.inf)
        np.minimum.at(first, rows.label[inside], rows.time_s[inside] - window.from_s)
        firsts.append(first)
        lengths.append(min(window.to_s, float(found.end_s[window.source])) - window.from_s)
    ordered = np.sort(np.array(firsts), axis=0)
    middle = (ordered[(len(firsts) - 1) // 2] + ordered[len(firsts) // 2]) / 2
    return np.where(np.isfinite(middle), middle, np.nan), float(np.median(lengths))


def _long_enough(found: Spans, min_seen_s: float) -> tuple[NDArray[np.bool_], int]:
    rows = found.rows
    if not rows.is_of_videos or min_seen_s <= 0.0:
        return np.ones(len(rows), bool), 0
    pairs = np.stack([rows.source, rows.track], axis=1)
    _, number = np.unique(pairs, axis=0, return_inverse=True)
    number = number.reshape(-1)
    is_long = np.bincount(number, found.duration_s) >= min_seen_s
    return is_long[number], int((~is_long).sum())


def _persons(
    index: NDArray[np.int64], tracks: NDArray[np.int64], span: Span, source: str, person: str
) -> list[tuple[str, NDArray[np.int64]]]:
    if not len(index):
        return []
    if person != TRACK:
        return [(_value(span, person, source), index)]
    if tracks[0] == NO_TRACK:  # each face of a photo may be another person
        return [(f"{source}#{number}", index[number : number + 1]) for number in range(len(index))]
    return [(f"{source}#{track}", index[tracks == track]) for track in np.unique(tracks).tolist()]


def _value(span: Span, column: str, source: str) -> str:
    if column == SOURCE and column not in span.values:
        return source
    value = span.values[column]
    if not value:
        raise TableError(f"{span.where}: {column} is empty")
    return value


def _nobody(source: str, span: Span, found: Spans) -> str:
    name = PurePath(source).name
    whom = "nobody" if span.track is None else f"track {span.track}"
    when = (
        ""
        if math.isinf(span.to_s) and not span.from_s
        else (f" from {span.from_s:g} to {min(span.to_s, float(found.end_s[span.source])):g} s")
    )
    return f"{span.where}: {whom} is seen in {name}{when} for long enough to be summarized"


def _twice(source: str, first: Span, second: Span, person: str) -> str:
    """What is wrong with two spans that share a face at some time."""
    from_s, to_s = max(first.from_s, second.from_s), min(first.to_s, second.to_s)
    track = first.track if second.track is None else second.track
    whom = "" if track is None else f"track {track} of "
    whole = math.isinf(to_s) and not from_s
    when = (
        "" if whole else f" from {from_s:g} {f'to {to_s:g} s' if math.isfinite(to_s) else 's on'}"
    )
    part = f"{whom}{PurePath(source).name}{when}"
    if first.where == second.where:  # of a baseline, for every person of its source
        who = " and of ".join(str(one.values.get(person, "")) for one in (first, second))
        before = f"{first.where}: " if first.where else ""
        return f"{before}{part} is of {who}, as the conditions have both; say who with a csv"
    line = first.where.rpartition(", ")[2]
    return (
        f"{second.where}: overlaps {line}, as both are about {part}; a face may be in one row only "
        "at a time"
    )
