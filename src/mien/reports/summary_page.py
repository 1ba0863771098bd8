"""The page about a summary: what people showed, with drawings and tables, in one file."""

from collections.abc import Sequence

from mien import pages
from mien.reports.interval_plot import STYLE, Mark, interval_plot
from mien.reports.summary_text import (
    ONSET,
    WRITTEN,
    display_name,
    group_names,
    headline,
    how_long,
    signed,
    title_of,
    who_counts,
    with_interval,
)
from mien.reports.wording import counted, percent, shown_names
from mien.summaries.summary import (
    LATENCY,
    MOST_DIFFERENCES_OF,
    ONSETS,
    PROBABILITY,
    SHARE,
    Summary,
)

_UNITS = {
    SHARE: "% of the time in which a person was seen",
    PROBABILITY: "% probability, mean over the time",
    ONSETS: "onsets per minute in which a person was seen",
    LATENCY: "seconds until the first onset",
}
_EXPLAINED = {
    SHARE: "How much of the time in which they were seen people showed each expression: the mean "
    "over persons. Small dots are the persons.",
    PROBABILITY: "The mean probability that the network gives each expression, whether it was "
    "shown or not: the mean over persons.",
    ONSETS: f"How often each expression began, per minute: the mean over persons. {ONSET}",
    LATENCY: "How long it took from the beginning of the video, or of the condition, to the first "
    "onset: the time by which half of the persons had begun to show each expression (median of "
    "Kaplan and Meier, so that whoever never did counts as well); a dash where fewer than half "
    "did.",
}
_FACES = {SHARE: "% of a person's faces"}
_MOST_SOURCES = 12
_SCALES = {SHARE: 100.0, PROBABILITY: 100.0, ONSETS: 1.0, LATENCY: 1.0}


def summary_page(summary: Summary, tables: Sequence[str]) -> str:
    """A page that stands alone.

    Args:
        summary: what it is about.
        tables: names of the tables that it was made from.
    """
    body = [_figures(summary), _how_to_read(summary)]
    measures = tuple(dict.fromkeys(one.measure for one in summary.values))
    body += [_measure(summary, measure) for measure in measures]
    if summary.baseline:
        body.append(_baseline(summary))
    if len(summary.groups) > 1:
        body.append(_differences(summary))
    names = [*tables[:_MOST_SOURCES], *(["..."] if len(tables) > _MOST_SOURCES else [])]
    body.append(pages.section("Made from", pages.paragraph(", ".join(names))))
    return pages.page("What faces showed", headline(summary), "".join(body), style=STYLE)


def _figures(summary: Summary) -> str:
    items = []
    names = group_names(summary)
    for group in summary.groups:
        seen = (
            f"seen for {how_long(group.seen)}"
            if summary.is_of_videos
            else counted(round(group.seen), "face")
        )
        items.append((names[group.key], counted(group.n_persons, "person"), seen))
    return pages.figures(items)


def _how_to_read(summary: Summary) -> str:
    texts = [
        "Numbers in brackets are 95 % intervals over persons, each of whom counts once however "
        "long they were seen: frames of one person are alike. They say how far other people of "
        "the same kind may differ, not how often the network is wrong. Expressions are what faces "
        "show, not what people feel."
    ]
    if who_counts(summary):
        texts.insert(0, who_counts(summary))
    fewest = min(group.n_persons for group in summary.groups)
    if fewest < 2:
        texts.append("With one person there is no interval.")
    elif fewest < 10:
        texts.append(
            f"A group has {fewest} persons only: its intervals rest on the assumption that "
            "persons differ as in a bell curve."
        )
    if summary.left_out:
        texts.append(
            f"{counted(len(summary.left_out), 'file')} of the tables left out, of which the "
            "conditions say nothing: "
            + ", ".join(shown_names(summary.left_out)[:_MOST_SOURCES])
            + (" ..." if len(summary.left_out) > _MOST_SOURCES else "")
        )
    texts += [f"{note}." for note in summary.notes]
    return "".join(map(pages.paragraph, texts))


