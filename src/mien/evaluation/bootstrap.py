"""95 % intervals by resampling rows, without drawing a single row.

Every metric with an interval is a function of the confusion matrix alone. Drawing n rows with
replacement and counting them gives exactly a multinomial draw over the matrix's cells, so two
thousand resamples are one call of the generator and one vectorised formula. Normal
approximations were left out: they leave [0, 1] for small classes.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
"""

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
"""Lower and upper end."""


def bootstrap(
    matrix: NDArray[np.int64], n_resamples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Resample the rows behind a confusion matrix.

    Args:
        matrix: rows per (label, predicted class), int64 (classes, classes), not all 0.
        n_resamples: resamples to draw, at least 1.
        generator: source of chance.

    Returns:
        int64 (n_resamples, classes, classes), each with as many rows as ``matrix``.
    """
    cells = matrix.ravel()
    # Only cells with rows: rounding in the probabilities could leak into an empty last one.
    filled = np.flatnonzero(cells)
    total = int(cells.sum())
    drawn = np.zeros((n_resamples, cells.size), np.int64)
    drawn[:, filled] = generator.multinomial(total, cells[filled] / total, size=n_resamples)
    return drawn.reshape(n_resamples, *matrix.shape)


def interval(values: NDArray[np.float64]) -> Interval:
    """The middle 95 % of resampled values; NaN ones (a class drawn without rows) do not count."""
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)
