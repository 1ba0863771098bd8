"""Which rows train, choose and test: the official parts, or seeded stratified ones.

FER-2013 comes with its parts, and they are used as they come: Training trains, PublicTest
chooses, PrivateTest tests. Sets without a validation part get one carved out of the training
rows, class by class: a tenth where nobody says how much. Rows marked for testing stay so; no plan
moves them. Splitting by position was rejected: csv files and folders are often sorted by class.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.data.duplicates import seen_duplicates
from mien.data.fingerprints import digests
from mien.data.grouped_split import grouped_split
from mien.errors import DatasetError
from mien.samples import Samples, Split


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How rows are assigned to splits; written into recipes.

    Raises:
        ValueError: the fraction is not in [0, 1).
    """

    validation_fraction: float | None = None
    """Fraction of every class of the training rows that becomes validation; 0 keeps the parts
    as they come; None keeps them where there is a validation part, and else carves out
    `DEFAULT_FRACTION`, duplicates together."""
    seed: int = 0
    """Which rows; has no effect where the parts stay as they come."""
    duplicates_together: bool = False
    """Keep pixel-identical pictures on one side, see `grouped_split`; else rows are drawn one by
    one, as the published protocols do."""

    def __post_init__(self) -> None:
        if self.validation_fraction is not None and not 0 <= self.validation_fraction < 1:
            raise ValueError(f"expected a fraction in [0, 1), got {self.validation_fraction}")


DEFAULT_FRACTION = 0.1
"""Part of each training class that validates where the set has no validation part."""

OFFICIAL = SplitPlan(validation_fraction=0.0)
"""The parts as the data set comes with them."""

FEW_ROWS = 10
"""Training rows of a class below which `cautions` names it."""


def resolved(samples: Samples, plan: SplitPlan) -> SplitPlan:
    """A plan that says how much is carved out, for these rows; it gives the same split.

    Args:
        samples: rows with the splits that they come with.
        plan: as a recipe has it.
    """
    if plan.validation_fraction is not None:
        return plan
    if _has_validation(samples):
        return replace(plan, validation_fraction=0.0)
    return replace(plan, validation_fraction=DEFAULT_FRACTION, duplicates_together=True)


def divided(
    samples: Samples,
    plan: SplitPlan,
    *,
    drop_duplicates: bool = False,
    drop_validation_duplicates: bool = False,
) -> Samples:
    """The rows as a recipe divides them: `assign`, then without the duplicates that it drops.

    Raises:
        DatasetError, ImageError, ImageTooLargeError: as `assign` and `without_training_duplicates`.
    """
    samples = assign(samples, plan)
    if drop_duplicates:
        samples = without_training_duplicates(samples)
    if drop_validation_duplicates:
        samples = without_validation_duplicates(samples)
    return samples


def assign(samples: Samples, plan: SplitPlan = OFFICIAL) -> Samples:
    """The same rows with their splits as planned.

    Args:
        samples: rows with the splits that they come with.
        plan: where it carves a validation part out of the training rows, rows that were for
            validation before become test rows, as the published protocols of FER-2013 do that
            split its Training and test on PublicTest + PrivateTest.

    Returns:
        The samples in the same order, their splits replaced; ``layout`` tells what was done.

    Raises:
        DatasetError: there are no training rows.
        ImageError, ImageTooLargeError: duplicates are kept together, and a training picture is
            damaged or refused.
    """
    train = np.flatnonzero(samples.splits == Split.TRAIN.value)
    if not len(train):
        raise DatasetError(f"{samples.source} has no training rows; see 'mien audit'")
    plan = resolved(samples, plan)
    fraction = plan.validation_fraction
    if not fraction:
        return replace(samples, layout=_told(samples, "used as they are"))
    labels = samples.labels[train]
    if plan.duplicates_together:
        found = digests(samples.take(train).images)
        kept, chosen = grouped_split(labels, found, fraction, plan.seed)
    else:
        kept, chosen = stratified_split(labels, fraction, plan.seed)
    splits = np.full(len(samples), Split.TEST.value, dtype="<U10")
    splits[train[kept]] = Split.TRAIN.value
    splits[train[chosen]] = Split.VALIDATION.value
    carved = f"{_percent(fraction)} of each training class carved out for validation"
    if _has_validation(samples):
        carved += ", validation rows moved to test"
    elif plan.duplicates_together:
        carved = f"no validation part, so {carved}"
    if plan.duplicates_together:
        carved += ", duplicates kept on one side"
    return replace(samples, splits=splits, layout=_told(samples, carved))


def cautions(parts: Mapping[Split, Samples]) -> list[str]:
    """What a person should know of the classes before training on these parts.

    Args:
        parts: the rows of some splits; only training and validation rows are looked at.

    Returns:
        Sentences about classes with fewer than `FEW_ROWS` training rows, and about classes that
        are trained but not validated; none where all is well.
    """
    found = []
    if (train := parts.get(Split.TRAIN)) is None:
        return []
    keys = train.label_set.keys
    rows = np.bincount(train.labels, minlength=len(keys)).tolist()
    if few := [f"{key} {n}" for key, n in zip(keys, rows, strict=True) if n < FEW_ROWS]:
        found.append(f"few training rows: {', '.join(few)}; these classes can hardly be learned")
    if (validation := parts.get(Split.VALIDATION)) is not None and len(validation):
        checked = np.bincount(validation.labels, minlength=len(keys)).tolist()
        if blind := [key for key, n, m in zip(keys, rows, checked, strict=True) if n and not m]:
            found.append(f"no validation rows: {', '.join(blind)}; the best epoch ignores them")
    return found


def without_training_duplicates(samples: Samples) -> Samples:
    """Leave out training rows that are pixel-identical to a validation or test row.

    All pictures are decoded once.

    Returns:
        The other rows in the same order; validation and test rows are all there, and ``layout``
        tells how many were left out.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    in_train = samples.splits == Split.TRAIN.value
    found = digests(samples.images)
    dropped = in_train & np.isin(found, found[~in_train])
    left_out = f"{dropped.sum():,} training rows with a duplicate in validation or test left out"
    samples = replace(samples, layout=_told(samples, left_out))
    return samples.take(np.flatnonzero(~dropped))


def without_validation_duplicates(samples: Samples) -> Samples:
    """Leave out validation rows that are pixel-identical to a training row.

    What is chosen on the others is not chosen by what was memorised. All pictures are
    decoded once.

    Returns:
        The other rows in the same order; training and test rows are all there, and ``layout``
        tells how many were left out.

    Raises:
        ImageError, ImageTooLargeError, DatasetError: a picture is damaged or refused.
    """
    dropped = seen_duplicates(samples) & (samples.splits == Split.VALIDATION.value)
    left_out = f"{dropped.sum():,} validation rows with a duplicate in training left out"
    samples = replace(samples, layout=_told(samples, left_out))
    return samples.take(np.flatnonzero(~dropped))


def stratified_split(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split rows class by class, taking the fraction's floor from each class.

    A class with fewer rows gives one, or none where it has no other, so that small classes are
    validated, too. `cautions` names those that are not.

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
        if fraction and len(rows) > 1:
            count = max(1, count)
        taken.append(random.permutation(rows)[:count])
    second = np.sort(np.concatenate(taken))
    first = np.setdiff1d(np.arange(len(labels)), second)
    return first, second


def _has_validation(samples: Samples) -> bool:
    return bool((samples.splits == Split.VALIDATION.value).any())


def _told(samples: Samples, what: str) -> str:
    return "; ".join(words for words in (samples.layout, what) if words)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"
