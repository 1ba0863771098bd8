"""The figures of damaged faces: a panel per kind, and one face in every strength."""

from collections.abc import Iterator
from itertools import count

import numpy as np

from mien.evaluation.corruptions import CORRUPTIONS, Corruption, bounded
from mien.evaluation.stress import Stress
from mien.reports.face_grid import square_tile
from mien.reports.figures import (
    BLUE,
    DASHED,
    INK,
    SMALL_PT,
    SOFT,
    TEXT_PT,
    VERMILION,
    empty_figure,
    figure_with_axes,
    make_plain,
    percent_tick,
    to_png,
)
from mien.samples import Image

_PER_ROW = 4
_TILE_PX = 96
_GAPS = ((4, 4), (4, 4), (0, 0))
_PX_PER_INCH = 144


def stress_png(stress: Stress) -> bytes:
    """Accuracy and mean confidence against strength, from unharmed to severe, per kind.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    across = min(_PER_ROW, len(stress.curves))
    down = -(-len(stress.curves) // across)
    figure = empty_figure(2.4 * across, 0.5 + 1.95 * down)
    panels = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes, curve in zip(panels.flat, stress.curves, strict=False):
        places = range(len(curve.points) + 1)
        points = (stress.clean, *curve.points)
        accuracies = [point.accuracy for point in points]
        confidences = [point.confidence for point in points]
        axes.axhline(stress.clean.accuracy, color=SOFT, linewidth=0.7, zorder=0)
        axes.plot(places, accuracies, color=BLUE, marker="o", ms=4, label="accuracy")
        axes.plot(
            places,
            confidences,
            color=VERMILION,
            linestyle=DASHED,
            marker="s",
            ms=3,
            label="mean confidence",
        )
        ticks = ["0", *(f"{point.strength:g}" for point in curve.points)]
        axes.set_xticks(places, ["\N{EN DASH}", *ticks[1:]])
        axes.set_title(f"{curve.name}: {100 * curve.accuracy:.1f} %", fontsize=TEXT_PT, loc="left")
        axes.set_xlabel(curve.unit, fontsize=SMALL_PT, color=INK)
        axes.set_ylim(0, 1)
        make_plain(axes)
        axes.yaxis.set_major_formatter(percent_tick)
        axes.grid(axis="y", color="0.93", zorder=-1)
    for axes in list(panels.flat)[len(stress.curves) :]:
        axes.set_axis_off()
    panels[0, 0].legend(fontsize=SMALL_PT - 1, frameon=False, loc="lower left")
    return to_png(figure)


def stress_faces_png(face: Image, seed: int = 0) -> bytes:
    """One face, a row per kind, or per half of it, from unharmed to severe.

    Args:
        face: uint8 (H, W) or (H, W, 3).
        seed: of all chance.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    face = bounded(face)
    rows, names = [], []
    for kind, name, chance in _shown_kinds(seed):
        names.append(name)
        shown = [face, *(kind.apply(face, strength, chance, seed) for strength in kind.strengths)]
        tiles = [np.pad(square_tile(each, _TILE_PX), _GAPS, constant_values=255) for each in shown]
        rows.append(np.concatenate(tiles, axis=1))
    # One picture of all: axes of their own for 90 tiles take seconds.
    picture = np.concatenate(rows)
    height, width = picture.shape[0] / _PX_PER_INCH, picture.shape[1] / _PX_PER_INCH
    figure, axes = figure_with_axes(1.5 + width, height)
    axes.imshow(picture, interpolation="nearest")
    step = picture.shape[0] / len(rows)
    places = [step * (number + 0.5) for number in range(len(rows))]
    axes.set_yticks(places, names, fontsize=SMALL_PT, color=INK)
    n_columns = 1 + len(CORRUPTIONS[0].strengths)
    heads = ["unharmed", *map(str, range(1, n_columns))]
    across = picture.shape[1] / n_columns
    places = [across * (number + 0.5) for number in range(n_columns)]
    axes.set_xticks(places, heads, fontsize=SMALL_PT, color=INK)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return to_png(figure)


def _shown_kinds(seed: int) -> Iterator[tuple[Corruption, str, int]]:
    """Kinds, once for each half, with a name and the number of a face that belongs to the half."""
    for kind in CORRUPTIONS:
        if kind.halves is None:
            yield kind, kind.name, 0
            continue
        for number, half in enumerate(kind.halves):
            row = next(row for row in count() if kind.half(row, seed) == number)
            yield kind, f"{kind.name}:\n{half}", row
