"""What a report says of groups: tables, gaps with their tests, and words that do not overclaim."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mien.data.groups import MAX_BREAKDOWNS
from mien.evaluation.compare import SIGNIFICANCE
from mien.evaluation.group_columns import ANSWERED, RECALL
from mien.evaluation.group_measures import CLASS_ROWS
from mien.evaluation.groups import (
    PERMUTATIONS,
    TOGETHER,
    TOO_SMALL,
    Breakdown,
    Gap,
    Group,
    Grouped,
    Score,
)
from mien.reports.document import Block, Plot, Section, Table, Text
from mien.reports.group_words import (
    expression_words,
    measure_words,
    points_between,
    tied_words,
)
from mien.reports.groups_plot import groups_drawing, groups_png
from mien.reports.parts import ReportPart
from mien.reports.wording import UNKNOWN, percent, percent_with

GROUPS_CSV = "groups.csv"
GROUP_FILES = (GROUPS_CSV, *(f"groups_{number + 1}.png" for number in range(MAX_BREAKDOWNS)))
"""Files that groups add to a folder."""

_SMALLEST_P = 0.0001


def groups_part(grouped: Grouped, *, alarms: bool = False) -> ReportPart:
    """The groups as a part of a report.

    Args:
        grouped: the numbers.
        alarms: the faces have no labels, so nothing is an error.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    sections = [Section("Groups", tuple(map(Text, group_lines(grouped, alarms=alarms))))]
    for number, part in enumerate(grouped.breakdowns, start=1):
        blocks: list[Block] = [*group_tables(grouped, part)]
        if any(not group.is_too_small for group in part.groups):
            plot = Plot(
                f"groups_{number}.png",
                groups_png(grouped, part),
                f"each measure by {part.title}, with 95 % intervals",
                920,
                groups_drawing(grouped, part),
            )
            blocks.insert(0, plot)
        sections.append(Section(f"By {part.title}", (*map(Text, _part_lines(part)), *blocks)))
    sections.append(Section("How to read the groups", tuple(map(Text, _guide(alarms)))))
    return ReportPart(
        "groups", groups_json(grouped), tuple(sections), {GROUPS_CSV: groups_csv(grouped)}
    )


def group_lines(grouped: Grouped, *, alarms: bool = False) -> list[str]:
    """What was found, in words, the surest first; and what a reader must know beside it."""
    n_tests = sum(len(part.gaps) for part in grouped.breakdowns)
    what = "alarm" if alarms else "gap"
    parts = {part.title: part for part in grouped.breakdowns}
    lines = [_found_line(grouped, parts[title], gap) for title, gap in grouped.found]
    if not n_tests:
        lines.append(
            f"Nothing was compared: no column has two groups of at least {TOO_SMALL} faces."
        )
    elif not lines:
        lines.append(
            f"No {what} was found: none of {n_tests} differences is larger than chance makes it "
            f"in 5 of 100 cases (permutation tests, Holm's correction). That does not prove that "
            "there is none."
        )
    if alarms:
        lines.append(
            "These faces have no labels. A difference is an alarm, not an error: a group's faces "
            "may show other expressions. Labels decide; mien evaluate --groups measures with them."
        )
    return [*lines, *grouped.notes]


def group_tables(grouped: Grouped, part: Breakdown) -> list[Table]:
    """The groups of one breakdown and the gaps between them; answers have their own table."""
    names = [score.measure for score in grouped.everyone.scores]
    own = [name for name in names if not name.startswith(ANSWERED)]
    answers = [name for name in names if name.startswith(ANSWERED)]
    tables = [_scores_table(grouped, part, own)]
    if answers:
        tables.append(_scores_table(grouped, part, answers, short=True))
    if part.gaps:
        is_labelled = any(gap.of_expressions is not None for gap in part.gaps)
        header = [name for name in _GAP_HEADER if is_labelled or name != _OF_EXPRESSIONS]
        rows = tuple(_gap_row(grouped, gap, is_labelled) for gap in part.gaps)
        tables.append(Table(tuple(header), rows, 3))
    return tables


_OF_EXPRESSIONS = "by expressions"
_GAP_HEADER = (
    *("largest gap in", "lowest", "highest"),
    *("points", "by chance", _OF_EXPRESSIONS, "p", "p (Holm)", "found"),
)


