"""The scores of an evaluation as tables of text: for the terminal and for notebooks."""

from mien.evaluation.metrics import Evaluation
from mien.reports.classification_report import macro_average, weighted_average
from mien.reports.document import Table
from mien.reports.stress import stress_table
from mien.reports.wording import percent, percent_interval

__all__ = ["classes_table", "scores_table", "stress_table"]


def scores_table(evaluation: Evaluation) -> Table:
    """A line per score, with its interval where it has one."""
    unseen = "accuracy, unseen faces"
    rows = (
        ("accuracy", evaluation.accuracy, evaluation.accuracy_ci95),
        (unseen, evaluation.accuracy_unseen, evaluation.accuracy_unseen_ci95),
        ("balanced accuracy", evaluation.balanced_accuracy, evaluation.balanced_accuracy_ci95),
        ("macro F1", evaluation.macro_f1, evaluation.macro_f1_ci95),
        ("calibration error (ECE)", evaluation.ece, None),
        ("ECE, cross-fitted", evaluation.ece_cross_fitted, None),
    )
    return Table(
        ("score", "value", "95 % interval"),
        tuple((name, percent(value), percent_interval(ci95)) for name, value, ci95 in rows),
    )


def classes_table(evaluation: Evaluation) -> Table:
    """A line per class, and the two averages at the end."""
    rows = [
        (score.key, f"{score.support:,}", *map(percent, (score.precision, score.recall, score.f1)))
        for score in evaluation.per_class
    ]
    for name, mean in (
        ("macro average", macro_average(evaluation.per_class)),
        ("weighted average", weighted_average(evaluation.per_class)),
    ):
        ratios = map(percent, (mean.precision, mean.recall, mean.f1))
        rows.append((name, f"{evaluation.n:,}", *ratios))
    return Table(("class", "faces", "precision", "recall", "F1"), tuple(rows))
