"""``augmentation.png``: some pictures of a batch before and after the random changes."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import needs_extra

COLUMNS = 8
"""Pictures that are shown."""


def batch_png(before: NDArray[np.uint8], after: NDArray[Any], title: str) -> bytes:
    """Draw the first pictures of a batch twice, one row above the other.

    Args:
        before: uint8 (n, h, w, 1) grey or (n, h, w, 3) RGB.
        after: the same pictures as the network gets them, values 0..255 in any dtype.
        title: name of the run.

    Returns:
        A PNG of 150 dots per inch.
    """
    with needs_extra("report"):
        from matplotlib.figure import Figure
    columns = min(len(before), COLUMNS)
    figure = Figure(figsize=(1.2 * COLUMNS, 2.9), layout="constrained")
    axes = figure.subplots(2, COLUMNS, squeeze=False)
    for name, row, pictures in (("before", axes[0], before), ("after", axes[1], after)):
        for cell in row:
            cell.set_axis_off()
        shown = np.clip(np.rint(pictures[:columns].astype(np.float32)), 0, 255).astype(np.uint8)
        for cell, picture in zip(row, shown, strict=False):
            cell.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        row[0].text(
            -0.08, 0.5, name, transform=row[0].transAxes, rotation=90, ha="right", va="center"
        )
    figure.suptitle(f"{title}: the first training batch, before and after augmentation")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150)
    return buffer.getvalue()
