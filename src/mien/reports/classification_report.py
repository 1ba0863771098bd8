"""Precision, recall and F1 of every class with their averages, also as text to paste.

The text has the form of scikit-learn's ``classification_report``, which people know and their
scripts read. It differs in one thing: a ratio of 0 / 0 is ``n/a`` instead of 0 with a warning,
and a class without faces does not count in the averages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mien.evaluation.metrics import ClassScore, Evaluation

_NUMBER = "{:>9}".format


@dataclass(frozen=True, slots=True)
class Averages:
    """Precision, recall and F1 averaged over the classes that have rows."""

    precision: float
    """Mean precision; a class that was never predicted counts as 0, as in scikit-learn."""
    recall: float
    """Mean recall."""
    f1: float
    """Mean F1."""


def macro_average(scores: Sequence[ClassScore]) -> Averages:
    """Averages in which every class that has rows has the same weight."""
    return _average(scores, [float(score.support > 0) for score in scores])


def weighted_average(scores: Sequence[ClassScore]) -> Averages:
    """Averages in which a class weighs as much as it has rows; the recall is the accuracy."""
    return _average(scores, [float(score.support) for score in scores])


def _average(scores: Sequence[ClassScore], weights: Sequence[float]) -> Averages:
    def mean(values: Sequence[float | None]) -> float:
        pairs = zip(values, weights, strict=True)
        return sum(weight * (value or 0.0) for value, weight in pairs) / sum(weights)

    return Averages(
        precision=mean([score.precision for score in scores]),
        recall=mean([score.recall for score in scores]),
        f1=mean([score.f1 for score in scores]),
    )


def classification_report(evaluation: Evaluation) -> str:
    """The classification report as text.

    Returns:
        A line per class with precision, recall, F1 and support, then the accuracy and the macro
        and weighted averages; four decimals, and ``n/a`` where there was nothing to measure.
    """
    scores, n = evaluation.per_class, evaluation.n
    averages = (
        ("macro avg", macro_average(scores)),
        ("weighted avg", weighted_average(scores)),
    )
    width = max(len("weighted avg"), *(len(score.key) for score in scores))

    def line(name: str, values: Sequence[float | None], support: int) -> str:
        cells = [_NUMBER("n/a" if value is None else f"{value:.4f}") for value in values]
        return f"{name:>{width}}  {' '.join(cells)} {support:>9}"

    titles = ("precision", "recall", "f1-score", "support")
    return "\n".join(
        [
            f"{'':{width}}  {' '.join(map(_NUMBER, titles))}",
            "",
            *(
                line(score.key, (score.precision, score.recall, score.f1), score.support)
                for score in scores
            ),
            "",
            f"{'accuracy':>{width}}  {_NUMBER('')} {_NUMBER('')} "
            f"{_NUMBER(f'{evaluation.accuracy:.4f}')} {n:>9}",
            *(line(name, (mean.precision, mean.recall, mean.f1), n) for name, mean in averages),
            "",
        ]
    )
