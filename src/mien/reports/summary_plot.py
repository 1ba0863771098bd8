"""Means and intervals of groups as a drawing in SVG, which prints sharp and needs no library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mien.summaries.intervals import Estimate

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#808080")
"""Of the groups: Okabe and Ito's palette, distinguishable with colour blindness."""

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 104, 24, 8, 34
_LINE, _GAP = 13, 12
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Mark:
    """One group's estimate in one row."""

    estimate: Estimate
    """Where the mark and its interval are."""
    persons: tuple[float, ...]
    """Values of the persons, drawn as small dots; NaN is not drawn."""


def interval_plot(
    rows: Sequence[tuple[str, Sequence[Mark]]], *, unit: str, groups: Sequence[str], scale: float
) -> str:
    """Draw a row for each expression, and in it a mark with its interval for each group.

    Args:
        rows: the name of each row, and a mark for each group.
        unit: what the axis counts.
        groups: names of the groups.
        scale: what values are multiplied by before they are written, as 100 for per cent.

    Returns:
        HTML: a figure with a legend, where there are several groups.
    """
    values = [
        scale * value
        for _, marks in rows
        for mark in marks
        for value in (*mark.persons, mark.estimate.value, mark.estimate.high, mark.estimate.low)
        if not math.isnan(value)
    ]
    low, high = min([0.0, *values]), max([0.0, *values])
    step = _step(high - low)
    low, high = math.floor(low / step) * step, max(step, math.ceil(high / step) * step)
    row_height = _LINE * len(groups) + _GAP
    height = _TOP + row_height * len(rows) + _BOTTOM
    parts = [_axis(low, high, step, height, unit)]
    for number, (name, marks) in enumerate(rows):
        top = _TOP + row_height * number
        parts.append(
            f'<text x="{_LEFT - 10}" y="{top + row_height / 2 + 4:.1f}" text-anchor="end">'
            f"{escape(name)}</text>"
        )
        for group, mark in enumerate(marks):
            y = top + _GAP / 2 + _LINE * (group + 0.5)
            parts.append(_mark(mark, y, COLORS[group % len(COLORS)], low, high, scale))
    words = "; ".join(
        f"{name}: " + ", ".join(_said(mark.estimate, scale) for mark in marks)
        for name, marks in rows
    )
    legend = "".join(
        f'<span><i style="background:{COLORS[number % len(COLORS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(groups)
        if len(groups) > 1
    )
    return (
        f'<figure class="intervals"><svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(unit)}. {escape(words)}">{"".join(parts)}</svg>'
        + (f"<figcaption>{legend}</figcaption>" if legend else "")
        + "</figure>\n"
    )


STYLE = """
figure.intervals svg { width: 100%; max-width: 45rem; height: auto; font-size: 13px;
  fill: var(--ink); }
figure.intervals .rule { stroke: var(--line); }
figure.intervals .soft { fill: var(--soft); font-size: 12px; }
figure.intervals figcaption span { margin-right: 1.2rem; white-space: nowrap; }
figure.intervals figcaption i { display: inline-block; width: .7rem; height: .7rem;
  border-radius: 50%; margin-right: .35rem; vertical-align: -.05rem;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
"""
"""CSS of the drawings."""


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _axis(low: float, high: float, step: float, height: int, unit: str) -> str:
    parts = []
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        x = _x(value, low, high)
        parts.append(
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
            f'<text class="soft" x="{x:.1f}" y="{height - _BOTTOM + 15}" text-anchor="middle">'
            f"{value:.6g}</text>"
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="soft" x="{middle}" y="{height - 3}" text-anchor="middle">'
        f"{escape(unit)}</text>"
    )
    return "".join(parts)


def _mark(mark: Mark, y: float, color: str, low: float, high: float, scale: float) -> str:
    def at(value: float) -> str:
        return f"{_x(scale * value, low, high):.1f}"

    parts = [
        f'<circle cx="{at(value)}" cy="{y:.1f}" r="2" fill="{color}" fill-opacity=".35"/>'
        for value in mark.persons
        if not math.isnan(value)
    ]
    estimate = mark.estimate
    if not math.isnan(estimate.low) and not math.isnan(estimate.high):
        parts.append(
            f'<line x1="{at(estimate.low)}" x2="{at(estimate.high)}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{color}" stroke-width="2.5" stroke-linecap="round"/>'
        )
    if not math.isnan(estimate.value):
        parts.append(f'<circle cx="{at(estimate.value)}" cy="{y:.1f}" r="4.5" fill="{color}"/>')
    return "".join(parts)


def _said(estimate: Estimate, scale: float) -> str:
    if math.isnan(estimate.value):
        return "not known"
    value = f"{scale * estimate.value:.3g}"
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return value
    return f"{value} ({scale * estimate.low:.3g} to {scale * estimate.high:.3g})"


def _step(span: float) -> float:
    """Distance of the axis's lines, of which there are about six."""
    if not span > 0.0:
        return 1.0
    raw = span / 6
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in _STEPS if factor * power >= raw * 0.999)
