"""The findings of an audit as a list for people and as JSON for programs."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mien.data.audit import TINY_PX, AuditReport, NearPair
from mien.former_names import with_former_names
from mien.labels import FERPLUS


def findings(report: AuditReport) -> list[tuple[str, int, str]]:
    """What was looked for, how many were found, and what that means, in order of importance."""
    rows = [
        (
            "rows seen in training",
            len(report.seen),
            "validation or test, pixel-identical to a training row",
        ),
        (
            "rows seen in another version",
            len(report.near_seen),
            "validation or test, a near duplicate in training",
        ),
        (
            "conflicting groups",
            len(report.conflicting),
            "the same pixels under different classes",
        ),
        (
            "pixel-identical groups",
            len(report.duplicate_groups),
            f"{report.duplicate_rows:,} rows in all; "
            f"{len(report.groups_across):,} groups across splits",
        ),
        (
            "near-duplicate pairs",
            len(report.near_pairs),
            f"{len(report.near_across):,} across splits; "
            f"{sum(pair.mirrored for pair in report.near_pairs):,} mirrored",
        ),
        ("constant pictures", len(report.constant), "every pixel is the same"),
        ("tiny pictures", len(report.tiny), f"the shorter side is below {TINY_PX} pixels"),
        ("damaged pictures", len(report.damaged), "cannot be read; training stops at them"),
    ]
    if report.ferplus is not None:
        decided = len(report.samples) - report.ferplus.undecided
        rows += [
            (
                "not a face, says FER+",
                len(report.ferplus.not_a_face),
                "most of the annotators",
            ),
            (
                "labels that FER+ disputes",
                int(report.ferplus.disagreeing.sum()),
                f"{100 * report.ferplus.disagreement:.1f} % of {decided:,} rows with a majority",
            ),
        ]
    return rows


def to_json(report: AuditReport) -> dict[str, Any]:
    """The findings as JSON: counts, and the rows by their names.

    Returns:
        A JSON object; names are those of `Samples.names`, e.g. ``row 17``.
    """
    samples = report.samples
    values = {
        "source": samples.source,
        "rows": len(samples),
        "labels": list(samples.label_set.keys),
        "counts": {s.value: counts.tolist() for s, counts in samples.counts().items()},
        "sizes_px": _sizes(report),
        "duplicate_groups": len(report.duplicate_groups),
        "duplicate_rows": report.duplicate_rows,
        "duplicate_groups_across_splits": len(report.groups_across),
        "seen_rows": len(report.seen),
        "seen_rows_by_split": _by_split(report, report.seen),
        "near_pairs": len(report.near_pairs),
        "near_pairs_across_splits": len(report.near_across),
        "near_seen_rows": len(report.near_seen),
        "near_seen_rows_by_split": _by_split(report, report.near_seen),
        "conflicting_groups": len(report.conflicting),
        "constant_rows": len(report.constant),
        "tiny_rows": len(report.tiny),
        "damaged_rows": len(report.damaged),
        "ferplus": _ferplus(report),
        "lists": with_former_names(
            {
                "duplicate_groups": [_names(report, group) for group in report.duplicate_groups],
                "conflicting_groups": [_names(report, group) for group in report.conflicting],
                "seen": _names(report, report.seen),
                "near_seen": _names(report, report.near_seen),
                "near_pairs": [_pair(report, pair) for pair in report.near_pairs],
                "constant": _names(report, report.constant),
                "tiny": _names(report, report.tiny),
                "damaged": [
                    {"name": samples.names[row], "what": what} for row, what in report.damaged
                ],
            }
        ),
    }
    return with_former_names(values)


def _names(report: AuditReport, rows: Iterable[int]) -> list[str]:
    return [report.samples.names[int(row)] for row in rows]


def _by_split(report: AuditReport, rows: np.ndarray) -> dict[str, int]:
    values, counts = np.unique(report.samples.splits[rows], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _sizes(report: AuditReport) -> dict[str, list[int]]:
    readable = report.sizes[report.sizes[:, 0] > 0]
    if not len(readable):
        return {}
    return {"smallest": readable.min(axis=0).tolist(), "largest": readable.max(axis=0).tolist()}


def _pair(report: AuditReport, pair: NearPair) -> dict[str, Any]:
    return {
        "names": _names(report, (pair.first, pair.second)),
        "splits": report.samples.splits[[pair.first, pair.second]].tolist(),
        "correlation": round(pair.correlation, 4),
        "mirrored": pair.mirrored,
    }


def _ferplus(report: AuditReport) -> dict[str, Any] | None:
    found = report.ferplus
    if found is None:
        return None
    majority = found.majority[found.majority >= 0]
    return {
        "not_a_face_rows": len(found.not_a_face),
        "rows_without_majority": found.undecided,
        "majority_counts": dict(
            zip(FERPLUS.keys, np.bincount(majority, minlength=len(FERPLUS)).tolist(), strict=True)
        ),
        "disagreeing_rows": int(found.disagreeing.sum()),
        "disagreement": round(found.disagreement, 6),
        "not_a_face": _names(report, found.not_a_face),
    }
