"""Means and intervals of groups as a drawing in SVG, which prints sharp and needs no library.

Places are parts of the drawing's width and texts have the page's size, so that a drawing is as
readable on a telephone as on paper: a scaled picture is not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mien.summaries.intervals import Estimate

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#808080")
"""Of the groups: Okabe and Ito's palette, distinguishable with colour blindness."""

_LEFT, _RIGHT = 5.0, 95.0
"""Ends of the axis in per cent of the width; what is beyond leaves room for its numbers."""
_TOP, _BOTTOM, _NAME, _LINE, _GAP = 4, 40, 20, 13, 12
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Mark:
    """One group's estimate in one row."""

    estimate: Estimate
    """Where the mark and its interval are."""
    persons: tuple[float, ...] = ()
    """Values of the persons, drawn as small dots; NaN is not drawn."""
    color: str = ""
    """CSS colour; that of the mark's group where empty."""


def interval_plot(
    rows: Sequence[tuple[str, Sequence[Mark]]],
    *,
    unit: str,
    groups: Sequence[str],
    scale: float,
    line_at: float | None = None,
) -> str:
    """Draw a row for each expression, and in it a mark with its interval for each group.

    Args:
        rows: the name of each row, and a mark for each group.
        unit: what the axis counts.
        groups: names of the groups.
        scale: what values are multiplied by before they are written, as 100 for per cent.
        line_at: a value at which a dashed line stands; None: none does.

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
    low, high, step = _ends(values)
    row_height = _NAME + _LINE * len(groups) + _GAP
    height = _TOP + row_height * len(rows) + _BOTTOM
    parts = [_axis(low, high, step, height, unit)]
    if line_at is not None:
        x = _x(scale * line_at, low, high)
        parts.append(
            f'<line class="middle" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_TOP}" '
            f'y2="{height - _BOTTOM}"/>'
        )
    for number, (name, marks) in enumerate(rows):
        top = _TOP + row_height * number
        parts.append(f'<text x="0" y="{top + 14}">{escape(name)}</text>')
        for group, mark in enumerate(marks):
            y = f"{top + _NAME + _LINE * (group + 0.5):.1f}"
            color = mark.color or COLORS[group % len(COLORS)]
            parts.append(_mark(mark, y, color, low, high, scale))
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
        f'<figure class="intervals"><svg width="100%" height="{height}" role="img" '
        f'aria-label="{escape(unit)}. {escape(words)}">{"".join(parts)}</svg>'
        + (f"<figcaption>{legend}</figcaption>" if legend else "")
        + "</figure>\n"
    )


def named_intervals(
    rows: Sequence[tuple[str, Mark]], *, unit: str, scale: float, line_at: float | None = None
) -> str:
    """Draw a row for each name, which stands left of the axis and may have several lines.

    Args:
        rows: a name and its mark each.
        unit, scale, line_at: as in `interval_plot`.

    Returns:
        HTML: a figure.
    """
    estimates = [mark.estimate for _, mark in rows]
    values = [scale * value for each in estimates for value in (each.value, each.low, each.high)]
    low, high, step = _ends([*values, *([] if line_at is None else [scale * line_at])])
    lines = "".join(
        f'<line class="rule" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'
        for x, _ in _ticks(low, high, step)
    )
    if line_at is not None:
        x = _x(scale * line_at, low, high)
        lines += f'<line class="middle" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'
    # Each row is a drawing of its own, as high as its name is; the lines of all join.
    cells = [
        f"<span>{escape(name)}</span>"
        f"<div><svg>{lines}{_mark(mark, '50%', mark.color or COLORS[0], low, high, scale)}</svg>"
        "</div>"
        for name, mark in rows
    ]
    numbers = _numbers(low, high, step, 15, unit, 34)
    words = "; ".join(f"{name}: {_said(mark.estimate, scale)}" for name, mark in rows)
    return (
        f'<figure class="intervals"><div class="named" role="img" '
        f'aria-label="{escape(unit)}. {escape(words)}">{"".join(cells)}'
        f'<svg class="numbers" height="{_BOTTOM}">{numbers}</svg></div></figure>\n'
    )


STYLE = """
figure.intervals { max-width: 45rem; }
figure.intervals svg { display: block; font-size: 14px; fill: var(--ink); overflow: visible; }
figure.intervals text { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
figure.intervals .rule { stroke: var(--line); }
figure.intervals .middle { stroke: var(--soft); stroke-dasharray: 4 3; }
figure.intervals .soft { fill: var(--soft); font-size: 12px; }
figure.intervals figcaption span { display: inline-block; margin-right: 1.2rem; }
figure.intervals figcaption i { display: inline-block; width: .7rem; height: .7rem;
  border-radius: 50%; margin-right: .35rem; vertical-align: -.05rem;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.named { display: grid; grid-template-columns: minmax(5rem, 40%) 1fr; }
.named span { font-size: 14px; line-height: 1.25; padding: .3rem .6rem .3rem 0;
  overflow-wrap: anywhere; text-align: right; }
.named div { position: relative; min-height: 1.6rem; }
.named div svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.named .numbers { grid-column: 2; width: 100%; }
.panels { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fill, minmax(16.5rem, 1fr)); }
.panels h3 { font-size: 1rem; margin: .8rem 0 0; }
.panels figure { margin: .3rem 0 .8rem; }
"""
"""CSS of the drawings."""


def panels(drawings: Sequence[tuple[str, str]]) -> str:
    """Drawings side by side, as many in a line as fit.

    Args:
        drawings: a title, plain text, empty for none, and HTML such as `interval_plot` gives, each.
    """
    cells = "".join(
        f"<div>{f'<h3>{escape(title)}</h3>' if title else ''}{body}</div>\n"
        for title, body in drawings
    )
    return f'<div class="panels">\n{cells}</div>\n'


def _x(value: float, low: float, high: float) -> float:
    """Per cent of the width."""
    return _LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT)


def _ends(values: Sequence[float]) -> tuple[float, float, float]:
    """Both ends of an axis that holds 0 and all values, and the distance of its lines."""
    low, high = min([0.0, *values]), max([0.0, *values])
    step = _step(high - low)
    return math.floor(low / step) * step, max(step, math.ceil(high / step) * step), step


def _ticks(low: float, high: float, step: float) -> list[tuple[float, float]]:
    """(Place in per cent of the width, value) of each line of an axis."""
    values = [low + number * step for number in range(round((high - low) / step) + 1)]
    return [(_x(value, low, high), value) for value in values]


def _axis(low: float, high: float, step: float, height: int, unit: str) -> str:
    rules = "".join(
        f'<line class="rule" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        for x, _ in _ticks(low, high, step)
    )
    return rules + _numbers(low, high, step, height - _BOTTOM + 15, unit, height - 6)


def _numbers(low: float, high: float, step: float, y: int, unit: str, unit_y: int) -> str:
    """The numbers of an axis, and below them what it counts."""
    numbers = [
        f'<text class="soft" x="{x:.2f}%" y="{y}" text-anchor="middle">{value:.6g}</text>'
        for x, value in _ticks(low, high, step)
    ]
    below = f'<text class="soft" x="50%" y="{unit_y}" text-anchor="middle">{escape(unit)}</text>'
    return "".join([*numbers, below])


def _mark(mark: Mark, y: str, color: str, low: float, high: float, scale: float) -> str:
    def at(value: float) -> str:
        return f"{_x(scale * value, low, high):.2f}%"

    parts = [
        # Below the interval, which would hide them.
        f'<circle cx="{at(value)}" cy="{y}" r="2.2" fill="{color}" fill-opacity=".55" '
        f'transform="translate(0 8)"/>'
        for value in mark.persons
        if not math.isnan(value)
    ]
    estimate = mark.estimate
    if not math.isnan(estimate.low) and not math.isnan(estimate.high):
        parts.append(
            f'<line x1="{at(estimate.low)}" x2="{at(estimate.high)}" y1="{y}" y2="{y}" '
            f'stroke="{color}" stroke-width="2.5" stroke-linecap="round"/>'
        )
    elif not math.isnan(estimate.low) or not math.isnan(estimate.high):
        # The end that is not known is open.
        known, edge = (
            (estimate.low, _x(high, low, high))
            if math.isnan(estimate.high)
            else (estimate.high, _x(low, low, high))
        )
        arrow, anchor = ("\u2192", "end") if math.isnan(estimate.high) else ("\u2190", "start")
        parts.append(
            f'<line x1="{at(known)}" x2="{edge:.2f}%" y1="{y}" y2="{y}" stroke="{color}" '
            f'stroke-width="2.5" stroke-dasharray="3 4"/>'
            f'<text x="{edge:.2f}%" y="{y}" dy="-4" text-anchor="{anchor}" fill="{color}">'
            f"{arrow}</text>"
        )
    if not math.isnan(estimate.value):
        parts.append(f'<circle cx="{at(estimate.value)}" cy="{y}" r="4.5" fill="{color}"/>')
    return "".join(parts)


def _said(estimate: Estimate, scale: float) -> str:
    if math.isnan(estimate.value):
        return "not known"
    value = f"{scale * estimate.value:.3g}"
    if math.isnan(estimate.low) and math.isnan(estimate.high):
        return value
    if math.isnan(estimate.high):
        return f"{value} ({scale * estimate.low:.3g} to ?)"
    if math.isnan(estimate.low):
        return f"{value} (? to {scale * estimate.high:.3g})"
    return f"{value} ({scale * estimate.low:.3g} to {scale * estimate.high:.3g})"


def _step(span: float) -> float:
    """Distance of the axis's lines, of which there are about six."""
    if not span > 0.0:
        return 1.0
    raw = span / 6
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in _STEPS if factor * power >= raw * 0.999)
