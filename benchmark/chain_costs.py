"""What each step of the chain costs, from who was right at which step; no pictures, no network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.bootstrap import Interval
from mien.evaluation.compare import paired_interval
from mien.results import Point

RESAMPLES = 2000
NEAR = 1 / 3
"""A face is the tile's where the middle of its crop lies within this fraction of the tile's side
from the tile's middle, whatever its size: what a bad box costs is charged to the crop. All others
are false."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became of each row under one condition with one detector, (n,) each.

    Raises:
        ValueError: a row that was not found counts as right.
    """

    bare: Bools
    """Right on the tile itself."""
    true_crop: Bools
    """Right on the true crop of the composed picture, upright as the picture."""
    true_turned: Bools
    """Right on the true crop, turned as the tile is."""
    found: Bools
    """The detector found the face."""
    unturned: Bools
    """Found, and right on the detector's crop without turning it."""
    chain: Bools
    """Found, and right on the crop of the run time."""
    false_faces: NDArray[np.int64]
    """Faces found where none is, or a second time."""

    def __post_init__(self) -> None:
        if (self.chain & ~self.found).any() or (self.unturned & ~self.found).any():
            raise ValueError("expected that only faces that were found are right")

    def __len__(self) -> int:
        return len(self.bare)

    def take(self, rows: Bools) -> "Outcomes":
        """The rows where True."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Cost:
    """A loss of accuracy, in points."""

    points: float
    """100 times the accuracy before, less that after."""
    ci95: Interval
    """Its 95 % interval: bootstrap over rows, paired."""

    def __str__(self) -> str:
        return f"{self.points:+5.1f} ({self.ci95[0]:+.1f} to {self.ci95[1]:+.1f})"


def cost(before: Bools, after: Bools, seed: int = 0) -> Cost:
    """The loss from one step to the next, on the same rows."""
    low, high = paired_interval(before, after, RESAMPLES, seed)
    points = 100 * (int(before.sum()) - int(after.sum())) / len(before)
    return Cost(points, (100 * low, 100 * high))


def costs(outcomes: Outcomes) -> dict[str, Cost]:
    """The loss of each step; the first three add up to the last.

    Returns:
        ``transform``: from the bare tile to the true crop; ``not found``: right on the true crop,
        but the face was not found; ``crop``: the detector's crop instead of the true one, where
        found; ``total``: from the bare tile to the end, a face that was not found being wrong.
    """
    seen = outcomes.true_crop & outcomes.found
    return {
        "transform": cost(outcomes.bare, outcomes.true_crop),
        "not found": cost(outcomes.true_crop, seen),
        "crop": cost(seen, outcomes.chain),
        "total": cost(outcomes.bare, outcomes.chain),
    }


def nearest(
    squares_px: Sequence[tuple[float, float, float]], center_px: Point, side_px: float
) -> int | None:
    """Which crop shows the tile.

    Args:
        squares_px: left, top and side of each crop.
        center_px: the tile's middle.
        side_px: the tile's side.

    Returns:
        Position of the nearest crop, the first of equals; None where none is near.
    """
    away = [
        math.dist((left + side / 2, top + side / 2), center_px) for left, top, side in squares_px
    ]
    if min(away, default=math.inf) > NEAR * side_px:
        return None
    return away.index(min(away))
