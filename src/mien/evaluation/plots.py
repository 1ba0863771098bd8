"""Plots of an evaluation, as PNG bytes.

Figures are objects of their own: matplotlib's global state (pyplot, rcParams) is never touched,
so plotting is safe in a server's thread and leaves a caller's own plots alone. Colours tell apart
in grey and with colour blindness: one-hue blues, and blue against vermilion.
"""

import io
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import needs_extra
from mien.evaluation.confidence import CoveragePoint
from mien.evaluation.metrics import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
"""Resolution; a full-width figure has about 1,300 pixels."""

# Okabe & Ito's blue, a paler one, vermilion (https://jfly.uni-koeln.de/color/), and greys.
_BLUE, _SKY, _VERMILION, _INK, _SOFT = "#0072b2", "#7fb8d9", "#d55e00", "#1b1d21", "#6b7280"
_SMALL_PT, _TEXT_PT, _TITLE_PT = 8.5, 9.5, 11.0


def confusion_matrix_png(evaluation: Evaluation) -> bytes:
    """Confusion matrix: each row in percent of the class's faces, with counts.

    Returns:
        A PNG. A class without rows has an empty row.
    """
    names = [label.display_name for label in evaluation.label_set]
    matrix = evaluation.confusion_matrix
    supports = matrix.sum(axis=1)
    shares = np.divide(matrix, np.maximum(supports, 1)[:, np.newaxis])
    inches = 1.9 + 0.72 * len(names)
    figure, axes = _figure(inches + 0.5, inches)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(
        range(len(names)), [f"{name} ({n:,})" for name, n in zip(names, supports, strict=True)]
    )
    axes.tick_params(length=0)
    for edge in ("top", "right", "left", "bottom"):
        axes.spines[edge].set_visible(False)
    # Thin gaps between the fields.
    axes.set_xticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(names)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    for row, column in np.ndindex(matrix.shape):
        if supports[row]:
            color = "white" if shares[row, column] > 0.55 else _INK
            axes.text(
                column,
                row - 0.1,
                f"{shares[row, column]:.1%}".replace("%", " %"),
                ha="center",
                va="center",
                color=color,
                fontsize=_TEXT_PT,
                fontweight="bold" if row == column else "normal",
            )
            axes.text(
                column,
                row + 0.24,
                f"{matrix[row, column]:,}",
                ha="center",
                va="center",
                color=color,
                fontsize=7.5,
            )
    axes.set_xlabel("predicted expression", fontsize=_TEXT_PT)
    axes.set_ylabel("labelled expression (faces)", fontsize=_TEXT_PT)
    _title(axes, f"Confusion matrix, {evaluation.split}, n = {evaluation.n:,}")
    return _png(figure)


def reliability_png(evaluation: Evaluation) -> bytes:
    """Reliability diagram: accuracy against confidence per bin, over a histogram of confidences.

    Returns:
        A PNG. Bins without rows have no bar.
    """
    figure = _empty_figure(5.4, 5.8)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [part for part in evaluation.reliability if part.n]
    width = evaluation.reliability[0].upper
    lefts = [part.lower for part in filled]
    accuracies = [part.accuracy or 0.0 for part in filled]
    confidences = [part.confidence or 0.0 for part in filled]
    top.bar(lefts, accuracies, width, align="edge", color=_SKY, edgecolor="white", label="accuracy")
    top.plot([0, 1], [0, 1], color=_INK, linestyle=(0, (4, 3)), linewidth=1.2, label="calibrated")
    top.plot(
        confidences,
        accuracies,
        linestyle="none",
        marker="o",
        markersize=4.5,
        markerfacecolor="white",
        markeredgecolor=_VERMILION,
        markeredgewidth=1.4,
        clip_on=False,
        zorder=3,
        label="at the bin's mean confidence",
    )
    top.set_ylim(0, 1)
    top.set_ylabel("accuracy", fontsize=_TEXT_PT)
    top.legend(loc="upper left", frameon=False, fontsize=_SMALL_PT)
    _title(top, f"Reliability, {evaluation.split}, ECE = {100 * evaluation.ece:.2f} %")
    shares = [part.n / evaluation.n for part in filled]
    bottom.bar(lefts, shares, width, align="edge", color=_SOFT, edgecolor="white")
    bottom.set_xlim(0, 1)
    bottom.set_xlabel("confidence", fontsize=_TEXT_PT)
    bottom.set_ylabel("faces", fontsize=_TEXT_PT)
    for axes in (top, bottom):
        _plain(axes)
        axes.yaxis.set_major_formatter(_percent)
        axes.xaxis.set_major_formatter(_percent)
    return _png(figure)


