"""A result as lines of text: JSON, and rows of one face each. The one place of their columns."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from mien.labels import UNCERTAIN
from mien.results import LANDMARKS, POSE_FIELDS, Face, FrameResult

FRAME_COLUMNS = ("source", "frame", "time_s", "face")
"""Which frame a row is of, and its place in it; ``face`` counts from 0 within the frame."""
FACE_COLUMNS = ("x", "y", "w", "h", "detection_score", "track", "expression", "confidence")
"""What is known of a face."""
PLACE_COLUMNS = (
    *(f"{name}_{axis}" for name in LANDMARKS for axis in "xy"),
    *("interocular_px", *POSE_FIELDS),
)
"""Where in the picture a face's landmarks are and which way it is turned; they stand last, empty
where the detector gives no landmarks."""


def columns(label_keys: Sequence[str], *, with_raw: bool) -> tuple[str, ...]:
    """Names of a table's columns.

    Args:
        label_keys: keys of the classes in order.
        with_raw: whether the rows are of videos, which have probabilities of the frame alone,
            ``raw_p_<key>``, beside those that are smoothed over time, ``p_<key>``.
    """
    names = (*FRAME_COLUMNS, *FACE_COLUMNS, *(f"p_{key}" for key in label_keys))
    raw_names = (f"raw_p_{key}" for key in label_keys) if with_raw else ()
    return (*names, *raw_names, *PLACE_COLUMNS)


def shown_keys(label_keys: Sequence[str], *, may_be_uncertain: bool) -> tuple[str, ...]:
    """What can stand in the column ``expression``.

    Args:
        label_keys: keys of the classes in order.
        may_be_uncertain: whether faces may be uncertain.
    """
    return (*label_keys, UNCERTAIN.key) if may_be_uncertain else tuple(label_keys)


def may_be_uncertain(result: FrameResult) -> bool:
    """Whether a face of a frame is uncertain, or could have been."""
    found = (face.expression for face in result.faces)
    return any(item is not None and (item.min_confidence or item.is_uncertain) for item in found)


def rows(
    result: FrameResult, label_keys: Sequence[str], *, with_raw: bool
) -> Iterator[tuple[Any, ...]]:
    """One row per face of a frame, rounded as in JSON; None where there is no value."""
    frame = (result.source, result.frame, round(result.time_s, 6))
    for number, face in enumerate(result.faces):
        yield (*frame, number, *_face_cells(face, label_keys, with_raw))


def json_line(result: FrameResult) -> str:
    """A result as one line of JSON, without the line break; equal results give equal lines."""
    return json.dumps(result.as_dict(), ensure_ascii=False)


def csv_lines(lines: Iterator[tuple[Any, ...]] | Sequence[tuple[Any, ...]]) -> str:
    """Rows as lines of CSV, each with its line break; None becomes an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def as_bytes(text: str) -> bytes:
    """Text as UTF-8; names of files need not be valid text."""
    return text.encode("utf-8", errors="backslashreplace")


def _face_cells(face: Face, label_keys: Sequence[str], with_raw: bool) -> tuple[Any, ...]:
    row = face.as_dict()
    smooth, raw = row.get("probabilities", {}), row.get("raw_probabilities", {})
    landmarks = row.get("landmarks", {})
    return (
        *row["box"],
        row["detection_score"],
        row["track"],
        row.get("expression"),
        row.get("confidence"),
        *(smooth.get(key) for key in label_keys),
        *((raw.get(key) for key in label_keys) if with_raw else ()),
        *(value for name in LANDMARKS for value in landmarks.get(name, (None, None))),
        *(row.get(name) for name in ("interocular_px", *POSE_FIELDS)),
    )
