"""``curves.png``: loss, accuracy and macro F1 by epoch, training and validation.

The kept epoch is marked, and where a training has several phases, the start of each later one.
Histories differ in what they hold: the panel of the F1 is left out where there is none, and
rows without a number leave a gap.
"""

import io
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mien.errors import needs_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAINING = "#0072B2"
_VALIDATION = "#D55E00"
_MARK = "0.6"
_SMALL_PT = 8.5

_PANELS = (("loss", "Loss", 1.0), ("accuracy", "Top-1 accuracy (%)", 100.0))
_F1_PANEL = ("f1", "Macro F1 (%)", 100.0)
"""(column, title of the axis, factor) each; ``val_`` and the column is that of validation."""


def curves_png(history: Sequence[dict[str, float]], best_epoch: int, title: str) -> bytes:
    """Draw the learning curves.

    Args:
        history: one row per epoch, as in ``history.csv``; ``f1``, ``val_f1`` and ``phase`` may
            be missing.
        best_epoch: the epoch that was kept, from 1.
        title: name of the run.

    Returns:
        A PNG of 200 dots per inch.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with needs_extra("report"):
        from matplotlib.figure import Figure
    has_f1 = any("f1" in row or "val_f1" in row for row in history)
    panels = (*_PANELS, _F1_PANEL) if has_f1 else _PANELS
    figure = Figure(figsize=(4.5 * len(panels), 3.7), layout="constrained")
    every = figure.subplots(1, len(panels))
    for axes, (name, label, scale) in zip(every, panels, strict=True):
        _draw(axes, history, name, best_epoch, scale)
        axes.set_ylabel(label)
    every[0].legend(frameon=False)
    best = 100 * history[best_epoch - 1]["val_accuracy"]
    # Above the panels, where no curve can run through it.
    figure.suptitle(
        f"{title}: epoch {best_epoch} was kept, {best:.2f} % on validation", fontsize=12
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=200)
    return buffer.getvalue()


def phase_starts(history: Sequence[dict[str, float]]) -> list[tuple[float, float]]:
    """(phase, its first epoch) of every phase after the first; none where phases are unknown."""
    return [
        (row["phase"], row["epoch"])
        for before, row in pairwise(history)
        if "phase" in before and "phase" in row and row["phase"] != before["phase"]
    ]


def _draw(
    axes: "Axes", history: Sequence[dict[str, float]], name: str, best_epoch: int, scale: float
) -> None:
    with needs_extra("report"):
        from matplotlib.ticker import MaxNLocator
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) < 3 else None
    for prefix, label, color, width in (
        ("", "training", _TRAINING, 1.2),
        ("val_", "validation", _VALIDATION, 2.0),
    ):
        values = [scale * row.get(prefix + name, math.nan) for row in history]
        axes.plot(epochs, values, color=color, label=label, lw=width, marker=marker)
    axes.axvline(best_epoch, color=_MARK, lw=0.8, ls="--")
    for phase, epoch in phase_starts(history):
        axes.axvline(epoch - 0.5, color=_MARK, lw=1.2)
        axes.annotate(
            f"phase {phase:.0f}",
            (epoch - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 2),
            textcoords="offset points",
            va="bottom",
            fontsize=_SMALL_PT,
            color="0.4",
            annotation_clip=False,
        )
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
