"""How much accuracy each kind of damage costs: one curve, one number and the worst class each.

The number of a kind is the mean accuracy over its five strengths, as in ImageNet-C, and what it
costs against the same faces unharmed. Both are means over the same faces, so the interval of the
cost is paired: faces are weighted together (Bayesian bootstrap; Rubin, The Annals of Statistics 9,
1981).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.bootstrap import Interval
from mien.evaluation.corruptions import CORRUPTIONS, Corruption, bounded
from mien.evaluation.group_measures import Mean
from mien.evaluation.predictions import BATCH_FACES, Predictions
from mien.labels import LabelSet
from mien.samples import Image, Images

FEWEST_OF_CLASS = 30
"""Faces that a class must have for it to be called the one whose recall falls most."""


@dataclass(frozen=True, slots=True)
class StressPoint:
    """A kind at one strength."""

    strength: float
    """In the kind's unit."""
    accuracy: float
    """Top-1 accuracy, in [0, 1]."""
    confidence: float
    """Mean confidence; above the accuracy where the network does not notice the damage."""
    recalls: tuple[float | None, ...]
    """Recall of each class; None where it has no faces."""


@dataclass(frozen=True, slots=True)
class StressHalf:
    """What a kind costs the half of the faces that it is done to in one of two ways."""

    name: str
    """What becomes of them: of brightness, ``darker``."""
    n: int
    """Faces."""
    cost: float
    """Their accuracy unharmed less the mean over the strengths."""
    cost_ci95: Interval
    """95 % interval of it, paired."""


@dataclass(frozen=True, slots=True)
class StressCurve:
    """One kind of damage."""

    name: str
    """The kind."""
    unit: str
    """What its strengths are."""
    points: tuple[StressPoint, ...]
    """From mild to severe."""
    accuracy: float
    """Mean over the strengths."""
    accuracy_ci95: Interval
    """95 % interval of it."""
    cost: float
    """Accuracy of the unharmed faces less this mean."""
    cost_ci95: Interval
    """95 % interval of it, paired."""
    worst_class: str
    """Key of the class whose recall falls most, of those with at least
    `FEWEST_OF_CLASS` faces."""
    worst_class_recalls: tuple[float, float]
    """Its recall unharmed, and its mean over the strengths."""
    halves: tuple[StressHalf, ...] = ()
    """What it costs in either of two ways; empty where there is one, or too few faces."""


@dataclass(frozen=True, slots=True)
class Stress:
    """What every kind of damage costs."""

    n: int
    """Faces."""
    clean: StressPoint
    """The unharmed faces, at strength 0."""
    clean_ci95: Interval
    """95 % interval of their accuracy."""
    curves: tuple[StressCurve, ...]
    """A curve per kind."""
    label_set: LabelSet
    """The classes, in the order of the recalls."""
    seed: int
    """Of all chance."""

    @property
    def accuracy(self) -> float:
        """Mean over all kinds and strengths."""
        return float(np.mean([curve.accuracy for curve in self.curves]))


