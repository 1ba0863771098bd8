"""Charts over time: stacked probabilities as SVG, segments as bands, and their axis.

Everything is placed in shares of the width, so that charts fit every window and text keeps its
shape. Colours are never alone: areas and bands carry the names of their classes, and lines part
them where a print has no colours.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mien.clock import clock
from mien.drawing.sprites import Rgb
from mien.drawing.style import ink_on
from mien.labels import UNCERTAIN, Label, LabelSet
from mien.outputs.timeline.bins import Bins
from mien.outputs.timeline.times import marks
from mien.recognition.segments import Segment

_HEIGHT = 250
"""Of a chart in the units of its drawing."""
_FINEST = 900
"""Bins across a chart, at most about."""
_MISSING = 255
"""In the data for reading off values; probabilities are 0 to 250."""
_COARSE = 400
"""Bins across a band of what was mostly shown, at most about."""
_PARTED = 0.004
"""Share of the width from which on a block is parted from the next one by a line."""
_LETTER = 0.011
"""Width of a letter in a share of a chart that is as wide as a page."""
_IN_SHORT = "?"
"""Where "uncertain" has no room; its first two letters would be read as a word."""
_ROOM = 0.15
"""Height that a name needs, in a share of a chart."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a chart shows, from its left edge to its right one."""

    from_s: float
    """Left edge."""
    to_s: float
    """Right edge, greater than the left one."""

    def share(self, time_s: float) -> float:
        """Where a time lies: 0 at the left edge, 1 at the right one."""
        return (time_s - self.from_s) / (self.to_s - self.from_s)


def css_color(color: Rgb) -> str:
    """A colour as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def css_fill(label: Label) -> str:
    """A label's background as CSS writes it: its colour, or stripes where there is no class."""
    color = css_color(label.color_rgb)
    if label != UNCERTAIN:
        return color
    return f"repeating-linear-gradient(-45deg,{color} 0 5px,#fff 5px 8px)"


def area_chart(bins: Bins, label_set: LabelSet, span: Span, gap_s: float, description: str) -> str:
    """Stacked probabilities over time.

    Args:
        bins: of the track.
        label_set: its classes.
        span: what the chart shows.
        gap_s: holes from this length on stay holes; shorter ones are bridged.
        description: for those who cannot see it.
    """
    step_s, means = bins.means(at_least_s=(span.to_s - span.from_s) / _FINEST)
    bridged = _bridged(means, max(1, int(gap_s / step_s)))
    runs = list(_runs(~np.isnan(bridged[:, 0])))
    heights = np.rint(np.cumsum(np.nan_to_num(bridged), axis=1) * _HEIGHT).astype(int)
    areas = "".join(
        f'<path fill="{css_color(label.color_rgb)}" d="{_path(heights[:, index], runs)}"/>'
        # The last class first: every area reaches down to the ground and covers what is above.
        for index, label in reversed(list(enumerate(label_set)))
    )
    left, width = span.share(bins.start_s), len(means) * step_s / (span.to_s - span.from_s)
    names = "".join(
        f'<span class="name" style="left:{left + width * x:.2%};bottom:{y:.1%};'
        f'color:{css_color(ink_on(label_set[index].color_rgb))}">'
        f"{escape(label_set[index].display_name)}</span>"
        for index, x, y in _names(bridged, label_set, width)
    )
    levels = np.where(np.isnan(bridged), _MISSING, np.rint(bridged * 250)).astype(np.uint8)
    data = base64.b64encode(levels.tobytes()).decode("ascii")
    return (
        f'<div class="areas" data-from="{span.from_s:.3f}" data-to="{span.to_s:.3f}" '
        f'data-start="{bins.start_s:.3f}" data-step="{step_s:.6f}" data-levels="{data}">'
        f'<svg role="img" aria-label="{escape(description)}" preserveAspectRatio="none" '
        f'viewBox="0 0 {len(means)} {_HEIGHT}" style="left:{left:.4%};width:{width:.4%}">'
        f"{areas}</svg>{names}</div>\n"
    )


def band(segments: Sequence[Segment], span: Span) -> str:
    """The segments as coloured blocks, named where the name fits, with all facts in a tooltip."""
    return _band(((s.onset_s, s.end_s, s.label, _facts(s)) for s in segments), span)


