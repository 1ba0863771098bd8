"""What a summary says: of persons, of groups of them, and of how groups differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mien.summaries.intervals import Estimate

SHARE, PROBABILITY = "share", "mean_probability"
ONSETS, LATENCY = "onsets_per_minute", "latency_s"
MEASURES = (SHARE, PROBABILITY, ONSETS, LATENCY)
"""What is measured of each expression: the share of the time (of the faces, in photos); the mean
of its probability; how often it began per minute; and how long it took until it first began."""
MOST_DIFFERENCES_OF = 10
"""With more groups there are too many pairs to read."""


@dataclass(frozen=True, slots=True)
class PersonValue:
    """One measure of one expression, of one person under one condition."""

    group: tuple[str, ...]
    """The condition: a value for each column that groups."""
    person: str
    """Who."""
    measure: str
    """One of `MEASURES`."""
    expression: str
    """Key of the label."""
    value: float
    """Over all time in which the person was seen; NaN where it is not known."""
    baseline: float
    """The same in the person's baseline; NaN without one."""
    outside: float
    """The same over the time outside of the baseline; NaN without a baseline."""
    watched_s: float = math.nan
    """Of a latency: how long the expression could have begun in."""

    @property
    def deviation(self) -> float:
        """`outside` less `baseline`."""
        return self.outside - self.baseline


@dataclass(frozen=True, slots=True)
class GroupValue:
    """One measure of one expression, over the persons of a group."""

    group: tuple[str, ...]
    """The condition."""
    measure: str
    """One of `MEASURES`."""
    expression: str
    """Key of the label."""
    estimate: Estimate
    """Mean over persons; of latencies the median of Kaplan and Meier."""
    n_shown: int
    """Persons who showed it, of all `Group.n_persons`."""
    baseline: Estimate
    """Mean of the persons' baselines."""
    outside: Estimate
    """Mean of their values outside of it."""
    deviation: Estimate
    """Mean of the persons' deviations."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two groups differ in one measure of one expression."""

    first: tuple[str, ...]
    """One group."""
    second: tuple[str, ...]
    """The other; the difference is its value less the first's."""
    measure: str
    """One of `MEASURES`."""
    expression: str
    """Key of the label."""
    estimate: Estimate
    """The mean difference."""
    is_paired: bool
    """Whether persons were compared with themselves."""


@dataclass(frozen=True, slots=True)
class Group:
    """A condition, and who is in it."""

    key: tuple[str, ...]
    """A value for each column that groups; empty where nothing does."""
    n_persons: int
    """Persons."""
    seen: float
    """Seconds in which they were seen, in all; in photos, faces."""

    @property
    def name(self) -> str:
        """For people."""
        return ", ".join(self.key) or "all"


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """What people showed."""

    group_by: tuple[str, ...]
    """Columns that group."""
    label_keys: tuple[str, ...]
    """Keys of the labels that were shown by anybody, or could have been."""
    groups: tuple[Group, ...]
    """The groups, by name."""
    persons: tuple[PersonValue, ...]
    """Every person's values, by group, person, measure and expression."""
    values: tuple[GroupValue, ...]
    """Every group's values, by group, measure and expression."""
    differences: tuple[Difference, ...]
    """Between every two groups; none where there are more than `MOST_DIFFERENCES_OF`."""
    is_of_videos: bool
    """Whether there are times; shares are of faces otherwise."""
    n_sources: int
    """Pictures or videos behind it, without those left out."""
    n_short: int
    """Tracks that were seen for too short a time."""
    min_seen_s: float
    """That time."""
    left_out: tuple[str, ...]
    """Sources of which the file of conditions says nothing."""
    baseline: str
    """The baseline as it was asked for; empty for none."""
    n_without_baseline: int
    """Persons who are not seen in their baseline."""
    person: str = "track"
    """What tells persons apart: a column, ``source`` or ``track``."""
    notes: tuple[str, ...] = ()
    """Sentences on what was asked for and cut to what is there."""

    def __repr__(self) -> str:
        """One line."""
        n_persons = len({row.person for row in self.persons})
        counts = {"group": len(self.groups), "person": n_persons, "source": self.n_sources}
        words = (f"{n:,} {what}{'' if n == 1 else 's'}" for what, n in counts.items())
        return f"Summary({', '.join(words)})"

    def value(self, measure: str, expression: str, group: Sequence[str] | str = ()) -> GroupValue:
        """One group's value.

        Args:
            measure: one of `MEASURES`.
            expression: key of a label.
            group: the group's value, or one for each column that groups.

        Raises:
            KeyError: there is no such value.
        """
        key = (group,) if isinstance(group, str) else tuple(group)
        for one in self.values:
            if (one.measure, one.expression, one.group) == (measure, expression, key):
                return one
        raise KeyError(f"no {measure} of {expression} in {', '.join(key) or 'all'}")
