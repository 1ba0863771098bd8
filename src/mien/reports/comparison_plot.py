"""The plot of a comparison: accuracies with intervals, and beside them how they were reached.

The rows of names on the left are the legend of the curves on the right: a run has the same
colour and marker in both, so that it is found without colour, too.
"""

from typing import TYPE_CHECKING, Any

from mien.errors import needs_extra
from mien.evaluation.compare import Comparison
from mien.reports.figures import (
    DASHED,
    INK,
    SMALL_PT,
    SOFT,
    TEXT_PT,
    empty_figure,
    make_plain,
    set_title,
    short_name,
    to_png,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette (https://jfly.uni-koeln.de/color/) without its yellow, lost on white.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_NAME_LETTERS = 28


def comparison_png(comparison: Comparison) -> bytes:
    """Dots and whiskers of every accuracy; beside them validation curves where there are any.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    n_runs = len(comparison.entries)
    has_curves = any(entry.candidate.curve for entry in comparison.entries)
    height = max(1.5 + 0.42 * n_runs, 3.6 if has_curves else 0.0)
    figure = empty_figure(10.4 if has_curves else 6.0, height)
    if has_curves:
        left, right = figure.subplots(1, 2)
        _draw_curves(right, comparison)
    else:
        left = figure.subplots()
    _draw_accuracies(left, comparison)
    return to_png(figure)


def _style(index: int) -> dict[str, Any]:
    return {
        "color": _COLORS[index % len(_COLORS)],
        "linestyle": _LINES[index % len(_LINES)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def _draw_accuracies(axes: "Axes", comparison: Comparison) -> None:
    best = comparison.entries[0].evaluation
    axes.axvline(best.accuracy, color=SOFT, linestyle=DASHED, linewidth=0.9, zorder=0)
    for place, entry in enumerate(comparison.entries):
        low, high = entry.evaluation.accuracy_ci95
        style = _style(place)
        axes.plot([low, high], [place] * 2, color=style["color"], linewidth=2.2)
        axes.plot(
            entry.evaluation.accuracy, place, color=style["color"], marker=style["marker"], ms=7
        )
        axes.annotate(
            f"{100 * entry.evaluation.accuracy:.1f} %",
            (high, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL_PT,
            color=INK,
            # Its own ground, so that the dashed line does not cross the number.
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )
    names = [short_name(entry.candidate.name, _NAME_LETTERS) for entry in comparison.entries]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    # Room for the number behind the longest whisker.
    start, end = axes.get_xlim()
    axes.set_xlim(start, end + 0.16 * (end - start))
    axes.set_xlabel("top-1 accuracy with 95 % interval", fontsize=TEXT_PT)
    set_title(axes, f"Accuracy, {best.split}, n = {best.n:,}")
    make_plain(axes)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(_fine_percent)


def _draw_curves(axes: "Axes", comparison: Comparison) -> None:
    with needs_extra("report"):
        from matplotlib.ticker import MaxNLocator
    for index, entry in enumerate(comparison.entries):
        if not entry.candidate.curve:
            continue
        epochs, accuracies = zip(*entry.candidate.curve, strict=True)
        style = _style(index)
        best = max(range(len(epochs)), key=accuracies.__getitem__)
        axes.plot(epochs, accuracies, linewidth=1.6, markevery=[best], ms=7, **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(_fine_percent)
    axes.set_xlabel("epoch", fontsize=TEXT_PT)
    axes.set_ylabel("accuracy on its validation faces", fontsize=TEXT_PT)
    set_title(axes, "In training; the marks are the best epochs")
    make_plain(axes)
    axes.grid(axis="y", color="0.92")


def _fine_percent(value: float, _position: float = 0.0) -> str:
    return f"{100 * value:.3g} %"