def stress_test(
    probabilities_of: Callable[[Iterable[Image]], NDArray[np.float64]],
    predictions: Predictions,
    images: Images,
    model_labels: LabelSet,
    *,
    kinds: tuple[Corruption, ...] = CORRUPTIONS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Stress:
    """Classify damaged copies of faces.

    Args:
        probabilities_of: takes uint8 faces (H, W) or (H, W, 3), gives float (n, model classes).
        predictions: what was said of the faces unharmed, which gives the labels; its
            probabilities are not used.
        images: the faces, in the same order.
        model_labels: the model's classes, in the order of its outputs.
        kinds: what is done to them.
        seed: of all chance.
        progress: called with (classifications done, all of them).

    Raises:
        ImageError, DatasetError: a face's file is damaged.
    """
    columns = [model_labels.index(key) for key in predictions.label_set.keys]
    n = len(predictions)
    n_variants = 1 + sum(len(kind.strengths) for kind in kinds)
    predicted = np.empty((n_variants, n), np.int64)
    confidence = np.empty((n_variants, n))
    done = 0
    # All variants of some faces before the next: every file is decoded once.
    for start in range(0, n, BATCH_FACES):
        rows = range(start, min(start + BATCH_FACES, n))
        faces = [bounded(images[row]) for row in rows]
        for variant, changed in enumerate(_variants(faces, rows, kinds, seed)):
            probabilities = probabilities_of(changed)[:, columns]
            predicted[variant, start : rows.stop] = probabilities.argmax(axis=1)
            confidence[variant, start : rows.stop] = probabilities.max(axis=1)
            done += len(rows)
            if progress is not None:
                progress(done, n_variants * n)
    return _summed(predictions, predicted, confidence, kinds, seed)


def _variants(
    faces: list[Image], rows: range, kinds: tuple[Corruption, ...], seed: int
) -> Iterable[list[Image]]:
    yield faces
    for kind in kinds:
        for strength in kind.strengths:
            yield [
                kind.apply(face, strength, row, seed) for row, face in zip(rows, faces, strict=True)
            ]


def _summed(
    predictions: Predictions,
    predicted: NDArray[np.int64],
    confidence: NDArray[np.float64],
    kinds: tuple[Corruption, ...],
    seed: int,
) -> Stress:
    labels, classes = predictions.labels, predictions.label_set
    correct = predicted == labels

    def point(variant: int, strength: float) -> StressPoint:
        right = correct[variant]
        recalls = tuple(
            float(right[labels == index].mean()) if (labels == index).any() else None
            for index in range(len(classes))
        )
        mean = float(confidence[variant].mean())
        return StressPoint(strength, float(right.mean()), mean, recalls)

    clean = point(0, 0.0)
    rows = np.arange(len(labels))
    curves = []
    first = 1
    for kind in kinds:
        last = first + len(kind.strengths)
        points = tuple(
            point(variant, float(strength))
            for variant, strength in zip(range(first, last), kind.strengths, strict=True)
        )
        share = correct[first:last].mean(axis=0)
        cost = correct[0] - share
        worst, recalls = _worst(clean, points, np.bincount(labels, minlength=len(classes)))
        accuracy, lost = Mean("accuracy", share), Mean("cost", cost)
        curves.append(
            StressCurve(
                name=kind.name,
                unit=kind.unit,
                points=points,
                accuracy=float(share.mean()),
                accuracy_ci95=accuracy.ci95(rows, np.random.default_rng(seed)),
                cost=float(cost.mean()),
                cost_ci95=lost.ci95(rows, np.random.default_rng(seed)),
                worst_class=classes.keys[worst],
                worst_class_recalls=recalls,
                halves=_halves(kind, cost, seed),
            )
        )
        first = last
    unharmed = Mean("accuracy", correct[0].astype(np.float64))
    interval = unharmed.ci95(rows, np.random.default_rng(seed))
    return Stress(len(labels), clean, interval, tuple(curves), classes, seed)


def _halves(kind: Corruption, cost: NDArray[np.float64], seed: int) -> tuple[StressHalf, ...]:
    if kind.halves is None:
        return ()
    half = np.array([kind.half(row, seed) for row in range(len(cost))])
    found = []
    for number, name in enumerate(kind.halves):
        rows = np.flatnonzero(half == number)
        if not len(rows):
            return ()
        interval = Mean("cost", cost).ci95(rows, np.random.default_rng(seed))
        found.append(StressHalf(name, len(rows), float(cost[rows].mean()), interval))
    return tuple(found)


def _worst(
    clean: StressPoint, points: tuple[StressPoint, ...], counts: NDArray[np.int64]
) -> tuple[int, tuple[float, float]]:
    """The class whose recall falls most, and its recall before and, on average, after; of those
    that have enough of the faces, where any has."""
    enough = counts >= min(FEWEST_OF_CLASS, counts.max())
    best = 0, (0.0, 0.0)
    largest = -np.inf
    for index, before in enumerate(clean.recalls):
        if before is None or not enough[index]:
            continue
        after = float(np.mean([point.recalls[index] for point in points]))
        if before - after > largest:
            largest = before - after
            best = index, (before, after)
    return best
