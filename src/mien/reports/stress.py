"""What a report says of damaged faces."""

import csv
import io
from dataclasses import asdict
from typing import Any

from mien.evaluation.bootstrap import Interval
from mien.evaluation.corruptions import CORRUPTIONS
from mien.evaluation.stress import FEWEST_OF_CLASS, Stress, StressCurve
from mien.reports.document import Plot, Section, Table, Text
from mien.reports.parts import ReportPart
from mien.reports.stress_plot import stress_faces_png, stress_png
from mien.reports.wording import percent
from mien.samples import Image

STRESS_FILES = ("stress.csv", "stress.png", "stress_faces.png")
"""Files that stress adds to a folder."""


def stress_part(stress: Stress, example: Image) -> ReportPart:
    """Stress as a part of a report.

    Args:
        stress: the numbers.
        example: a face that is shown in every strength, uint8 (H, W) or (H, W, 3).

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    alt = "accuracy and mean confidence against the strength of each kind of damage"
    shown = "one face in every kind of damage, from mild to severe"
    section = Section(
        "Stress",
        (
            *map(Text, stress_lines(stress)),
            stress_table(stress),
            Plot("stress.png", stress_png(stress), alt, 920),
            Plot("stress_faces.png", stress_faces_png(example, stress.seed), shown, 620),
            Text(_HOW),
        ),
    )
    return ReportPart("stress", stress_json(stress), (section,), {"stress.csv": stress_csv(stress)})


_HOW = (
    "Each kind of damage has five strengths, after ImageNet-C (Hendrycks and Dietterich, 2019). "
    "Its number is the mean accuracy over them; the cost is what that is below the accuracy on the "
    "same faces unharmed, with a paired 95 % interval. What can be done in two ways is done in one "
    "of them to each face, by chance. The class named is the one whose recall "
    f"falls most, of those with at least {FEWEST_OF_CLASS} faces. A dash on the axis of "
    "strengths stands for no damage. A dashed line of confidence above the line of accuracy means "
    "that the network does not notice the damage. The faces are cut out already, so where a "
    "shifted or larger box would show more of the photo, the edge is repeated; and a detector may "
    "find no face where these still are classified."
)


def stress_lines(stress: Stress) -> list[str]:
    """What was found, in words."""
    worst = max(stress.curves, key=lambda curve: curve.cost)
    least = min(stress.curves, key=lambda curve: curve.cost)
    severe = min(stress.curves, key=lambda curve: curve.points[-1].accuracy)
    low, high = stress.clean_ci95
    lines = [
        f"On {stress.n:,} faces the accuracy is {percent(stress.clean.accuracy)} unharmed "
        f"({100 * low:.1f} to {100 * high:.1f}) and "
        f"{percent(stress.accuracy)} on average over {len(stress.curves)} kinds of damage in five "
        f"strengths. {worst.name.capitalize()} costs most, {100 * worst.cost:.1f} points, "
        f"{least.name} least, {100 * least.cost:.1f}. The lowest accuracy at the last strength is "
        f"{percent(severe.points[-1].accuracy)}, with {severe.name}."
    ]
    halves = [_in_halves(curve) for curve in stress.curves if curve.halves]
    return [
        *lines,
        *([f"Costs of the two ways, in points: {'; '.join(halves)}."] if halves else []),
    ]


def _in_halves(curve: StressCurve) -> str:
    """What the two ways of one kind cost."""
    costs = (f"{half.name} {_points(half.cost, half.cost_ci95)}" for half in curve.halves)
    return f"{curve.name}: {', '.join(costs)}"


def _points(cost: float, interval: Interval) -> str:
    """A cost with its interval, in percentage points."""
    return f"{100 * cost:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def stress_table(stress: Stress) -> Table:
    """A line per kind, the costliest first; accuracies in percent, by strength."""
    rows = []
    for curve in sorted(stress.curves, key=lambda curve: -curve.cost):
        before, after = curve.worst_class_recalls
        strengths = [f"{100 * point.accuracy:.1f}" for point in curve.points]
        rows.append(
            (
                curve.name,
                *strengths,
                f"{100 * curve.accuracy:.1f}",
                _points(curve.cost, curve.cost_ci95),
                f"{curve.worst_class}, {100 * before:.0f} to {100 * after:.0f}",
            )
        )
    n = len(stress.curves[0].points)
    numbers = ["% at 1", *map(str, range(2, n + 1))]
    header = ("damage", *numbers, "mean", "cost, points", "recall falls most, %")
    return Table(header, tuple(rows))


def stress_json(stress: Stress) -> dict[str, Any]:
    """Every number, JSON-ready."""
    keys = stress.label_set.keys
    strengths = {kind.name: kind.strengths for kind in CORRUPTIONS}
    return {
        "n": stress.n,
        "accuracy_clean": stress.clean.accuracy,
        "accuracy_clean_ci95": stress.clean_ci95,
        "accuracy": stress.accuracy,
        "seed": stress.seed,
        "kinds": {
            curve.name: {
                "unit": curve.unit,
                "strengths": strengths.get(curve.name, ()),
                "accuracy": curve.accuracy,
                "accuracy_ci95": curve.accuracy_ci95,
                "cost": curve.cost,
                "cost_ci95": curve.cost_ci95,
                "worst_class": curve.worst_class,
                "worst_class_recall_clean": curve.worst_class_recalls[0],
                "worst_class_recall": curve.worst_class_recalls[1],
                "halves": [asdict(half) for half in curve.halves],
                "curve": [
                    asdict(point) | {"recalls": dict(zip(keys, point.recalls, strict=True))}
                    for point in curve.points
                ],
            }
            for curve in stress.curves
        },
    }


def stress_csv(stress: Stress) -> str:
    """One line per kind and strength: damage, unit, strength, accuracy, confidence, recalls."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    keys = [f"recall_{key}" for key in stress.label_set.keys]
    writer.writerow(["damage", "unit", "strength", "accuracy", "confidence", *keys])
    lines = [("none", "", stress.clean)]
    lines += [(curve.name, curve.unit, point) for curve in stress.curves for point in curve.points]
    for name, unit, point in lines:
        recalls = ["" if recall is None else recall for recall in point.recalls]
        writer.writerow([name, unit, point.strength, point.accuracy, point.confidence, *recalls])
    return stream.getvalue()
