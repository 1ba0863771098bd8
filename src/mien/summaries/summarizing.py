"""Tables of faces -> a summary: of persons, of groups, of differences and deviations."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import TableError
from mien.labels import UNCERTAIN
from mien.summaries.conditions import (
    PERSON,
    Span,
    baseline_name,
    baseline_spans,
    everything,
    late_ends,
    read_spans,
    value_columns,
)
from mien.summaries.faces import FaceRows
from mien.summaries.intervals import Estimate, difference_of, mean_of, median_latency
from mien.summaries.persons import SOURCE, TRACK, Shown, Unit, shown, units
from mien.summaries.spans import Spans, spans
from mien.summaries.summary import (
    LATENCY,
    MEASURES,
    MOST_DIFFERENCES_OF,
    ONSETS,
    PROBABILITY,
    SHARE,
    Difference,
    Group,
    GroupValue,
    PersonValue,
    Summary,
)

MIN_SEEN_S = 1.0
"""Tracks that are seen for less are left out, if nothing else is said."""

_BOUNDS = {SHARE: (0.0, 1.0), PROBABILITY: (0.0, 1.0), ONSETS: (0.0, math.inf)}
_Values = tuple[Unit, Shown, Shown | None, Shown | None]


def summarized(
    rows: FaceRows,
    *,
    conditions: Path | None = None,
    group_by: Sequence[str] = (),
    person: str | None = None,
    baseline: str | Path | None = None,
    min_seen_s: float = MIN_SEEN_S,
) -> Summary:
    """Sum up what people showed.

    Args:
        rows: classified faces.
        conditions: a csv of spans; see `mien.summaries.conditions`.
        group_by: its columns whose values make the groups, or ``source``.
        person: its column that says who is seen, ``source`` or ``track``; where None, ``person``
            if there is such a column, else ``track``.
        baseline: ``FROM-TO`` in seconds, or a csv of spans.
        min_seen_s: tracks that are seen for less are left out.

    Raises:
        SourceError: a file cannot be read.
        TableError: the files contradict each other or the tables; see `read_spans` and `units`.
    """
    found = spans(rows)
    said = everything(found) if conditions is None else read_spans(conditions, found)
    columns = value_columns(said)
    person = person or (PERSON if PERSON in columns else TRACK)
    _check_columns(group_by, (*columns, SOURCE), "--group-by")
    _check_columns([person], (*columns, SOURCE, TRACK), "--person")
    all_units, n_short = units(found, said, group_by=group_by, person=person, min_seen_s=min_seen_s)
    names = {unit.person for unit in all_units}
    usual: dict[str, Shown] = {}
    in_baseline: NDArray[np.bool_] | None = None
    notes = [late_ends(said, found, "")]
    if baseline is not None:
        asked = baseline_spans(baseline, found)
        notes.append(late_ends(asked, found, f"--baseline {baseline}"))
        usual, in_baseline = _baselines(found, said, asked, baseline, person)
        if not names & set(usual):
            raise TableError(
                f"--baseline {baseline}: nobody in it is seen anywhere else; say who is who with "
                f"a column {PERSON} in --conditions"
            )
    keys = _shown_keys(found)
    wanted = [
        (measure, index)
        for measure in (MEASURES if found.rows.is_of_videos else (SHARE, PROBABILITY))
        for index, key in enumerate(found.rows.shown_keys)
        if key in keys and not (measure == PROBABILITY and key == UNCERTAIN.key)
    ]
    of_units = [
        (
            unit,
            shown(found, unit),
            usual.get(unit.person),
            None if in_baseline is None else shown(found, unit, in_baseline),
        )
        for unit in all_units
    ]
    persons = tuple(
        _person_value(of_unit, measure, index, found.rows.shown_keys[index])
        for of_unit in of_units
        for measure, index in wanted
    )
    groups = tuple(dict.fromkeys(unit.group for unit in all_units))
    left_out = _left_out(found, said)
    return Summary(
        tuple(group_by),
        keys,
        tuple(_group(key, of_units) for key in groups),
        persons,
        tuple(_group_values(persons)),
        tuple(_differences(persons, groups)),
        found.rows.is_of_videos,
        len(found.rows.sources) - len(left_out),
        n_short,
        min_seen_s,
        left_out,
        "" if baseline is None else baseline_name(baseline),
        0 if baseline is None else len(names - set(usual)),
        person,
        tuple(filter(None, notes)),
    )


def _check_columns(wanted: Sequence[str], known: Sequence[str], option: str) -> None:
    for column in wanted:
        if column not in known:
            raise TableError(
                f"{option} {column}: no such column; there are: {', '.join(dict.fromkeys(known))}; "
                "others come with --conditions FILE"
            )


def _shown_keys(found: Spans) -> tuple[str, ...]:
    """Every class, and *uncertain* where somebody was."""
    rows = found.rows
    is_uncertain = bool((rows.label == len(rows.label_keys)).any())
    return rows.shown_keys if is_uncertain else rows.label_keys


def _baselines(
    found: Spans, said: Sequence[Span], spans: Sequence[Span], baseline: str | Path, person: str
) -> tuple[dict[str, Shown], NDArray[np.bool_]]:
    """What each person showed in the baseline, and which rows that is."""
    asked = [
        one
        for span in spans
        for one in ([span] if person in (SOURCE, TRACK) else _with_person(span, said, person))
    ]
    try:
        # A short look into the camera is enough for a baseline.
        of_units, _ = units(found, asked, person=person)
    except TableError as error:
        said_where = str(error).startswith(f"{baseline}, ")
        before = "" if said_where else f"--baseline {baseline}: "
        raise TableError(f"{before}{error}") from error
    mask = np.zeros(len(found.rows), bool)
    for unit in of_units:
        mask[unit.rows] = True
    return {unit.person: shown(found, unit) for unit in of_units}, mask


def _with_person(span: Span, said: Sequence[Span], person: str) -> list[Span]:
    """A span of a baseline for each person that the conditions see in its source."""
    if span.values.get(person):
        return [span]
    who = {
        (one.track if span.track is None else span.track, one.values[person])
        for one in said
        if one.source == span.source and (span.track is None or one.track in (None, span.track))
    }
    return [
        replace(span, track=track, values={person: name}) for track, name in sorted(who, key=str)
    ]


def _person_value(of_unit: _Values, measure: str, index: int, key: str) -> PersonValue:
    unit, whole, usual, outside = of_unit
    has_baseline = usual is not None and measure != LATENCY
    return PersonValue(
        unit.group,
        unit.person,
        measure,
        key,
        float(whole.of(measure)[index]),
        float(usual.of(measure)[index]) if usual is not None and has_baseline else math.nan,
        float(outside.of(measure)[index]) if outside is not None and has_baseline else math.nan,
        whole.watched_s if measure == LATENCY else math.nan,
    )


def _group(key: tuple[str, ...], of_units: Sequence[_Values]) -> Group:
    inside = [whole.seen for unit, whole, _, _ in of_units if unit.group == key]
    return Group(key, len(inside), sum(inside))


def _group_values(persons: Sequence[PersonValue]) -> list[GroupValue]:
    together: dict[tuple[tuple[str, ...], str, str], list[PersonValue]] = {}
    for one in persons:
        together.setdefault((one.group, one.measure, one.expression), []).append(one)
    return [
        GroupValue(
            group,
            measure,
            expression,
            _estimate(measure, some),
            sum(one.value > 0 for one in some),  # NaN is not
            _mean(measure, [one.baseline for one in some]),
            _mean(measure, [one.outside for one in some]),
            mean_of(
                np.array([one.deviation for one in some]), -_largest(measure), _largest(measure)
            ),
        )
        for (group, measure, expression), some in together.items()
    ]


def _estimate(measure: str, some: Sequence[PersonValue]) -> Estimate:
    values = [one.value for one in some]
    if measure != LATENCY:
        return _mean(measure, values)
    return median_latency(np.array(values), np.array([one.watched_s for one in some]))


def _mean(measure: str, values: Sequence[float]) -> Estimate:
    return mean_of(np.array(values), *_BOUNDS.get(measure, (-math.inf, math.inf)))


def _largest(measure: str) -> float:
    """The largest difference that is possible."""
    return _BOUNDS.get(measure, (0.0, math.inf))[1]


def _differences(
    persons: Sequence[PersonValue], groups: Sequence[tuple[str, ...]]
) -> list[Difference]:
    """Of all measures but latencies: whoever never showed something has none to subtract."""
    if len(groups) > MOST_DIFFERENCES_OF:
        return []
    by_kind: dict[tuple[str, str], dict[tuple[str, ...], dict[str, float]]] = {}
    for one in persons:
        if one.measure != LATENCY:
            kind = by_kind.setdefault((one.measure, one.expression), {key: {} for key in groups})
            kind[one.group][one.person] = one.value
    found = []
    for first, second in combinations(groups, 2):
        for (measure, expression), values in by_kind.items():
            estimate, is_paired = difference_of(values[first], values[second], _largest(measure))
            found.append(Difference(first, second, measure, expression, estimate, is_paired))
    return found


def _left_out(found: Spans, said: Sequence[Span]) -> tuple[str, ...]:
    named = {span.source for span in said}
    return tuple(name for index, name in enumerate(found.rows.sources) if index not in named)