def coverage_png(evaluation: Evaluation, curve: tuple[CoveragePoint, ...]) -> bytes:
    """Accuracy when only the most confident faces are answered, against their part of all.

    Args:
        evaluation: gives the name of the split and the accuracy on all faces.
        curve: as `mien.evaluation.confidence.coverage_curve` makes it.

    Returns:
        A PNG.
    """
    figure, axes = _figure(5.4, 3.8)
    # The first few faces make a jumpy start that says nothing: 1 of 1, 1 of 2 ...
    shown = [point for point in curve if point.coverage * evaluation.n >= 20] or list(curve)
    axes.plot(
        [point.coverage for point in shown],
        [point.accuracy for point in shown],
        color=_BLUE,
        linewidth=2,
        marker="o" if len(shown) < 3 else "",
        clip_on=False,
        zorder=3,
    )
    axes.axhline(evaluation.accuracy, color=_SOFT, linestyle=(0, (4, 3)), linewidth=1.2)
    lowest = min(point.accuracy for point in shown)
    axes.set_ylim(max(0.0, min(lowest, evaluation.accuracy) - 0.1), 1.005)
    axes.set_xlim(0, 1)
    axes.set_xlabel("coverage: part of the faces answered, most confident first", fontsize=_TEXT_PT)
    axes.set_ylabel("accuracy on them", fontsize=_TEXT_PT)
    _title(
        axes,
        f"Accuracy by coverage, {evaluation.split}; all faces: {100 * evaluation.accuracy:.1f} %",
    )
    _plain(axes)
    axes.xaxis.set_major_formatter(_percent)
    axes.yaxis.set_major_formatter(_percent)
    return _png(figure)


def per_class_png(evaluation: Evaluation) -> bytes:
    """F1 per class with its 95 % interval, and the macro mean.

    Returns:
        A PNG. Classes without rows are named, without a bar.
    """
    scores = evaluation.per_class
    figure, axes = _figure(5.4, 1.5 + 0.36 * len(scores))
    places = list(range(len(scores)))
    colors = [np.array(label.color_rgb) / 255 for label in evaluation.label_set]
    values = [score.f1 or 0.0 for score in scores]
    axes.barh(places, values, height=0.66, color=colors, edgecolor=_INK, linewidth=0.4)
    for place, score in zip(places, scores, strict=True):
        if score.f1 is None:
            axes.text(0.01, place, "no faces", va="center", color=_SOFT, fontsize=_SMALL_PT)
            continue
        low, high = score.f1_ci95 or (score.f1, score.f1)
        axes.plot([low, high], [place, place], color=_INK, linewidth=1.4, solid_capstyle="butt")
        axes.text(
            max(high, score.f1) + 0.015,
            place,
            f"{score.f1:.2f}",
            va="center",
            color=_INK,
            fontsize=_SMALL_PT,
            # Its own ground, so that the line of the mean does not cross the number.
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )
    mean_style = (0, (4, 3))
    axes.axvline(evaluation.macro_f1, color=_INK, linestyle=mean_style, linewidth=1.2, zorder=2)
    axes.set_yticks(places, [label.display_name for label in evaluation.label_set])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.09)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel(
        f"F1 with 95 % interval; dashed: macro F1 = {evaluation.macro_f1:.3f}", fontsize=_TEXT_PT
    )
    _title(axes, f"F1 per class, {evaluation.split}")
    _plain(axes)
    axes.tick_params(axis="y", length=0)
    return _png(figure)


def _empty_figure(width_in: float, height_in: float) -> "Figure":
    with needs_extra("train"):
        from matplotlib.figure import Figure

    return Figure(
        figsize=(width_in, height_in), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white"
    )


def _figure(width_in: float, height_in: float) -> "tuple[Figure, Axes]":
    figure = _empty_figure(width_in, height_in)
    return figure, figure.subplots()


def _title(axes: "Axes", text: str) -> None:
    axes.set_title(text, fontsize=_TITLE_PT, loc="left", pad=10, color=_INK)


def _plain(axes: "Axes") -> None:
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.tick_params(labelsize=_SMALL_PT)


def _percent(value: float, _position: float = 0.0) -> str:
    return f"{100 * value:.0f} %"


def _png(figure: "Figure") -> bytes:
    stream = io.BytesIO()
    # Without the version of matplotlib the same numbers give the same bytes.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
