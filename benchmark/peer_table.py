"""The table and the figure of `peers.py`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mien.reports.figures import (
    BLUE,
    SKY,
    SMALL_PT,
    SOFT,
    empty_figure,
    make_plain,
    set_title,
    to_png,
)

if TYPE_CHECKING:
    from peers import Row

HEADER = (
    "",
    "top-1 accuracy, %",
    "without duplicates, %",
    "ECE, %",
    "one face, ms",
    "CPU, ms",
    "one photo, ms",
    "start to first answer, s",
    "network, MB",
    "installed, MB",
    "memory, MB",
)


def markdown(rows: Sequence["Row"]) -> str:
    """The table, and notes below it."""
    lines = ["| " + " | ".join(HEADER) + " |", "|---|" + "--:|" * (len(HEADER) - 1)]
    for row in rows:
        low, high = row.accuracy_ci95
        unseen = "" if row.accuracy_unseen is None else f"{100 * row.accuracy_unseen:.1f}"
        cells = (
            row.name,
            f"{100 * row.accuracy:.1f} ({100 * low:.1f} to {100 * high:.1f})",
            unseen,
            f"{100 * row.ece:.1f}",
            f"{row.face_ms:.2f}",
            f"{row.face_cpu_ms:.2f}",
            f"{row.photo_ms:.1f}",
            f"{row.first_answer_s:.2f}",
            f"{row.network_bytes / 1e6:.2f}",
            f"{'over ' if row.missing else ''}{row.installed_bytes / 1e6:.0f}",
            f"{row.peak_bytes / 1e6:.0f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"- {row.name}: {row.runs_on}; the photo: {_shown(row)}" for row in rows]
    notes += [
        f"- {row.name} declares more than is installed here: {', '.join(row.missing)}"
        for row in rows
        if row.missing
    ]
    return "\n".join([*lines, "", *notes]) + "\n"


def _shown(row: "Row") -> str:
    return ", ".join(row.photo_shows) or "no face found"


def figure_png(rows: Sequence["Row"]) -> bytes:
    """Accuracy with its interval, ECE, and the time of a face on a logarithmic scale."""
    figure = empty_figure(7.2, 0.9 + 0.34 * len(rows))
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(3, 2, 3))
    places = range(len(rows))
    colors = [BLUE if row.name.startswith("mien") else SKY for row in rows]
    for place, row, color in zip(places, rows, colors, strict=True):
        low, high = (100 * end for end in row.accuracy_ci95)
        left.plot([low, high], [place, place], color=color, linewidth=3, solid_capstyle="round")
        left.plot(100 * row.accuracy, place, "o", color=color, markersize=6)
        _number(left, high, place, f"{100 * row.accuracy:.1f}")
        middle.barh(place, 100 * row.ece, height=0.55, color=color)
        _number(middle, 100 * row.ece, place, f"{100 * row.ece:.1f}")
        right.plot(row.face_ms, place, "o", color=color, markersize=6)
        _number(right, row.face_ms, place, f"{row.face_ms:.2g}")
    right.set_xscale("log")
    right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    left.set_yticks(list(places), [row.name for row in rows])
    left.invert_yaxis()
    titles = ("top-1 accuracy, %", "ECE, %", "one face, ms")
    for axes, title in zip((left, middle, right), titles, strict=True):
        set_title(axes, title)
        make_plain(axes)
        axes.margins(x=0.18)
        axes.grid(axis="x", color=SOFT, alpha=0.2, linewidth=0.6)
        axes.set_axisbelow(True)
    middle.set_xlim(left=0)
    return to_png(figure)


def _number(axes: Any, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), (5, 0), textcoords="offset points", va="center", fontsize=SMALL_PT)
