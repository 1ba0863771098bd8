"""Which rows train, choose and test: the official parts, or seeded stratified ones.

FER-2013 comes with its parts, and they are used as they come: Training trains, PublicTest
chooses, PrivateTest tests. Sets without a validation part get one carved out of the training
rows, class by class. Rows marked for testing stay so; no plan moves them. Splitting by position
was rejected: csv files and folders are often sorted by class.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.data.fingerprints import digests
from mien.errors import DatasetError
from mien.samples import Samples, Split


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How rows are assigned to splits; written into recipes.

    Raises:
        ValueError: the fraction is not in [0, 1).
    """

    validation_fraction: float = 0.0
    """Fraction of every class of the training rows that becomes validation; 0 keeps the parts
    as they come."""
    seed: int = 0
    """Which rows; has no effect where ``validation_fraction`` is 0."""

    def __post_init__(self) -> None:
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"expected a fraction in [0, 1), got {self.validation_fraction}")


OFFICIAL = SplitPlan()
"""The parts as the data set comes with them."""


def assign(samples: Samples, plan: SplitPlan = OFFICIAL) -> Samples:
    """The same rows with their splits as planned.

    Args:
        samples: rows with the splits that they come with.
        plan: where it carves a validation part out of the training rows, rows that were for
            validation before become test rows, as the published protocols of FER-2013 do that
            split its Training and test on PublicTest + PrivateTest.

    Returns:
        The samples in the same order, their splits replaced.

    Raises:
        DatasetError: there are no training rows, or a class has too few to give any away.
    """
    train = np.flatnonzero(samples.splits == Split.TRAIN.value)
    if not len(train):
        raise DatasetError(f"{samples.source} has no training rows; see 'mien audit'")
    if plan.validation_fraction == 0:
        return samples
    labels = samples.labels[train]
    kept, chosen = stratified_split(labels, plan.validation_fraction, plan.seed)
    if not len(chosen):
        raise DatasetError(
            f"{samples.source} has too few training rows to take {plan.validation_fraction:.0%} "
            "of each class for validation; give a larger fraction or more rows"
        )
    splits = np.full(len(samples), Split.TEST.value, dtype="<U10")
    splits[train[kept]] = Split.TRAIN.value
    splits[train[chosen]] = Split.VALIDATION.value
    return replace(samples, splits=splits)


def without_training_twins(samples: Samples) -> Samples:
    """Leave out training rows that are pixel-identical to a validation or test row.

    All pictures are decoded once.

    Returns:
        The other rows in the same order; validation and test rows are all there.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    in_train = samples.splits == Split.TRAIN.value
    found = digests(samples.images)
    dropped = in_train & np.isin(found, found[~in_train])
    return samples.take(np.flatnonzero(~dropped))


def stratified_split(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows class by class, taking the fraction's floor from each class.

    0.3 of FER-2013's Training gives 20,099 and 8,610 rows, as Keras's ``validation_split``
    does, which takes the floor per class folder too.

    Args:
        labels: class index per row, (n,).
        fraction: part of each class that goes into the second half, in [0, 1).
        seed: which rows; the same seed, labels and fraction give the same rows.

    Returns:
        Positions of the rows that stay and of those taken, both ascending.
    """
    random = np.random.default_rng(seed)
    taken = [np.zeros(0, dtype=np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        # Rounded first: 0.3 * 10 is 3, whatever its binary digits say.
        count = int(np.floor(round(fraction * len(rows), 9)))
        taken.append(random.permutation(rows)[:count])
    second = np.sort(np.concatenate(taken))
    first = np.setdiff1d(np.arange(len(labels)), second)
    return first, second
