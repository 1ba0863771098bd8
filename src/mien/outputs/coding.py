"""What programs for coding behaviour share: whom segments are of, and when, in milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from mien.labels import FERPLUS, UNCERTAIN
from mien.recognition.segments import Segment

_USUAL_HZ = 25.0
"""Stands for a frame rate that is not known."""


@dataclass(frozen=True, slots=True)
class CodedSource:
    """What segments are of."""

    name: str = ""
    """Path or address of the video; empty where it is not known."""
    frame_rate_hz: float | None = None
    """Frames per second, if known."""
    duration_s: float | None = None
    """Length, if known."""
    label_keys: tuple[str, ...] = FERPLUS.keys
    """Keys of the classes that could have been shown."""

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """Those, and `mien.labels.UNCERTAIN`."""
        return (*self.label_keys, UNCERTAIN.key)


def subject(track: int) -> str:
    """What a face is called."""
    return f"face {track}"


def whole_milliseconds(
    segments: Sequence[Segment], source: CodedSource | None = None
) -> list[tuple[int, int]]:
    """Onset and end of each segment, as programs want them that know no part of a millisecond.

    Rounded to the nearest; a segment lasts for 1 ms at least, and begins after the one before it
    of the same face. What ends after the source by less than a frame, as by rounding, ends with it:
    programs ask about events outside of a recording.

    Args:
        segments: by onset.
        source: what they are of.
    """
    length = None if source is None or source.duration_s is None else source.duration_s * 1000
    frame = 1000 / ((source and source.frame_rate_hz) or _USUAL_HZ)
    spans = []
    until: dict[int, int] = {}
    for segment in segments:
        begin = max(0, round(segment.onset_s * 1000), until.get(segment.track, 0))
        end = round(segment.end_s * 1000)
        if length is not None and length < end <= length + frame:
            end = int(length)
        end = max(begin + 1, end)
        until[segment.track] = end
        spans.append((begin, end))
    return spans