def _measure(summary: Summary, measure: str) -> str:
    values = {(one.group, one.expression): one for one in summary.values if one.measure == measure}
    keys = [key for key in summary.label_keys if (summary.groups[0].key, key) in values]
    persons: dict[tuple[tuple[str, ...], str], list[float]] = {}
    for person in summary.persons:
        if person.measure == measure:
            persons.setdefault((person.group, person.expression), []).append(person.value)
    drawn = [
        (
            display_name(key, summary.label_keys),
            [
                Mark(values[group.key, key].estimate, tuple(persons[group.key, key]))
                for group in summary.groups
            ],
        )
        for key in keys
    ]
    names = list(group_names(summary).values())
    unit = _UNITS[measure] if summary.is_of_videos else _FACES.get(measure, "% probability, mean")
    header = ["expression"]
    for name in names:
        header += [name, "persons who showed it"] if measure != PROBABILITY else [name]
    rows = []
    for key in keys:
        cells = [display_name(key, summary.label_keys)]
        for group in summary.groups:
            value = values[group.key, key]
            cells.append(with_interval(value.estimate, WRITTEN[measure]))
            if measure != PROBABILITY:
                cells.append(f"{value.n_shown} of {group.n_persons}")
        rows.append(cells)
    return pages.section(
        title_of(measure, summary),
        pages.paragraph(_EXPLAINED[measure])
        + interval_plot(drawn, unit=unit, groups=names, scale=_SCALES[measure])
        + pages.table(header, rows),
    )


def _baseline(summary: Summary) -> str:
    text = (
        f"Baseline: {summary.baseline}. What a person showed in it is taken from what the "
        "same person showed outside of it; the mean of these deviations, over "
        "persons, is the last column. Deviations of shares and probabilities are in percentage "
        "points: from 20 % to 30 % is +10 points. The values above contain all time, as without "
        "a baseline."
    )
    if summary.n_without_baseline:
        text += (
            f" {counted(summary.n_without_baseline, 'person')} not seen in the baseline and "
            "without a deviation."
        )
    body = [pages.paragraph(text)]
    called = group_names(summary)
    for measure in dict.fromkeys(one.measure for one in summary.values):
        if measure == LATENCY:
            continue
        write = WRITTEN[measure]
        rows = [
            [
                *([called[group.key]] if len(summary.groups) > 1 else []),
                display_name(one.expression, summary.label_keys),
                *(with_interval(part, write) for part in (one.baseline, one.outside)),
                with_interval(one.deviation, signed(write)),
            ]
            for group in summary.groups
            for one in summary.values
            if one.group == group.key and one.measure == measure
        ]
        names = ["group"] if len(summary.groups) > 1 else []
        header = [*names, "expression", "in the baseline", "outside of it", "deviation"]
        body.append(pages.paragraph(title_of(measure, summary) + ":"))
        body.append(pages.table(header, rows, numeric_from=1 + len(names)))
    return pages.section("Deviations from the baseline", "".join(body))


def _differences(summary: Summary) -> str:
    if not summary.differences:
        text = f"More than {MOST_DIFFERENCES_OF} groups: too many pairs to compare."
        return pages.section("Differences between groups", pages.paragraph(text))
    names = group_names(summary)
    shares = [one for one in summary.differences if one.measure == SHARE]
    rows = [
        [
            f"{names[one.second]} less {names[one.first]}",
            display_name(one.expression, summary.label_keys),
            with_interval(one.estimate, signed(percent)),
            f"{one.estimate.n_persons}{' in both' if one.is_paired else ''}",
        ]
        for one in shares
    ]
    text = (
        f"{title_of(SHARE, summary)}, in percentage points. Persons who are in both groups are "
        "compared with themselves; where nobody is, Welch's interval compares the groups. An "
        "interval without 0 in it is a difference that chance alone makes in 5 of 100 "
        f"comparisons, and there are {len(rows)} here. differences.csv has the other measures."
    )
    header = ["difference", "expression", "mean", "persons"]
    return pages.section(
        "Differences between groups",
        pages.paragraph(text) + pages.table(header, rows, numeric_from=2),
    )
