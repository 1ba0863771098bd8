"""A summary's numbers as text, for the terminal and for the page."""

import math
from collections.abc import Callable, Sequence

from mien.labels import UNCERTAIN, label_set_of
from mien.reports.wording import counted, percent
from mien.summaries.intervals import Estimate
from mien.summaries.summary import LATENCY, ONSETS, PROBABILITY, SHARE, GroupValue, Summary

TITLES = {
    SHARE: "Share of time",
    PROBABILITY: "Mean probability",
    ONSETS: "Onsets per minute",
    LATENCY: "Latency to the first onset",
}
"""What the measures are called; of photos, shares are of faces."""


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
        "?" if math.isnan(end) else write(end).removesuffix(" %").removesuffix(" s")
        for end in (estimate.low, estimate.high)
    )
    return f"{write(estimate.value)} ({low} to {high})"


def signed(write: Callable[[float], str]) -> Callable[[float], str]:
    """How a difference is written: always with its sign."""
    return lambda value: ("+" if value > 0 else "") + write(value)


def summary_rows(summary: Summary) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns, and a row for each group and expression, of every measure; for the terminal."""
    measures = tuple(dict.fromkeys(one.measure for one in summary.values))
    by_key = {(one.group, one.expression, one.measure): one for one in summary.values}
    has_groups = bool(summary.group_by)
    columns = (
        *((", ".join(summary.group_by),) if has_groups else ()),
        "expression",
        *(title_of(measure, summary).lower() for measure in measures),
        *((f"{title_of(SHARE, summary).lower()}, less baseline",) if summary.baseline else ()),
    )
    rows = []
    for group in summary.groups:
        for key in summary.label_keys:
            cells = [by_key.get((group.key, key, measure)) for measure in measures]
            shares = by_key[group.key, key, SHARE]
            rows.append(
                (
                    *((group.name,) if has_groups else ()),
                    display_name(key, summary.label_keys),
                    *map(_cell, cells),
                    *(
                        (with_interval(shares.deviation, signed(percent)),)
                        if summary.baseline
                        else ()
                    ),
                )
            )
    return columns, rows


def n_numbers(summary: Summary) -> int:
    """How many of the last columns of `summary_rows` are numbers."""
    return len({one.measure for one in summary.values}) + bool(summary.baseline)


def headline(summary: Summary) -> str:
    """What a summary is of, in one line."""
    n_persons = len({one.person for one in summary.persons})
    total = sum(group.seen for group in summary.groups)
    seen = (
        f"seen for {total / 60:.1f} minutes"
        if summary.is_of_videos
        else counted(round(total), "face")
    )
    what = "video" if summary.is_of_videos else "photo"
    line = f"{counted(summary.n_sources, what)}, {counted(n_persons, 'person')}, {seen}"
    if summary.n_short:
        line += (
            f"; {counted(summary.n_short, 'track')} seen for less than {summary.min_seen_s:g} s "
            "left out"
        )
    return line


def _cell(value: GroupValue | None) -> str:
    return "-" if value is None else with_interval(value.estimate, WRITTEN[value.measure])