def _gap_row(grouped: Grouped, gap: Gap, is_labelled: bool) -> tuple[str, ...]:
    mixed = "" if gap.of_expressions is None else f"{100 * gap.of_expressions:.1f}"
    return (
        measure_words(gap.measure, gap.classes, grouped.labels),
        *_ends(gap),
        points_between(gap.low_value, gap.high_value),
        f"{100 * gap.by_chance:.1f}",
        *([mixed] if is_labelled else []),
        p_words(gap.p),
        p_words(gap.p_holm),
        "yes" if gap.is_found else "no",
    )


def _ends(gap: Gap) -> list[str]:
    """The groups at both ends of a gap; which is the worst one, where there is one."""
    if gap.lows == gap.highs:
        return ["all alike", "all alike"]
    # The worst of groups that may be alike, or only show other expressions, is nobody's business.
    worst = gap.worst_ones if gap.is_found and not gap.is_of_expressions else ()
    ends = ((gap.lows, "low"), (gap.highs, "high"))
    marked = {"high": "low", "low": "high"}.get(gap.better) if worst else None
    return [f"{tied_words(names)}{' (worst)' if end == marked else ''}" for names, end in ends]


def _scores_table(
    grouped: Grouped, part: Breakdown, measures: Sequence[str], *, short: bool = False
) -> Table:
    classes = part.classes_of
    header = [
        name.removeprefix(ANSWERED) if short else measure_words(name, classes(name), grouped.labels)
        for name in measures
    ]
    rows = [_group_row(group, measures, short) for group in _with_together(part)]
    title = f"{part.title}: answers" if short else part.title
    return Table((title, "faces", *header), tuple(rows))


def _group_row(group: Group, measures: Sequence[str], short: bool) -> tuple[str, ...]:
    if group.is_too_small:
        return (group.name, f"{group.n:,}", "too small", *[""] * (len(measures) - 1))
    scores = {score.measure: score for score in group.scores}
    cells = [_cell(scores.get(name), short) for name in measures]
    return (group.name, f"{group.n:,}", *cells)


def _cell(score: Score | None, short: bool) -> str:
    if score is None or score.value is None:
        return UNKNOWN
    said = percent_with(score.value, score.ci95).replace(" to ", "\N{EN DASH}")
    return percent(score.value) if short else said


def _found_line(grouped: Grouped, part: Breakdown, gap: Gap) -> str:
    worst = tied_words(gap.worst_ones)
    is_worse = worst and not gap.is_of_expressions
    recall = part.gap_in(RECALL)
    mixed = expression_words(
        gap.measure, gap.gap, gap.of_expressions, None if recall is None else recall.is_found
    )
    return (
        f"{part.title}: {measure_words(gap.measure, gap.classes, grouped.labels)} differs, from "
        f"{tied_words(gap.lows)} (lowest) to {tied_words(gap.highs)} (highest) by "
        f"{points_between(gap.low_value, gap.high_value)} points"
        f"{f'; worst: {worst}' if is_worse else ''}. {mixed}{' ' if mixed else ''}"
        f"Chance alone makes gaps of about {100 * gap.by_chance:.1f} points here; "
        f"p = {p_words(gap.p_holm)} after Holm's correction."
    )


def p_words(p: float) -> str:
    """A p value with as many digits as mean something."""
    return f"{_SMALLEST_P:.4f}" if p <= _SMALLEST_P else f"{p:.2g}" if p < 0.995 else "1.0"


def _part_lines(part: Breakdown) -> list[str]:
    lines = []
    small = [group for group in part.groups if group.is_too_small]
    if small:
        names = ", ".join(f"{group.name} ({group.n})" for group in small[:8])
        more = f" and {len(small) - 8} more" if len(small) > 8 else ""
        lines.append(
            f"Too small to be estimated, under {TOO_SMALL} faces: {names}{more}. They are in no "
            "figure, no gap and no test."
        )
    if part.n_unknown:
        lines.append(f"Of {part.n_unknown:,} faces the group is not known.")
    has_recall = any(gap.measure == RECALL for gap in part.gaps)
    if has_recall:
        lines.append(
            f"Macro recall averages over the {len(part.recall_classes)} classes of which every "
            f"compared group has at least {CLASS_ROWS} faces: {', '.join(part.recall_classes)}."
        )
    elif part.gaps and any(score.measure == RECALL for score in part.together.scores):
        lines.append(
            f"No class has at least {CLASS_ROWS} faces in every compared group, so there is no "
            "macro recall to compare."
        )
    return lines


