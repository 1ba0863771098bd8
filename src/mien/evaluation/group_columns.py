"""What is asked of every group: errors where there are labels, alarms where there are none.

An alarm is a difference in what the network does, such as one group's faces being called angry
more often. It may be an error, and it may be that these faces show it more often; without labels
nobody can tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.group_calibration import ExpectedCalibrationError
from mien.evaluation.group_measures import (
    MacroRecall,
    Mean,
    Measure,
    Share,
    shared_classes,
)
from mien.evaluation.predictions import Predictions
from mien.labels import LabelSet

ACCURACY, RECALL, ECE = "accuracy", "macro recall", "ECE beyond chance"
UNCERTAIN, NOT_FOUND = "share uncertain", "face not found"
CONFIDENCE, MIRROR = "mean confidence", "mirror image disagrees"
ANSWERED = "answered "
"""Before the key of a class: the part of the faces that are said to show it."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a network says of faces without labels."""

    names: tuple[str, ...]
    """Where each face comes from."""
    probabilities: NDArray[np.float64]
    """The network's probabilities, (n, classes); NaN where there is no face to be asked about."""
    mirrored: NDArray[np.float64]
    """The same for the mirror images."""
    label_set: LabelSet
    """The classes, in the order of the columns."""
    missed: NDArray[np.bool_] | None
    """Pictures in which no face was found, (n,); None where none was searched."""

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Of which there is an answer, (n,)."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1))

    def __len__(self) -> int:
        return len(self.names)


def error_measures(
    predictions: Predictions,
    missed: NDArray[np.bool_] | None,
    min_confidence: float,
    classes: tuple[int, ...],
) -> list[Measure]:
    """What is measured of faces with labels.

    Args:
        predictions: what a network said of them.
        missed: pictures in which no face was found, (n,); None where none was searched.
        min_confidence: confidence below which a face is uncertain.
        classes: the classes in the macro recall.
    """
    keys = tuple(predictions.label_set.keys[index] for index in classes)
    labels = predictions.labels
    measures: list[Measure] = [
        Share(ACCURACY, predictions.correct, "high", labels=labels),
        MacroRecall(RECALL, labels, predictions.correct, classes, keys),
        ExpectedCalibrationError(ECE, predictions.confidence, predictions.correct),
        Share(UNCERTAIN, predictions.confidence < min_confidence, "low", labels=labels),
    ]
    if missed is not None:
        measures.append(Share(NOT_FOUND, missed, "low", labels=labels))
    return measures


def alarm_measures(answers: Answers, min_confidence: float) -> list[Measure]:
    """What is measured of faces without labels.

    Args:
        answers: what a network says of them; those without an answer count in `NOT_FOUND` alone.
        min_confidence: confidence below which a face is uncertain.
    """
    answered = answers.answered
    among = None if answered.all() else answered
    confidence = np.where(answered, answers.probabilities.max(axis=1), 0.0)
    predicted = np.where(answered, answers.probabilities.argmax(axis=1), -1)
    mirrored = np.where(answered, answers.mirrored.argmax(axis=1), -1)
    measures: list[Measure] = [
        Share(UNCERTAIN, confidence < min_confidence, "low", among),
        Mean(CONFIDENCE, confidence, "neither", among),
        Share(MIRROR, predicted != mirrored, "low", among),
    ]
    if answers.missed is not None:
        measures.append(Share(NOT_FOUND, answers.missed, "low"))
    measures += [
        Share(f"{ANSWERED}{key}", predicted == index, "neither", among)
        for index, key in enumerate(answers.label_set.keys)
    ]
    return measures


def recall_classes(
    predictions: Predictions, codes: NDArray[np.int64], compared: Sequence[int]
) -> tuple[int, ...]:
    """The classes that the macro recall of some groups averages over."""
    return shared_classes(predictions.labels, codes, compared, len(predictions.label_set))
