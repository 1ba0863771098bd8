"""What was found, as text: rows and lines for front ends to print."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.reports import findings
from mien.results import FrameResult

if TYPE_CHECKING:
    from mien.workflows.videos import VideoRun

PICTURE_COLUMNS = findings.PICTURE_COLUMNS
"""Columns of `picture_rows`."""


@dataclass(frozen=True, slots=True)
class VideoFindings:
    """What a video came to, as text."""

    line: str
    """The video in one line."""
    columns: tuple[str, ...]
    """Titles of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """A row for every track."""
    left_out: str
    """About the tracks that have no row; empty where all have one."""


def picture_rows(
    results: Iterable[FrameResult],
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns, and a row for every face of every picture, as text."""
    return findings.PICTURE_COLUMNS, findings.picture_rows(results)


def video_findings(run: "VideoRun") -> VideoFindings:
    """What a video came to, as text, once it is over."""
    detector = run.recognizer.recognizer.detector
    smallest_px = detector.minimum_face_px(run.info.width_px, run.info.height_px)
    summary = run.sums.summary
    return VideoFindings(
        findings.video_line(run.info, summary, detector.name, smallest_px),
        findings.TRACK_COLUMNS,
        tuple(findings.track_rows(summary)),
        findings.tracks_left_out(summary),
    )
