"""The reports of `mien stress`, `mien groups` and `mien evaluate --groups` as a card's evidence.

A card keeps a table and a sentence of each; the report has the rest. A report of another file than
the card's is refused: what a neighbouring model does is no evidence.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mien.broken_text import what_is_broken
from mien.errors import ModelError
from mien.evaluation.group_columns import RECALL
from mien.model.evidence import Evidence
from mien.reports.group_words import (
    expression_words,
    measure_words,
    points_between,
    tied_words,
)
from mien.reports.wording import percent, percent_with, split_words

MAX_ROWS = 60
"""Groups of one column that go into a card; the report has them all."""


def is_report(values: object) -> bool:
    """Whether JSON values are those of a report, and not of evidence."""
    return isinstance(values, Mapping) and "model_sha256" in values


def evidence_of_report(values: Mapping[str, Any], sha256: str, file: str) -> tuple[Evidence, ...]:
    """What a report says of groups and of damaged pictures.

    Args:
        values: of ``stress.json``, ``groups.json`` or ``metrics.json``.
        sha256: hash of the model's file.
        file: the report's name, for messages.

    Raises:
        ModelError: it is of another model, says nothing of either, or is damaged.
    """
    if values["model_sha256"] != sha256:
        raise ModelError(
            f"{file} is the report of another model file (SHA-256 "
            f"{str(values['model_sha256'])[:12]}..., not {sha256[:12]}...); measure this one"
        )
    found: list[Evidence] = []
    try:
        if "kinds" in values:
            found.append(_stress(values, values))
        elif "stress" in values:
            found.append(_stress(values["stress"], values))
        if "by" in values:
            found += _groups(values, values, labels=False)
        elif "groups" in values:
            found += _groups(values["groups"], values, labels=True)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{file} is a damaged report: {what_is_broken(error)}; measure again"
        ) from error
    if not found:
        raise ModelError(
            f"{file} says nothing of groups or damaged pictures; make a report that does by "
            "mien evaluate --groups, mien groups or mien stress"
        )
    return tuple(found)


def _stress(part: Mapping[str, Any], report: Mapping[str, Any]) -> Evidence:
    kinds = sorted(part["kinds"].items(), key=lambda item: -float(item[1]["cost"]))
    rows = tuple(
        (
            str(name),
            percent(kind["accuracy"]),
            f"{100 * kind['cost']:.1f} ({100 * kind['cost_ci95'][0]:.1f} to "
            f"{100 * kind['cost_ci95'][1]:.1f})",
            f"{kind['worst_class']}, {percent(kind['worst_class_recall_clean'])} to "
            f"{percent(kind['worst_class_recall'])}",
        )
        for name, kind in kinds[:MAX_ROWS]
    )
    worst, kind = kinds[0]
    names = ", ".join(str(name) for name in part["kinds"])
    return Evidence(
        "disturbed pictures",
        f"{_faces(part, report)}, each with {len(kinds)} kinds of damage: {names}",
        f"Accuracy {percent(part['accuracy_clean'])} unharmed, {percent(part['accuracy'])} on "
        f"average over all kinds in five strengths. {str(worst).capitalize()} costs most, "
        f"{100 * kind['cost']:.1f} points.",
        ("damage", "mean accuracy", "cost, points", "recall falls most"),
        rows,
        **_origin(report),
    )


def _groups(part: Mapping[str, Any], report: Mapping[str, Any], *, labels: bool) -> list[Evidence]:
    found = []
    for column in part["by"]:
        # Reports of mien up to 0.1 have no row of the compared groups as one.
        together = column.get("together")
        n = sum(group["n"] for group in column["groups"] if not group["too_small"])
        if not n:
            continue  # groups that are too small were counted, not measured
        measures = list(part["all"]["scores"])[:_MEASURES]
        rows = [_group_row(group, measures) for group in column["groups"][:MAX_ROWS]]
        rows += [] if together is None else [_group_row(together, measures)]
        keys = part.get("labels", ())
        names = [
            measure_words(str(name), column["recall_classes"] if name == RECALL else (), keys)
            for name in measures
        ]
        what = "By" if labels else "Answers by"
        found.append(
            Evidence(
                "groups",
                f"{what} {column['column']}, {_faces(part, report, n)}"
                f"{'' if labels else ', without labels'}",
                _gaps(column["gaps"], keys, labels=labels),
                (str(column["column"]), "faces", *names),
                tuple(rows),
                **_origin(report),
            )
        )
    return found


_MEASURES = 5
"""Columns of a group's table; later ones are shares of answers."""


def _group_row(group: Mapping[str, Any], measures: Sequence[str]) -> tuple[str, ...]:
    row = (str(group["group"]), f"{group['n']:,}")
    if group["too_small"]:
        return (*row, "too small", *[""] * (len(measures) - 1))
    return (*row, *(_cell(group["scores"].get(measure)) for measure in measures))


def _cell(score: Mapping[str, Any] | None) -> str:
    if score is None or score["value"] is None:
        return percent(None)
    return percent_with(score["value"], score["ci95"] and tuple(score["ci95"]))


def _gaps(gaps: Sequence[Mapping[str, Any]], keys: Sequence[str], *, labels: bool) -> str:
    what = "gap" if labels else "alarm"
    recall = next((bool(gap["found"]) for gap in gaps if gap["measure"] == RECALL), None)
    named = [_gap(gap, keys, recall) for gap in gaps if gap["found"]]
    if not gaps:
        said = "Nothing was compared: one group alone has enough faces."
    elif named:
        said = f"Found, with Holm's correction: {' '.join(named)}"
    else:
        said = f"No {what} was found; that does not prove that there is none."
    return said if labels else f"{said} Without labels a difference is an alarm, not an error."


def _gap(gap: Mapping[str, Any], keys: Sequence[str], is_recall_found: bool | None) -> str:
    lows, highs = (gap.get(f"{end}s") or [gap[end]] for end in ("low", "high"))
    ends = gap.get("low_value"), gap.get("high_value")
    by = f"{100 * gap['gap']:.1f}" if None in ends else points_between(*map(float, ends))  # type: ignore[arg-type]
    mixed = expression_words(
        gap["measure"], float(gap["gap"]), gap.get("of_expressions"), is_recall_found
    )
    name = measure_words(str(gap["measure"]), gap.get("classes", ()), keys)
    said = (
        f"{name[:1].upper()}{name[1:]}, {tied_words(lows)} to {tied_words(highs)}, by {by} points."
    )
    return f"{said} {mixed}" if mixed else said


def _faces(part: Mapping[str, Any], report: Mapping[str, Any], n: int | None = None) -> str:
    """Which faces were measured, and how many: those that a table is about, out of all."""
    number = part.get("n", report.get("n"))
    part_of = "" if n in (None, number) else f"{n:,} of the "
    faces = f"{part_of}{number:,} faces"
    split = f" {report['split']}" if "split" in report else ""
    return f"{faces} of {split_words(str(report['source']) + split)}"


def _origin(report: Mapping[str, Any]) -> dict[str, str]:
    names = {"measured_by": "command", "data_sha256": "data_sha256", "commit": "commit"}
    return {name: str(report.get(key) or "") for name, key in names.items()}
