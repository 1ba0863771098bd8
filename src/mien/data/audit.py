"""What is wrong with a data set: leaks, contradictions, empty pictures, imbalance.

`audit` looks at every picture once and compares all of them with each other. It changes nothing
and decides nothing: a row's duplicate in another split is a fact; dropping the row is a choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.duplicates import groups_of, seen_in_training
from mien.data.ferplus import majority_labels, not_a_face
from mien.data.fingerprints import Fingerprints, Progress, fingerprint
from mien.data.near_duplicates import near_duplicates
from mien.labels import FERPLUS
from mien.samples import Samples, Split

TINY_PX = 32
"""Pictures whose shorter side is below this many pixels are reported as tiny."""

Rows = NDArray[np.int64]
"""Positions in the samples, (k,), ascending."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two rows that show the same photograph in different pixels."""

    first: int
    """Position of one row."""
    second: int
    """Position of the other, in another split where the pair crosses splits."""
    correlation: float
    """Of their pixels, at most 1."""
    mirrored: bool
    """Whether one is like the other's mirror image."""


@dataclass(frozen=True, slots=True, eq=False)
class FerPlusAudit:
    """What FER+'s annotators say of the labels."""

    not_a_face: Rows
    """Rows in which *not a face* has the most votes."""
    undecided: int
    """Rows that the majority rule drops, those included."""
    majority: NDArray[np.int64]
    """Class index in `labels.FERPLUS` per row, -1 where dropped, (n,)."""
    disagreeing: NDArray[np.bool_]
    """Rows whose label is not the majority's, (n,)."""

    @property
    def disagreement(self) -> float:
        """Part of the decided rows whose label is not the majority's, in [0, 1]."""
        decided = len(self.majority) - self.undecided
        return int(self.disagreeing.sum()) / decided if decided else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class AuditReport:
    """What `audit` found, as positions in the samples."""

    samples: Samples
    """What was audited."""
    sizes: NDArray[np.int64]
    """Width and height per row in pixels, (n, 2); 0 x 0 where the picture is damaged."""
    duplicate_groups: tuple[Rows, ...]
    """Groups of pixel-identical rows."""
    seen: Rows
    """Validation and test rows whose pixel-identical duplicate is a training row."""
    conflicting: tuple[Rows, ...]
    """Those of the groups whose rows have different labels."""
    near_pairs: tuple[NearPair, ...]
    """Near duplicates, most alike first; of pixel-identical rows, one stands for all."""
    near_seen: Rows
    """Validation and test rows with a near duplicate in training, and no pixel-identical one."""
    constant: Rows
    """Rows whose pixels are all the same."""
    tiny: Rows
    """Rows whose shorter side is below `TINY_PX`."""
    damaged: tuple[tuple[int, str], ...]
    """Rows whose picture cannot be read, and why."""
    ferplus: FerPlusAudit | None
    """Comparison with FER+; None where the samples have no votes."""

    @property
    def duplicate_rows(self) -> int:
        """Rows that have a pixel-identical duplicate."""
        return sum(len(group) for group in self.duplicate_groups)

    @property
    def groups_across(self) -> tuple[Rows, ...]:
        """Groups of pixel-identical rows that stand in more than one split."""
        splits = self.samples.splits
        return tuple(g for g in self.duplicate_groups if len(np.unique(splits[g])) > 1)

    @property
    def near_across(self) -> tuple[NearPair, ...]:
        """Near duplicates that stand in different splits."""
        splits = self.samples.splits
        return tuple(p for p in self.near_pairs if splits[p.first] != splits[p.second])


def audit(samples: Samples, *, progress: Progress | None = None) -> AuditReport:
    """Look for what makes a data set's numbers wrong.

    Args:
        samples: the rows of all splits.
        progress: called now and then with how many pictures are done and how many there are.

    Returns:
        The findings. Pictures that cannot be read are among them and raise nothing.
    """
    prints = fingerprint(samples.images, progress=progress)
    groups = groups_of(prints.digests)
    seen = seen_in_training(prints.digests, samples.splits)
    pairs, near_seen = _near(samples, prints, groups)
    shorter = prints.sizes.min(axis=1, initial=np.iinfo(np.int64).max)
    return AuditReport(
        samples=samples,
        sizes=prints.sizes,
        duplicate_groups=tuple(groups),
        seen=np.flatnonzero(seen),
        conflicting=tuple(g for g in groups if len(np.unique(samples.labels[g])) > 1),
        near_pairs=pairs,
        near_seen=np.flatnonzero(near_seen & ~seen),
        constant=np.flatnonzero(prints.constant),
        tiny=np.flatnonzero((shorter > 0) & (shorter < TINY_PX)),
        damaged=tuple(prints.damage.items()),
        ferplus=None if samples.votes is None else _ferplus(samples, samples.votes),
    )


def _near(
    samples: Samples, prints: Fingerprints, groups: list[Rows]
) -> tuple[tuple[NearPair, ...], NDArray[np.bool_]]:
    """Near duplicates among different pictures, and the rows that have one in training."""
    alone = ~prints.constant & (prints.sizes[:, 0] > 0)
    for group in groups:
        alone[group[1:]] = False
    chosen = np.flatnonzero(alone)
    group_of = {int(group[0]): group for group in groups}
    found = near_duplicates(prints.thumbnails[chosen])
    pairs = []
    seen = np.zeros(len(samples), dtype=np.bool_)
    for index in range(len(found)):
        rows = [int(chosen[side[index]]) for side in (found.first, found.second)]
        one, other = (group_of.get(row, np.array([row])) for row in rows)
        for asked, known in ((one, other), (other, one)):
            if (samples.splits[known] == Split.TRAIN.value).any():
                seen[asked] |= samples.splits[asked] != Split.TRAIN.value
        first, second = next(_across(samples.splits, one, other), (rows[0], rows[1]))
        correlation = float(found.correlation[index])
        pairs.append(NearPair(first, second, correlation, bool(found.mirrored[index])))
    return tuple(pairs), seen


def _across(splits: NDArray[np.str_], one: Rows, other: Rows) -> Iterator[tuple[int, int]]:
    """Pairs of rows of two groups that stand in different splits."""
    for first in one.tolist():
        for second in other.tolist():
            if splits[first] != splits[second]:
                yield first, second


def _ferplus(samples: Samples, votes: NDArray[np.int64]) -> FerPlusAudit:
    majority = majority_labels(votes)
    own = np.array([FERPLUS.index(label.key) for label in samples.label_set])[samples.labels]
    decided = majority >= 0
    return FerPlusAudit(
        not_a_face=np.flatnonzero(not_a_face(votes)),
        undecided=int((~decided).sum()),
        majority=majority,
        disagreeing=decided & (majority != own),
    )
