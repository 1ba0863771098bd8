"""Predictions: the table where data and model meet.

In go labelled faces and a function that gives probabilities for faces; out comes one row per
face of one split. Everything after this table (metrics, plots, reports) needs neither pictures
nor a network. The function, not a model class, is the argument, so any classifier can be
measured, whatever runs it. Faces are streamed in small batches: a folder larger than the memory
is evaluated all the same.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import DatasetError, ModelError
from mien.labels import LabelSet, label_set_of
from mien.results import Tta
from mien.samples import Image, Samples, Split
from mien.tta import averaged

BATCH_FACES = 256
"""Faces held in memory at a time."""

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One row per evaluated face.

    Raises:
        ValueError: the columns do not fit each other, there are no rows, or probabilities are
            not distributions.
    """

    names: tuple[str, ...]
    """Where each face comes from, as in `Samples.names`."""
    labels: NDArray[np.int64]
    """True class index in ``label_set``, (n,)."""
    probabilities: NDArray[np.float64]
    """The network's probabilities, (n, classes), each row summing to 1."""
    label_set: LabelSet
    """The classes, in the order of the columns."""
    split: str
    """The split that was evaluated."""
    source: str
    """Where the faces come from, as the user named it."""
    seen_duplicate: NDArray[np.bool_] | None = None
    """True where a pixel-identical face is among the source's training rows, (n,); None where
    the source has none to compare with."""
    tta: Tta = "none"
    """Test-time augmentation that was used."""

    def __post_init__(self) -> None:
        n, classes = len(self.labels), len(self.label_set)
        if n == 0:
            raise ValueError("expected at least one row")
        if len(self.names) != n or self.probabilities.shape != (n, classes):
            raise ValueError(
                f"expected {n} names and probabilities ({n}, {classes}), got "
                f"{len(self.names)} and {self.probabilities.shape}"
            )
        if not 0 <= int(self.labels.min()) <= int(self.labels.max()) < classes:
            raise ValueError(f"expected labels below {classes}")
        if self.seen_duplicate is not None and self.seen_duplicate.shape != (n,):
            raise ValueError(f"expected seen_duplicate ({n},), got {self.seen_duplicate.shape}")
        if _first_bad_row(self.probabilities) is not None:
            raise ValueError("expected rows of probabilities that sum to 1")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Most probable class per row, (n,); the first one on a tie."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the predicted class per row, (n,)."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """True where the predicted class is the label, (n,)."""
        return np.asarray(self.predicted == self.labels)

    def sample_rows(self, limit: int, seed: int = 0) -> list[int]:
        """Rows drawn at random without repetition, in the table's order, at most ``limit``; the
        same seed draws the same rows."""
        generator = np.random.default_rng(seed)
        drawn = generator.choice(len(self), min(limit, len(self)), replace=False)
        return [int(row) for row in np.sort(drawn)]

    def confident_errors(self, limit: int) -> list[int]:
        """Rows that are wrong, the most confident first, at most ``limit``."""
        wrong = np.flatnonzero(~self.correct)
        order = np.argsort(-self.confidence[wrong], kind="stable")
        return [int(row) for row in wrong[order][:limit]]


def predict(
    probabilities_of: Callable[[Iterable[Image]], NDArray[np.float64]],
    samples: Samples,
    split: Split,
    *,
    model_labels: LabelSet | None = None,
    seen_duplicate: NDArray[np.bool_] | None = None,
    tta: Tta = "none",
    progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """Classify the faces of one split with a model.

    Classes are matched by name. The table's classes are the data's in the data's order, without
    those that the model lacks (which must have no rows), then those only the model has.

    Args:
        probabilities_of: takes uint8 faces (H, W) or (H, W, 3), gives float (n, model classes).
        samples: labelled faces; rows of other splits are not touched.
        split: the split to evaluate.
        model_labels: the model's classes in the order of its outputs; the data's where None.
        seen_duplicate: bool per row of ``samples``: a pixel-identical face is in the training
            split.
        tta: as in `mien.tta.averaged`.
        progress: called with (faces done, faces in all) after each batch.

    Returns:
        One row per face of the split, in the data's order.

    Raises:
        DatasetError: the split has no rows, or holds a class that the model does not know.
        ModelError: the model returned something that is not probabilities.
    """
    rows = samples.of(split)
    if not len(rows):
        raise DatasetError(no_rows_words(samples, split))
    model_labels = model_labels or samples.label_set
    label_set, columns = _common_labels(rows, split, model_labels)
    parts = []
    done = 0
    for batch in _batches(rows):
        probabilities = averaged(probabilities_of, batch, tta)
        _check(probabilities, len(batch), model_labels, rows, done)
        parts.append(np.asarray(probabilities, np.float64)[:, columns])
        done += len(batch)
        if progress is not None:
            progress(done, len(rows))
    # A class that the model lacks has no rows, so its -1 is never used.
    new_index = np.array(
        [label_set.index(key) if key in label_set else -1 for key in rows.label_set.keys], np.int64
    )
    return Predictions(
        names=tuple(rows.names),
        labels=new_index[rows.labels],
        probabilities=np.concatenate(parts),
        label_set=label_set,
        split=split.value,
        source=samples.source,
        seen_duplicate=None
        if seen_duplicate is None
        else seen_duplicate[samples.splits == split.value],
        tta=tta,
    )


def _batches(samples: Samples) -> Iterator[list[Image]]:
    for start in range(0, len(samples), BATCH_FACES):
        stop = min(start + BATCH_FACES, len(samples))
        yield [samples.images[index] for index in range(start, stop)]


def _common_labels(
    rows: Samples, split: Split, model_labels: LabelSet
) -> tuple[LabelSet, list[int]]:
    """The table's classes, and the model's output column of each."""
    supports = np.bincount(rows.labels, minlength=len(rows.label_set))
    known = [label for label in rows.label_set if label.key in model_labels]
    for label, support in zip(rows.label_set, supports, strict=True):
        if support and label.key not in model_labels:
            raise DatasetError(
                f"{rows.source}, split {split}: {support} rows are {label.key}, which the model "
                f"does not know; it knows: {', '.join(model_labels.keys)}"
            )
    columns = [model_labels.index(label.key) for label in known]
    extra = [index for index in range(len(model_labels)) if index not in columns]
    keys = [label.key for label in known] + [model_labels[index].key for index in extra]
    return label_set_of(tuple(keys)), columns + extra


def _check(
    probabilities: NDArray[np.float64], n: int, labels: LabelSet, rows: Samples, start: int
) -> None:
    if probabilities.shape != (n, len(labels)):
        raise ModelError(
            f"the model returned {probabilities.shape} for {n} faces and {len(labels)} classes; "
            "its card does not fit its network"
        )
    bad = _first_bad_row(probabilities)
    if bad is not None:
        raise ModelError(
            f"the model returned no probabilities for {rows.names[start + bad]} of {rows.source} "
            f"({probabilities[bad].round(3).tolist()}); export it again"
        )


def _first_bad_row(probabilities: NDArray[np.float64]) -> int | None:
    # Written so that NaN is bad.
    good = (probabilities >= 0).all(axis=1) & (
        np.abs(probabilities.sum(axis=1) - 1) <= _SUM_TOLERANCE
    )
    return None if good.all() else int(np.argmin(good))


def no_rows_words(samples: Samples, split: Split) -> str:
    """That a split has no rows, and which ones have how many, for an error."""
    there = samples.split_words()
    if not there:
        return f"{samples.source} has no split {split}, and no rows at all; name another source"
    return f"{samples.source} has no split {split}; measure one that has rows (--split): {there}"