def _guide(alarms: bool) -> list[str]:
    first = (
        "Answers are the shares of faces that the network says show each expression. A face whose "
        "mirror image gets another answer is one on which the network wavers; a face that is not "
        "found gets no answer from a photo."
        if alarms
        else "Accuracy depends on which expressions a group's faces show, as some are easier. "
        "Macro recall does not: it weighs every class alike, and its test deals faces out within "
        "each class. By expressions is what would be left of a gap if each class were read alike "
        "in all groups. Where that is most of it, no group is called the worst."
    )
    return [
        first,
        _TOGETHER,
        "Intervals are bootstrap intervals of 95 % (Bayesian bootstrap; for the ECE by inverting "
        "its test). They hold each by itself. That two intervals overlap does not show that two "
        "groups are alike.",
        f"The test divides the faces {PERMUTATIONS:,} times at random into groups of the same "
        "sizes and asks how often these differ as much as the real ones, each group's value "
        "standardised by what chance makes of it. The gap by chance is their median. The largest "
        "of many gaps is too large by chance; so p is corrected for all tests of this report "
        f"(Holm, 1979), and a gap counts as found below {SIGNIFICANCE}.",
        *([] if alarms else [_ECE]),
        "Faces count one by one. Where one person has many faces, the intervals are too narrow. "
        "And a group is what the file says: whoever assigned it may have erred.",
    ]


_ECE = (
    "The expected calibration error (ECE) of few faces is too large by chance. ECE beyond chance "
    "is the true one for which half of such measurements would be larger. Its test compares the "
    "measured ones, which chance makes larger in smaller groups, less what chance adds to each. "
    "Groups that are too sure and groups that are not sure enough make up for each other in the "
    f"row {TOGETHER!r}, so that it may be below all of them."
)
_TOGETHER = (
    f"The row {TOGETHER!r}, and the dashed line in the figure, are the faces of the compared "
    "groups as one, measured over the same classes. Faces in no group, and in groups that are too "
    "small, are not in it."
)


def groups_json(grouped: Grouped) -> dict[str, Any]:
    """Every number of the groups, JSON-ready."""
    return {
        "min_confidence": grouped.min_confidence,
        "detector": grouped.detector,
        "too_small_below": TOO_SMALL,
        "permutations": PERMUTATIONS,
        "labels": grouped.labels,
        "all": _group_json(grouped.everyone),
        "by": [
            {
                "column": part.title,
                "n_unknown": part.n_unknown,
                "recall_classes": part.recall_classes,
                "groups": [_group_json(group) for group in part.groups],
                "together": _group_json(part.together),
                "gaps": [_gap_json(gap) for gap in part.gaps],
            }
            for part in grouped.breakdowns
        ],
        "notes": grouped.notes,
    }


def _gap_json(gap: Gap) -> dict[str, Any]:
    chosen = {"measure": gap.measure, "low": gap.low, "high": gap.high, "worst": gap.worst}
    return chosen | {"gap": gap.gap} | asdict(gap) | {"found": gap.is_found}


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "group": group.name,
        "n": group.n,
        "too_small": group.is_too_small,
        "scores": {
            score.measure: {"value": score.value, "ci95": score.ci95}
            | ({"classes": score.classes} if score.classes else {})
            for score in group.scores
        },
    }


def groups_csv(grouped: Grouped) -> str:
    """One line per group and measure: column, group, n, measure, value, ci95_low, ci95_high,
    classes, which are the keys of those that a macro recall averages over."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["column", "group", "n", "measure", "value", "ci95_low", "ci95_high", "classes"]
    )
    for title, groups in (
        ("", (grouped.everyone,)),
        *((part.title, _with_together(part)) for part in grouped.breakdowns),
    ):
        for group in groups:
            if group.is_too_small:
                writer.writerow([title, group.name, group.n, "", "", "", "", ""])
            for score in group.scores:
                low, high = score.ci95 or ("", "")
                value = "" if score.value is None else score.value
                names = " ".join(score.classes)
                row = [title, group.name, group.n, score.measure, value, low, high, names]
                writer.writerow(row)
    return stream.getvalue()


def _with_together(part: Breakdown) -> tuple[Group, ...]:
    """The groups, and where some were compared, all of these as one."""
    return (*part.groups, part.together) if part.together.n else part.groups
