"""Measuring against other labels than the data's own, e.g. the majority of FER+'s annotators.

Faces that the other labels say nothing about cannot be measured, nor those of a class that the
model does not have; they are left out, and how many is said in a note that the report repeats.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.labels import LabelSet
from mien.samples import Samples, Split


@dataclass(frozen=True, slots=True, eq=False)
class Relabelled:
    """Samples with other labels, without the rows that have none."""

    samples: Samples
    """The rows that are left."""
    kept: NDArray[np.int64]
    """Their positions in the original samples."""
    note: str
    """What was left out of the measured split, for people."""


def relabel(
    samples: Samples,
    labels: NDArray[np.int64],
    label_set: LabelSet,
    *,
    name: str,
    model_labels: LabelSet,
    split: Split,
) -> Relabelled:
    """Replace the labels of samples.

    Args:
        samples: the original samples.
        labels: class index in ``label_set`` per row, (n,); -1 where there is none.
        label_set: the classes of the new labels.
        name: what the labels are called in the note, e.g. ``FER+ majority``.
        model_labels: the classes that the model has; rows of others are left out.
        split: the split that will be measured and that the note counts.

    Returns:
        The rows that have a label that the model knows, in order.
    """
    known = np.array([label.key in model_labels for label in label_set])
    has_label = labels >= 0
    keep = has_label & known[labels]
    kept = np.flatnonzero(keep)
    taken = samples.take(kept)
    in_split = samples.splits == split.value
    texts = [
        f"Labels: {name}. Of {int(in_split.sum()):,} faces, {int((in_split & keep).sum()):,} are "
        f"measured; without such a label: {int((in_split & ~has_label).sum()):,}"
    ]
    for index in np.flatnonzero(~known).tolist():
        rows = int((in_split & (labels == index)).sum())
        texts.append(f"{label_set[index].key}, which the model does not know: {rows:,}")
    return Relabelled(
        samples=replace(taken, labels=labels[kept], label_set=label_set),
        kept=kept,
        note="; ".join(texts) + ".",
    )
