"""A summary's numbers as text, for the terminal and for the page."""

import math
import re
from collections.abc import Callable, Sequence

from mien.labels import UNCERTAIN, label_set_of
from mien.reports.document import Table
from mien.reports.wording import counted, percent, shown_names
from mien.summaries.intervals import Estimate
from mien.summaries.persons import SOURCE, TRACK
from mien.summaries.summary import LATENCY, ONSETS, PROBABILITY, SHARE, GroupValue, Summary

TITLES = {
    SHARE: "Share of time",
    PROBABILITY: "Mean probability",
    ONSETS: "Onsets per minute",
    LATENCY: "Latency to the first onset",
}
"""What the measures are called; of photos, shares are of faces."""

ONSET = (
    "Onset: a face in view begins to show an expression that it did not show just before. What it "
    "shows when it comes into view has no onset, as nobody saw it begin; so an expression may have "
    "a share of the time and no onset."
)
"""What an onset is."""


def plain(value: float) -> str:
    """A number of onsets."""
    return f"{value:.2f}"


def seconds(value: float) -> str:
    """A time."""
    return f"{value:.1f} s"


WRITTEN: dict[str, Callable[[float], str]] = {
    SHARE: percent,
    PROBABILITY: percent,
    ONSETS: plain,
    LATENCY: seconds,
}
"""How a value of each measure is written."""


_UNIT = re.compile(" (%|s|points)$")


def title_of(measure: str, summary: Summary) -> str:
    """What a measure is called in a summary."""
    return TITLES[measure] if summary.is_of_videos or measure != SHARE else "Share of faces"


def display_name(key: str, keys: Sequence[str]) -> str:
    """What people call an expression."""
    if key == UNCERTAIN.key:
        return UNCERTAIN.display_name
    labels = label_set_of(tuple(one for one in keys if one != UNCERTAIN.key))
    return labels[labels.index(key)].display_name


def with_interval(estimate: Estimate, write: Callable[[float], str]) -> str:
    """A value and its interval; a dash where there is none."""
    if math.isnan(estimate.value):
        return "-"
    if math.isnan(estimate.low) and math.isnan(estimate.high):
        return write(estimate.value)
    low, high = (
        "?" if math.isnan(end) else _UNIT.sub("", write(end))
        for end in (estimate.low, estimate.high)
    )
    return f"{write(estimate.value)} ({low} to {high})"


def signed(write: Callable[[float], str]) -> Callable[[float], str]:
    """How a difference is written: always with its sign; one of parts of 1 in points."""

    def difference(value: float) -> str:
        words = f"{100 * value:.1f} points" if write is percent else write(value)
        if not any(sign in words for sign in "123456789"):
            return words.removeprefix("-")
        return words if words.startswith("-") else f"+{words}"

    return difference


def summary_table(summary: Summary) -> Table:
    """A row for each group and expression, a column for every measure; for the terminal."""
    measures = tuple(dict.fromkeys(one.measure for one in summary.values))
    by_key = {(one.group, one.expression, one.measure): one for one in summary.values}
    names = group_names(summary)
    has_groups = bool(summary.group_by)
    share = title_of(SHARE, summary).lower()
    columns = (
        *((", ".join(summary.group_by),) if has_groups else ()),
        "expression",
        *(title_of(measure, summary).lower() for measure in measures),
        *((f"{share}: change from baseline",) if summary.baseline else ()),
    )
    rows = []
    for group in summary.groups:
        for key in summary.label_keys:
            cells = [by_key.get((group.key, key, measure)) for measure in measures]
            shares = by_key[group.key, key, SHARE]
            change = with_interval(shares.deviation, signed(percent))
            rows.append(
                (
                    *((names[group.key],) if has_groups else ()),
                    display_name(key, summary.label_keys),
                    *map(_cell, cells),
                    *((change,) if summary.baseline else ()),
                )
            )
    return Table(columns, tuple(rows), 1 + has_groups)


def group_names(summary: Summary) -> dict[tuple[str, ...], str]:
    """What groups are called; those that are files without the folders that all share."""
    keys = [group.key for group in summary.groups]
    shown = [list(key) for key in keys]
    for column, name in enumerate(summary.group_by):
        if name == SOURCE:
            for one, source in zip(shown, shown_names([key[column] for key in keys]), strict=True):
                one[column] = source
    return {key: ", ".join(one) or "all" for key, one in zip(keys, shown, strict=True)}


def who_counts(summary: Summary) -> str:
    """Who counts as a person, where no file says who is who; empty where one does."""
    if summary.person == SOURCE:
        return "Each file counts as one person."
    if summary.person != TRACK:
        return ""
    if summary.is_of_videos:
        return (
            "Each track counts as a person of its own, and a face that was away for long is a new "
            "track; a csv with a column person says who is who (--conditions)."
        )
    return (
        "Each face counts as a person of its own, as nothing says who is who; a csv with a column "
        "person does (--conditions)."
    )


def how_to_read(summary: Summary) -> list[str]:
    """What a reader must know beside the numbers: who counts, and what the words mean."""
    lines = [words] if (words := who_counts(summary)) else []
    if summary.is_of_videos:
        lines.append(ONSET)
    if summary.baseline:
        lines.append(
            f"Change from baseline: the value outside of the baseline ({summary.baseline}) less "
            "the value in it; of shares and probabilities in percentage points, so from 20 % to "
            "30 % is +10 points."
        )
    if any(not math.isnan(one.estimate.low) for one in summary.values):
        line = "In brackets: 95 % intervals over persons"
        is_open = any(
            math.isnan(one.estimate.high) and not math.isnan(one.estimate.low)
            for one in summary.values
        )
        lines.append(f"{line}; a ? is an end that is not known." if is_open else f"{line}.")
    return lines


def how_long(time_s: float) -> str:
    """A length of time, in the unit that fits."""
    return seconds(time_s) if time_s < 120.0 else f"{time_s / 60:.1f} minutes"


def headline(summary: Summary) -> str:
    """What a summary is of, in one line."""
    n_persons = len({one.person for one in summary.persons})
    total = sum(group.seen for group in summary.groups)
    if summary.is_of_videos:
        persons = counted(n_persons, "track" if summary.person == TRACK else "person")
        line = f"{counted(summary.n_sources, 'video')}, {persons}, seen for {how_long(total)}"
    else:
        persons = "" if summary.person == TRACK else f", {counted(n_persons, 'person')}"
        line = f"{counted(summary.n_sources, 'photo')}{persons}, {counted(round(total), 'face')}"
    if summary.n_short:
        line += (
            f"; {counted(summary.n_short, 'track')} seen for less than {summary.min_seen_s:g} s "
            "left out"
        )
    return line


def _cell(value: GroupValue | None) -> str:
    return "-" if value is None else with_interval(value.estimate, WRITTEN[value.measure])
