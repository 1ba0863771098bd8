"""What a report says of confidences: whether they are true, and what abstaining is worth.

Calibration first, as a threshold on confidences that are not true means little; then accuracy
by coverage, for those who choose a ``--min-confidence``.
"""

import math

from mien.evaluation.confidence import coverage_curve
from mien.evaluation.metrics import Evaluation
from mien.evaluation.predictions import Predictions
from mien.model.card import ModelCard
from mien.reports.document import Block, Plot, Table, Text
from mien.reports.plots import coverage_png, reliability_png
from mien.reports.wording import percent, points

_USUAL_COVERAGE = 0.8


def confidence_blocks(
    evaluation: Evaluation, predictions: Predictions, card: ModelCard
) -> tuple[Block, ...]:
    """The section on confidences.

    Args:
        evaluation: the numbers.
        predictions: the table that they come from.
        card: the measured model's card.
    """
    coverage = coverage_png(evaluation, coverage_curve(predictions))
    alt = "accuracy against confidence, and how many faces have which confidence"
    return (
        Text(_calibration(evaluation, card)),
        Plot("reliability.png", reliability_png(evaluation), alt, 520),
        Text(_abstaining(evaluation, predictions)),
        Plot("coverage.png", coverage, "accuracy against the part of faces answered", 560),
        _by_coverage(evaluation),
        Text("The same at round values of --min-confidence:"),
        _by_threshold(evaluation),
    )


def temperature_words(card: ModelCard) -> str:
    """A card's temperature, and where it comes from."""
    fitted = card.calibration
    if fitted is None:
        origin = "not fitted" if card.temperature == 1 else "the card does not say from where"
        return f"{card.temperature:.4g}, {origin}"
    return (
        f"{card.temperature:.4g}, fitted on {fitted.n:,} {fitted.split} faces of {fitted.source}: "
        f"{fitted.method}; NLL {fitted.nll_before:.4f} to {fitted.nll_after:.4f}, ECE "
        f"{percent(fitted.ece_before)} to {percent(fitted.ece_after)}, "
        f"cross-fitted {percent(fitted.ece_cross_fitted)}"
    )


def _calibration(evaluation: Evaluation, card: ModelCard) -> str:
    text = (
        f"Confidence and accuracy differ by {percent(evaluation.ece)} on average (ECE), with the "
        f"temperature of the model's card, {card.temperature:.4g}"
        f"{', which was fitted' if card.calibration else ''}. "
    )
    if evaluation.ece_cross_fitted is None:
        text += (
            "There is no cross-fitted value: no temperature can be fitted on these faces, or they "
            "are too few. "
        )
    else:
        text += (
            f"Cross-fitted it is {percent(evaluation.ece_cross_fitted)}: a temperature is fitted "
            "on four fifths of these faces and measured on the other fifth, five times over, so no "
            "face is measured at a temperature that it helped to fit. "
        )
    return text + (
        f"Chance alone gives even a perfectly calibrated network about "
        f"{percent(evaluation.ece_by_chance)} on {evaluation.n:,} faces."
    )


def _abstaining(evaluation: Evaluation, predictions: Predictions) -> str:
    text = (
        "A network that gives no answer below a threshold of confidence gives fewer answers, and "
        "more accurate ones. mien recognize --min-confidence takes such a threshold."
    )
    usual = next(
        (point for point in evaluation.coverage if point.coverage >= _USUAL_COVERAGE - 1e-9), None
    )
    if usual is not None and usual.coverage < 1:
        gain = 100 * (usual.accuracy - evaluation.accuracy)
        text += (
            f" Answering the most confident {percent(usual.coverage)} of the faces "
            f"(--min-confidence {_rounded(usual.threshold)}) gives an accuracy of "
            f"{percent(usual.accuracy)}, {abs(gain):.1f} points "
            f"{'more' if gain >= 0 else 'less'} than answering all."
        )
    if predictions.tta != "none":
        text += (
            " These confidences are means over a face and its mirror image; choose a threshold "
            "for faces without their mirror image from a report with --tta none."
        )
    return text


def _by_coverage(evaluation: Evaluation) -> Table:
    rows = tuple(
        (
            percent(point.coverage),
            percent(point.accuracy),
            points(point.accuracy - evaluation.accuracy),
            _rounded(point.threshold),
        )
        for point in reversed(evaluation.coverage)
    )
    return Table(
        ("faces answered", "accuracy on them", "gain, points", "--min-confidence"), rows, 0
    )


def _by_threshold(evaluation: Evaluation) -> Table:
    rows = tuple(
        (
            f"{row.threshold:g}",
            f"{row.n:,}",
            percent(row.coverage),
            percent(row.accuracy),
            points(None if row.accuracy is None else row.accuracy - evaluation.accuracy),
        )
        for row in evaluation.answered
    )
    header = ("--min-confidence", "faces answered", "part", "accuracy on them", "gain, points")
    return Table(header, rows, 0)


def _rounded(threshold: float) -> str:
    """A threshold with three decimals, rounded down so that it leaves out no face."""
    return f"{math.floor(1000 * threshold) / 1000:.3f}"
