"""Occlusion maps: cover a part of the face, and see how much less sure the network becomes.

A square is laid over the face, place by place, and filled with the face's mean value. What a place
is worth is by how much the log-odds of the explained class fall; probabilities would not move
where the network is very sure. A pixel's value is the mean over all squares that cover it. It needs
nothing of the network but its answers, so it works for every model.

Source: Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
https://arxiv.org/abs/1311.2901
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

Logits = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Network input (n, h, w, c), values 0..255, to logits (n, classes)."""

SQUARE = 0.2
"""Side of the square, as a part of the face's longer side."""
STEP = 1 / 16
"""From one place to the next, as a part of it."""

_BATCH_BYTES = 32_000_000


def occlusion_map(logits_of: Logits, face: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """How much each pixel's surroundings speak for a class.

    Args:
        logits_of: the network.
        face: what the network sees, float32 (h, w, c), values 0..255.
        label: index of the explained class.

    Returns:
        float64 (h, w), in log-odds (nats): above 0 where covering makes the class less likely,
        below 0 where it makes it more likely.
    """
    height, width = face.shape[:2]
    side = max(1, round(SQUARE * max(height, width)))
    step = max(1, round(STEP * max(height, width)))
    # The square's middle goes to both edges, so that those are covered as often.
    starts = [range(-(side // 2), extent - side // 2, step) for extent in (height, width)]
    places = list(product(*starts))
    before = log_odds(logits_of(face[np.newaxis]), label)[0]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for part, covered in _covered(face, places, side):
        drops = before - log_odds(logits_of(covered), label)
        for (top, left), drop in zip(part, drops.tolist(), strict=True):
            at = slice(max(0, top), top + side), slice(max(0, left), left + side)
            total[at] += drop
            count[at] += 1
    return total / np.maximum(count, 1)


def log_odds(logits: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    """Logarithm of a class's probability over that of all others, (n,), of logits (n, classes)."""
    values = logits.astype(np.float64)
    others = np.delete(values, label, axis=1)
    highest = others.max(axis=1)
    rest = highest + np.log(np.exp(others - highest[:, np.newaxis]).sum(axis=1))
    return np.asarray(values[:, label] - rest)


def _covered(
    face: NDArray[np.float32], places: list[tuple[int, ...]], side: int
) -> Iterator[tuple[list[tuple[int, ...]], NDArray[np.float32]]]:
    """Copies of the face with the square at each place, some at a time."""
    fill = face.mean(axis=(0, 1))
    size = max(1, _BATCH_BYTES // face.nbytes)
    for start in range(0, len(places), size):
        part = places[start : start + size]
        copies = np.repeat(face[np.newaxis], len(part), axis=0)
        for copy, (top, left) in zip(copies, part, strict=True):
            copy[max(0, top) : top + side, max(0, left) : left + side] = fill
        yield part, copies
