"""A validation part carved out of the training rows with duplicates kept on one side.

FER-2013's Training has more than a thousand groups of pixel-identical pictures. Drawn row by row,
many a group would lie on both sides, and the epoch would be chosen by what was memorised.
So whole groups are drawn. A group whose rows carry different labels says nothing that could be
measured and stays for training.
"""

import numpy as np
from numpy.typing import NDArray


def grouped_split(
    labels: NDArray[np.int64], digests: NDArray[np.bytes_], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows class by class, whole groups of duplicates at a time.

    From each class goes the fraction's floor, but at least one row where it has two; less where
    no group fits any more. A class that has but large groups gives its smallest one, if that is
    no more than half of it. A class with a single picture keeps it for training.

    Args:
        labels: class index per row, (n,).
        digests: equal for rows whose pictures are pixel-identical, (n,).
        fraction: part of each class that goes into the second half, in [0, 1).
        seed: which rows; the same seed, labels, groups and fraction give the same rows.

    Returns:
        Positions of the rows that stay and of those taken, both ascending.
    """
    random = np.random.default_rng(seed)
    groups = _numbered(digests)
    sizes = np.bincount(groups)
    lowest = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(lowest, groups, labels)
    highest = np.zeros(len(sizes), np.int64)
    np.maximum.at(highest, groups, labels)
    taken = np.zeros(len(sizes), np.bool_)
    for label, n in enumerate(np.bincount(labels, minlength=1).tolist()):
        candidates = np.flatnonzero((lowest == label) & (highest == label))
        # Rounded first: 0.3 * 10 is 3, whatever its binary digits say.
        wanted = max(int(np.floor(round(fraction * n, 9))), min(1, n // 2))
        left = wanted
        for group in random.permutation(candidates).tolist():
            if sizes[group] <= left:
                taken[group] = True
                left -= int(sizes[group])
        if left == wanted and wanted and len(candidates):
            smallest = candidates[int(np.argmin(sizes[candidates]))]
            taken[smallest] = sizes[smallest] <= n // 2
    second = taken[groups]
    return np.flatnonzero(~second), np.flatnonzero(second)


def _numbered(digests: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """A number per row, counted in the order of each digest's first row."""
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    numbered: NDArray[np.int64] = order[inverse.reshape(-1)]
    return numbered
