"""A track's probabilities over time, in memory that does not grow with the video.

Bins of equal width hold the sums of what fell into them. When they are full, neighbours are joined
and the width doubles, so an hour takes as much room as a minute and is half as fine.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

CAPACITY = 1024
"""Bins at most: about as many as a page is wide in pixels."""
_FIRST_STEP_S = 0.02


class Bins:
    """Means of distributions over bins of time.

    Args:
        n_classes: of the distributions.
        start_s: time of the first one, in seconds.
    """

    def __init__(self, n_classes: int, start_s: float) -> None:
        self.start_s = start_s
        """Where the first bin begins."""
        self.step_s = _FIRST_STEP_S
        """Width of a bin."""
        self._sums = np.zeros((64, n_classes), np.float64)
        # How often each class was shown, and last, how often none was.
        self._counts = np.zeros((64, n_classes + 1), np.int64)
        self._n_used = 0

    def add(self, time_s: float, probabilities: tuple[float, ...], shown: int | None) -> None:
        """Take one distribution and the class that is shown, None where the face is uncertain;
        times do not run backwards."""
        while (index := int((time_s - self.start_s) / self.step_s)) >= CAPACITY:
            self._halve()
        while index >= len(self._counts):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._sums[index] += probabilities
        self._counts[index, -1 if shown is None else shown] += 1
        self._n_used = max(self._n_used, index + 1)

    def means(self, at_least_s: float = 0.0) -> tuple[float, NDArray[np.float64]]:
        """The mean distribution of every bin.

        Args:
            at_least_s: width that the bins should have; neighbours are joined until they do.

        Returns:
            Width of a bin in seconds, and float64 (bins, classes); NaN where nothing fell in.
        """
        factor = self._factor(at_least_s)
        sums = self._joined(self._sums, factor)
        counts = self._joined(self._counts, factor).sum(axis=1)[:, None]
        means = np.full(sums.shape, np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return self.step_s * factor, means

    def mostly_shown(self, at_least_s: float = 0.0) -> tuple[float, NDArray[np.int64]]:
        """The class that was shown most often in every bin; arguments as of `means`.

        Returns:
            Width of a bin in seconds, and int64 (bins,): a class, or the number of classes for
            uncertain, or -1 where nothing fell in.
        """
        factor = self._factor(at_least_s)
        counts = self._joined(self._counts, factor)
        return self.step_s * factor, np.where(counts.any(axis=1), counts.argmax(axis=1), -1)

    def _factor(self, at_least_s: float) -> int:
        return int(2 ** max(0, math.ceil(math.log2(max(at_least_s, 1e-9) / self.step_s))))

    def _joined(self, rows: NDArray[Any], factor: int) -> NDArray[Any]:
        n_joined = -(-self._n_used // factor)
        padded = np.zeros((n_joined * factor, rows.shape[1]), rows.dtype)
        padded[: self._n_used] = rows[: self._n_used]
        return np.asarray(padded.reshape(n_joined, factor, -1).sum(axis=1))

    def _halve(self) -> None:
        half = len(self._counts) // 2
        for name in ("_sums", "_counts"):
            whole = getattr(self, name)
            joined = np.zeros_like(whole)
            joined[:half] = whole[0::2] + whole[1::2]
            setattr(self, name, joined)
        self._n_used = -(-self._n_used // 2)
        self.step_s *= 2
