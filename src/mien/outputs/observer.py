"""Segments as an event log of The Observer XT: a row where a state starts, another where it stops.

The columns are those of the event logs that The Observer XT exports itself, without the ones that
need a date; its *Import > Observational Data* takes them by an import profile, in which each
column is dragged to what it means (docs/coding_programs.md).
"""

from collections.abc import Sequence
from pathlib import Path

from mien.outputs.coding import CodedSource, subject, whole_milliseconds
from mien.outputs.rows import csv_lines
from mien.recognition.segments import Segment

EVENT_COLUMNS = (
    *("Time_Relative_hms", "Time_Relative_sf", "Duration_sf", "Observation", "Event_Log"),
    *("Subject", "Behavior", "Event_Type", "Comment"),
)
"""Columns: the time in whole seconds and exactly, the length of a state, what was observed, the
log, the face, the expression, ``State start`` or ``State stop``, and the confidence."""


def to_observer(segments: Sequence[Segment], source: CodedSource, path: Path) -> str:
    """The event log as CSV, by time; at one time, what stops stands before what starts.

    Args:
        segments: of one source, by onset and track.
        source: what they are of.
        path: where the table goes.
    """
    observation = Path(source.name).stem or path.name.split(".")[0]
    events = []
    for segment, (begin, end) in zip(segments, whole_milliseconds(segments, source), strict=True):
        who = ("mien", subject(segment.track), segment.label.key)
        length = f"{(end - begin) / 1000:.3f}"
        comment = f"mean confidence {segment.mean_confidence:.3f}"
        events.append((begin, 1, (length, observation, *who, "State start", comment)))
        events.append((end, 0, ("0.000", observation, *who, "State stop", "")))
    rows = [
        (_clock(time), f"{time / 1000:.3f}", *cells)
        for time, _, cells in sorted(events, key=lambda event: event[:2])
    ]
    return csv_lines([EVENT_COLUMNS, *rows])


def _clock(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"