def coarse_band(bins: Bins, label_set: LabelSet, span: Span, gap_s: float) -> str:
    """What was shown most of the time, where there are more segments than a page has room for."""
    step_s, shown = bins.mostly_shown(at_least_s=(span.to_s - span.from_s) / _COARSE)
    for start, end in _runs(shown < 0):
        if start > 0 and end < len(shown) and (end - start) * step_s <= gap_s:
            shown[start:end] = shown[start - 1]
    edges = [0, *(np.flatnonzero(np.diff(shown)) + 1).tolist(), len(shown)]
    blocks = []
    for start, end in pairwise(edges):
        if start < end and shown[start] >= 0:
            label = (*label_set, UNCERTAIN)[int(shown[start])]
            from_s, to_s = (bins.start_s + step_s * edge for edge in (start, end))
            facts = f"mostly {label.display_name}, {clock(from_s, 1)} to {clock(to_s, 1)}"
            blocks.append((from_s, to_s, label, facts))
    return _band(blocks, span)


def _band(blocks: Iterable[tuple[float, float, Label, str]], span: Span) -> str:
    parts = []
    for from_s, to_s, label, facts in blocks:
        left, right = (max(0.0, min(1.0, span.share(time_s))) for time_s in (from_s, to_s))
        name, color = label.display_name, label.color_rgb
        if right - left <= _LETTER * len(name):
            short = _IN_SHORT if label == UNCERTAIN else name[:2]
            name = short if right - left > 2.5 * _LETTER and short.isascii() else ""
        kind = "" if right - left < _PARTED else ' class="parted"'
        parts.append(
            f'<span{kind} style="left:{left:.3%};width:{right - left:.3%};'
            f'background:{css_fill(label)};color:{css_color(ink_on(color))}" '
            f'title="{escape(facts)}">{escape(name)}</span>'
        )
    return f'<div class="band" aria-hidden="true">{"".join(parts)}</div>\n'


def axis(span: Span) -> str:
    """The marks of the time below a chart."""
    placed = "".join(
        f'<span{_side(span.share(time_s))} style="left:{span.share(time_s):.3%}">{text}</span>'
        for time_s, text in marks(span.from_s, span.to_s)
    )
    return f'<div class="axis" aria-hidden="true">{placed}</div>\n'


def _side(share: float) -> str:
    """Marks at the edges stand inside."""
    if share < 0.02:
        return ' class="first"'
    return ' class="last"' if share > 0.97 else ""


def _facts(segment: Segment) -> str:
    span = f"{clock(segment.onset_s, 1)} to {clock(segment.end_s, 1)}"
    if segment.label == UNCERTAIN:
        likeliest = f"the most probable expression at {segment.mean_confidence:.0%}"
        return f"{segment.label.display_name}, {span}, {likeliest} on average"
    return (
        f"{segment.label.display_name}, {span}, "
        f"peak at {clock(segment.peak_s, 1)} with {segment.peak_confidence:.0%}, "
        f"mean {segment.mean_confidence:.0%}"
    )


def _bridged(means: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Means in which straight lines lead across holes of up to so many bins."""
    bridged = means.copy()
    for start, end in _runs(np.isnan(means[:, 0])):
        if start > 0 and end < len(means) and end - start <= most:
            across = np.linspace(0, 1, end - start + 2)[1:-1, None]
            bridged[start:end] = (1 - across) * means[start - 1] + across * means[end]
    return bridged


def _runs(holds: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Begin and end of every stretch in which something holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _path(heights: NDArray[np.int64], runs: Sequence[tuple[int, int]]) -> str:
    """The area below a curve, from the ground up; one closed shape per run of bins."""
    shapes = []
    for start, end in runs:
        curve = heights[start:end]
        steps = "".join(f"l1 {-change}" for change in np.diff(curve, append=curve[-1]).tolist())
        shapes.append(f"M{start} {_HEIGHT}V{_HEIGHT - int(curve[0])}{steps}V{_HEIGHT}z")
    return "".join(shapes)


def _names(
    bridged: NDArray[np.float64], label_set: LabelSet, width: float
) -> Iterator[tuple[int, float, float]]:
    """Where the name of a class fits into its area best: class, and share of both axes."""
    tops = np.cumsum(bridged, axis=1)
    for index, label in enumerate(label_set):
        n_bins = round(_LETTER * (len(label.display_name) + 1) / width * len(bridged))
        if not 1 <= n_bins <= len(bridged):
            continue
        floor = tops[:, index] - bridged[:, index]
        highest_floor = sliding_window_view(floor, n_bins).max(axis=1)
        lowest_top = sliding_window_view(tops[:, index], n_bins).min(axis=1)
        room = np.nan_to_num(lowest_top - highest_floor, nan=-1.0)
        best = int(room.argmax())
        if room[best] >= _ROOM:
            middle = (lowest_top[best] + highest_floor[best]) / 2
            yield index, (best + n_bins / 2) / len(bridged), float(middle)
