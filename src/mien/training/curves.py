"""``curves.png``: loss and accuracy by epoch, training and validation, with the kept epoch."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mien.errors import needs_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAINING = "#0072B2"
_VALIDATION = "#D55E00"


def curves_png(history: Sequence[dict[str, float]], best_epoch: int, title: str) -> bytes:
    """Draw the learning curves.

    Args:
        history: one row per epoch, as in ``history.csv``.
        best_epoch: the epoch that was kept, from 1.
        title: name of the run.

    Returns:
        A PNG of 200 dots per inch.
    """
    with needs_extra("train"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw(left, history, "loss", best_epoch)
    left.set_ylabel("Loss")
    left.legend(frameon=False)
    _draw(right, history, "accuracy", best_epoch, scale=100.0)
    right.set_ylabel("Top-1 accuracy (%)")
    best = 100 * history[best_epoch - 1]["val_accuracy"]
    right.text(
        0.98,
        0.05,
        f"kept: epoch {best_epoch}, {best:.2f} % on validation",
        transform=right.transAxes,
        ha="right",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )
    figure.suptitle(title, fontsize=12)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=200)
    return buffer.getvalue()


def _draw(
    axes: "Axes",
    history: Sequence[dict[str, float]],
    name: str,
    best_epoch: int,
    scale: float = 1.0,
) -> None:
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) < 3 else None
    for prefix, label, color in (
        ("", "training", _TRAINING),
        ("val_", "validation", _VALIDATION),
    ):
        values = [scale * row[prefix + name] for row in history]
        axes.plot(epochs, values, color=color, label=label, lw=1.6, marker=marker)
    with needs_extra("train"):
        from matplotlib.ticker import MaxNLocator
    axes.axvline(best_epoch, color="0.6", lw=0.8, ls="--")
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
