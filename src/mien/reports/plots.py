"""Plots of an evaluation, as PNG bytes: calibration, coverage and F1 per class."""

import numpy as np

from mien.evaluation.confidence import CoveragePoint
from mien.evaluation.metrics import Evaluation
from mien.reports.figures import (
    BLUE,
    DASHED,
    INK,
    SKY,
    SMALL_PT,
    SOFT,
    TEXT_PT,
    VERMILION,
    empty_figure,
    figure_with_axes,
    make_plain,
    percent_tick,
    set_title,
    to_png,
)


def reliability_png(evaluation: Evaluation) -> bytes:
    """Reliability diagram: accuracy against confidence per bin, over a histogram of confidences.

    Upright lines on the diagonal show where chance puts 95 of 100 points of networks that are
    perfectly calibrated.

    Returns:
        A PNG. Bins without rows have no bar.
    """
    figure = empty_figure(5.4, 5.8)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [part for part in evaluation.reliability if part.n]
    width = evaluation.reliability[0].upper
    lefts = [part.lower for part in filled]
    accuracies = [part.accuracy or 0.0 for part in filled]
    confidences = np.array([min(part.confidence or 0.0, 1.0) for part in filled])
    in_bins = list(zip(confidences.tolist(), filled, strict=True))
    top.bar(lefts, accuracies, width, align="edge", color=SKY, edgecolor="white", label="accuracy")
    top.plot([0, 1], [0, 1], color=INK, linestyle=DASHED, linewidth=1.2, label="calibrated")
    # Consistency bars: Broecker & Smith, 2007, https://doi.org/10.1175/WAF993.1
    chances = np.array([1.96 * (c * (1 - c) / part.n) ** 0.5 for c, part in in_bins])
    top.vlines(
        confidences,
        np.clip(confidences - chances, 0, 1),
        np.clip(confidences + chances, 0, 1),
        color=INK,
        linewidth=1.4,
        label="95 % of calibrated networks",
        zorder=2.5,
    )
    top.plot(
        confidences,
        accuracies,
        linestyle="none",
        marker="o",
        markersize=4.5,
        markerfacecolor="white",
        markeredgecolor=VERMILION,
        markeredgewidth=1.4,
        clip_on=False,
        zorder=3,
        label="at the bin's mean confidence",
    )
    top.set_ylim(0, 1)
    top.set_ylabel("accuracy", fontsize=TEXT_PT)
    top.legend(loc="upper left", frameon=False, fontsize=SMALL_PT)
    title = f"Reliability, {evaluation.split}, ECE = {100 * evaluation.ece:.2f} %"
    if evaluation.ece_cross_fitted is not None:
        title += f", cross-fitted {100 * evaluation.ece_cross_fitted:.2f} %"
    set_title(top, title)
    shares = [part.n / evaluation.n for part in filled]
    bottom.bar(lefts, shares, width, align="edge", color=SOFT, edgecolor="white")
    bottom.set_xlim(0, 1)
    bottom.set_xlabel("confidence", fontsize=TEXT_PT)
    bottom.set_ylabel("faces", fontsize=TEXT_PT)
    for axes in (top, bottom):
        make_plain(axes)
        axes.yaxis.set_major_formatter(percent_tick)
        axes.xaxis.set_major_formatter(percent_tick)
    return to_png(figure)


def coverage_png(evaluation: Evaluation, curve: tuple[CoveragePoint, ...]) -> bytes:
    """Accuracy when only the most confident faces are answered, against their part of all.

    Args:
        evaluation: gives the name of the split and the accuracy on all faces.
        curve: as `mien.evaluation.confidence.coverage_curve` makes it.

    Returns:
        A PNG.
    """
    figure, axes = figure_with_axes(5.4, 3.8)
    # The first few faces make a jumpy start that says nothing: 1 of 1, 1 of 2 ...
    shown = [point for point in curve if point.coverage * evaluation.n >= 20] or list(curve)
    axes.plot(
        [point.coverage for point in shown],
        [point.accuracy for point in shown],
        color=BLUE,
        linewidth=2,
        marker="o" if len(shown) < 3 else "",
        clip_on=False,
        zorder=3,
    )
    axes.axhline(evaluation.accuracy, color=SOFT, linestyle=DASHED, linewidth=1.2)
    lowest = min(point.accuracy for point in shown)
    axes.set_ylim(max(0.0, min(lowest, evaluation.accuracy) - 0.1), 1.005)
    axes.set_xlim(0, 1)
    axes.set_xlabel("coverage: part of the faces answered, most confident first", fontsize=TEXT_PT)
    axes.set_ylabel("accuracy on them", fontsize=TEXT_PT)
    set_title(
        axes,
        f"Accuracy by coverage, {evaluation.split}; all faces: {100 * evaluation.accuracy:.1f} %",
    )
    make_plain(axes)
    axes.xaxis.set_major_formatter(percent_tick)
    axes.yaxis.set_major_formatter(percent_tick)
    return to_png(figure)


def per_class_png(evaluation: Evaluation) -> bytes:
    """F1 per class with its 95 % interval, and the macro mean.

    Returns:
        A PNG. Classes without rows are named, without a bar.
    """
    scores = evaluation.per_class
    figure, axes = figure_with_axes(5.4, 1.5 + 0.36 * len(scores))
    places = list(range(len(scores)))
    colors = [np.array(label.color_rgb) / 255 for label in evaluation.label_set]
    values = [score.f1 or 0.0 for score in scores]
    axes.barh(places, values, height=0.66, color=colors, edgecolor=INK, linewidth=0.4)
    for place, score in zip(places, scores, strict=True):
        if score.f1 is None:
            axes.text(0.01, place, "no faces", va="center", color=SOFT, fontsize=SMALL_PT)
            continue
        low, high = score.f1_ci95 or (score.f1, score.f1)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.4, solid_capstyle="butt")
        axes.text(
            max(high, score.f1) + 0.015,
            place,
            f"{score.f1:.2f}",
            va="center",
            color=INK,
            fontsize=SMALL_PT,
            # Its own ground, so that the line of the mean does not cross the number.
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )
    axes.axvline(evaluation.macro_f1, color=INK, linestyle=DASHED, linewidth=1.2, zorder=2)
    axes.set_yticks(places, [label.display_name for label in evaluation.label_set])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.09)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_xlabel(
        f"F1 with 95 % interval; dashed: macro F1 = {evaluation.macro_f1:.3f}", fontsize=TEXT_PT
    )
    set_title(axes, f"F1 per class, {evaluation.split}")
    make_plain(axes)
    axes.tick_params(axis="y", length=0)
    return to_png(figure)
