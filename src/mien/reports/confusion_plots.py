"""The confusion matrix as two pictures: what becomes of each class, and how many faces that is.

Percentages of each row answer which class is taken for which; counts answer what makes up the
errors. Each has a picture of its own, so that both can be read in a paper's column.
"""

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.metrics import Evaluation
from mien.reports.figures import INK, TEXT_PT, figure_with_axes, set_title, to_png

_DARK_SHARE = 0.55
"""Shade from which on text is white."""


def confusion_matrix_png(evaluation: Evaluation) -> bytes:
    """Confusion matrix, each row in percent of the class's faces.

    Returns:
        A PNG. A class without rows has an empty row.
    """
    matrix = evaluation.confusion_matrix
    supports = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, np.maximum(supports, 1))
    texts = [
        [f"{100 * share:.1f} %" if supports[row, 0] else "" for share in shares[row]]
        for row in range(len(matrix))
    ]
    title = f"Confusion matrix, % of each label, {evaluation.split}, n = {evaluation.n:,}"
    return _matrix_png(evaluation, shares, texts, title)


def confusion_counts_png(evaluation: Evaluation) -> bytes:
    """Confusion matrix in numbers of faces; a field is as dark as its part of the largest.

    Returns:
        A PNG.
    """
    matrix = evaluation.confusion_matrix
    texts = [[f"{count:,}" for count in row] for row in matrix.tolist()]
    title = f"Confusion matrix, faces, {evaluation.split}, n = {evaluation.n:,}"
    return _matrix_png(evaluation, matrix / matrix.max(), texts, title)


def _matrix_png(
    evaluation: Evaluation, shades: NDArray[np.float64], texts: list[list[str]], title: str
) -> bytes:
    """A grid of fields, each with a shade in [0, 1] and a text."""
    names = [label.display_name for label in evaluation.label_set]
    supports = evaluation.confusion_matrix.sum(axis=1).tolist()
    inches = 1.9 + 0.72 * len(names)
    figure, axes = figure_with_axes(inches + 0.5, inches)
    axes.imshow(shades, cmap="Blues", vmin=0.0, vmax=1.0)
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
    for row, column in np.ndindex(shades.shape):
        axes.text(
            column,
            row,
            texts[row][column],
            ha="center",
            va="center",
            color="white" if shades[row, column] > _DARK_SHARE else INK,
            fontsize=TEXT_PT + 1,
            fontweight="bold" if row == column else "normal",
        )
    axes.set_xlabel("predicted expression", fontsize=TEXT_PT)
    axes.set_ylabel("labelled expression (faces)", fontsize=TEXT_PT)
    set_title(axes, title)
    return to_png(figure)
