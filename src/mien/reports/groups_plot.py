"""The figure of groups: a panel per measure, a dot with its interval per group.

As a PNG for papers, and as drawings for pages that are read on any window. Groups that are too
small to be estimated are in neither, and measures of which no group has a value.
"""

import textwrap
from typing import TYPE_CHECKING

from mien import pages
from mien.errors import needs_extra
from mien.evaluation.groups import TOGETHER, Breakdown, Group, Grouped, Score
from mien.reports.figures import (
    BLUE,
    DASHED,
    INK,
    SMALL_PT,
    SOFT,
    TEXT_PT,
    VERMILION,
    empty_figure,
    make_plain,
    percent_tick,
    short_name,
    to_png,
)
from mien.reports.group_words import measure_words
from mien.reports.interval_plot import Mark, named_intervals, panels
from mien.reports.wording import UNKNOWN
from mien.summaries.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER_ROW = 5
_NAME_LETTERS = 26
_TITLE_LETTERS = 26


def groups_png(grouped: Grouped, part: Breakdown) -> bytes:
    """Every measure of every group of one breakdown.

    Groups are in one order in all panels; the dashed line is at the value of the compared groups
    as one, and the worst group of a gap that was found is a square in another colour.

    Returns:
        A PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: every group is too small.
    """
    groups, measures = _estimated(grouped, part)
    across = min(_PER_ROW, len(measures))
    down = -(-len(measures) // across)
    titles = {name: _wrapped(measure_title(grouped, part, name)) for name in measures}
    lines = max(title.count("\n") for title in titles.values())
    height = 0.95 + 0.15 * lines + 0.27 * max(len(groups), 3)
    figure = empty_figure(2.6 + 1.75 * across, 0.35 + height * down)
    panels = figure.subplots(down, across, sharey=True, squeeze=False)
    for index, axes in enumerate(panels.flat):
        if index >= len(measures):
            axes.set_axis_off()
            continue
        _draw(axes, part, groups, measures[index], titles[measures[index]])
    names = [f"{short_name(group.name, _NAME_LETTERS)}  ({group.n:,})" for group in groups]
    for row in panels:
        row[0].set_yticks(range(len(names)), names, parse_math=False)
        row[0].set_ylim(len(names) - 0.4, -0.6)
    figure.suptitle(
        f"By {short_name(part.title, 60)} (faces in brackets), with 95 % intervals; dashed: "
        f"{TOGETHER}",
        fontsize=TEXT_PT,
        color=INK,
        x=0.01,
        ha="left",
        parse_math=False,
    )
    return to_png(figure)


def groups_drawing(grouped: Grouped, part: Breakdown) -> str:
    """The same as HTML: drawings that stand side by side where there is room."""
    groups, measures = _estimated(grouped, part)
    drawings = []
    for measure in measures:
        worst = _worst(part, measure)
        rows = []
        for group in groups:
            score = _score(group, measure)
            if score is None or score.value is None or score.ci95 is None:
                continue
            estimate = Estimate(score.value, *score.ci95, group.n)
            color = VERMILION if group.name in worst else BLUE
            name = f"{group.name} ({group.n:,})" + (", worst" if group.name in worst else "")
            rows.append((name, Mark(estimate, color=color)))
        together = _score(part.together, measure)
        middle = None if together is None else together.value
        drawing = named_intervals(rows, unit="%", scale=100.0, line_at=middle)
        drawings.append((measure_title(grouped, part, measure), drawing))
    return pages.paragraph(
        "Faces in brackets behind each group. Lines are 95 % intervals, the dashed line is at "
        "the value of all compared groups as one."
    ) + panels(drawings)


def measure_title(grouped: Grouped, part: Breakdown, measure: str) -> str:
    """A measure's name in one breakdown, with the classes that it averages over."""
    return measure_words(measure, part.classes_of(measure), grouped.labels)


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.wrap(title, _TITLE_LETTERS))


def _estimated(grouped: Grouped, part: Breakdown) -> tuple[list[Group], list[str]]:
    """The groups that are large enough, and the measures of which one of them has a value."""
    groups = [group for group in part.groups if not group.is_too_small]
    if not groups:
        raise ValueError(f"expected a group that is large enough by {part.title}")
    measures = [score.measure for score in grouped.everyone.scores]
    return groups, [name for name in measures if any(_has(group, name) for group in groups)]


def _has(group: Group, measure: str) -> bool:
    score = _score(group, measure)
    return score is not None and score.value is not None


def _score(group: Group, measure: str) -> Score | None:
    return next((score for score in group.scores if score.measure == measure), None)


def _worst(part: Breakdown, measure: str) -> tuple[str, ...]:
    """The worst groups of a gap that was found, and is not one of expressions; empty for none."""
    gap = part.gap_in(measure)
    return () if gap is None or not gap.is_found or gap.is_of_expressions else gap.worst_ones


def _draw(axes: "Axes", part: Breakdown, groups: list[Group], measure: str, title: str) -> None:
    with needs_extra("report"):
        from matplotlib.ticker import MaxNLocator
    together = _score(part.together, measure)
    if together is not None and together.value is not None:
        axes.axvline(together.value, color=SOFT, linestyle=DASHED, linewidth=0.9, zorder=0)
    worst = _worst(part, measure)
    top = 0.0
    for place, group in enumerate(groups):
        score = next((score for score in group.scores if score.measure == measure), None)
        if score is None or score.value is None or score.ci95 is None:
            # In the middle of the panel, wherever its values lie.
            axes.text(
                0.5,
                place,
                UNKNOWN,
                transform=axes.get_yaxis_transform(),
                ha="center",
                va="center",
                fontsize=SMALL_PT - 1,
                color=SOFT,
            )
            continue
        is_worst = group.name in worst
        color = VERMILION if is_worst else BLUE
        axes.plot(score.ci95, [place, place], color=color, linewidth=1.8, solid_capstyle="butt")
        axes.plot(score.value, place, marker="s" if is_worst else "o", color=color, ms=4.5)
        top = max(top, score.ci95[1])
    axes.set_title(title, fontsize=SMALL_PT, color=INK, loc="left")
    make_plain(axes)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.xaxis.set_major_formatter(percent_tick)
    low, high = axes.get_xlim()
    if high - low < 0.04:  # one percent apart is drawn apart, less is not
        middle = (low + high) / 2
        axes.set_xlim(max(-0.002, middle - 0.02), middle + 0.02)
    axes.grid(axis="x", color="0.93", zorder=-1)
