"""What recognition found, as lines and rows of text: for the terminal and for notebooks."""

from collections.abc import Iterable

from mien.clock import clock
from mien.errors import printable
from mien.recognition.summary import TrackSummary, VideoSummary
from mien.reports.wording import counted
from mien.results import Expression, FrameResult
from mien.sources.source import SourceInfo

TRACKS_SHOWN = 20
"""Tracks of a video that are listed; of more, the longest visible ones."""

PICTURE_COLUMNS = ("picture", "face", "box (x y w h)", "expression", "then")
"""Columns of `picture_rows`."""
TRACK_COLUMNS = ("track", "from", "to", "seen", "shows", "changes/min")
"""Columns of `track_rows`."""


def picture_rows(results: Iterable[FrameResult]) -> list[tuple[str, ...]]:
    """A row for every face of every picture, and one for each picture without a face."""
    found: list[tuple[str, ...]] = []
    for result in results:
        if not result.faces:
            found.append((printable(result.source), "", "", "no face found", ""))
        for number, face in enumerate(result.faces, 1):
            if face.expression is None:
                continue
            box = " ".join(f"{value:.0f}" for value in face.box_xywh_px)
            first, *others = _ranked(face.expression)
            if face.expression.is_uncertain:
                first, others = face.expression.label.display_name, [first, *others]
            source = printable(result.source) if number == 1 else ""
            found.append((source, str(number), box, first, ", ".join(others)))
    return found


def video_line(info: SourceInfo, summary: VideoSummary, detector: str, smallest_px: float) -> str:
    """A video in one line.

    Args:
        info: the source.
        summary: what was found.
        detector: name of the detector.
        smallest_px: width of the smallest face that it finds in this video.
    """
    tracks = "no face found" if not summary.n_faces else counted(summary.n_tracks, "track")
    manner = "" if summary.tta == "none" else f", tta {summary.tta}"
    return (
        f"{printable(info.name)}: {counted(summary.n_frames, 'frame')}, "
        f"{clock(summary.duration_s, 1)}, {info.width_px} x {info.height_px}, {tracks} "
        f"({detector}, faces from {smallest_px:.0f} px{manner})"
    )


def track_rows(summary: VideoSummary) -> list[tuple[str, ...]]:
    """A row for every track, by number; the longest visible `TRACKS_SHOWN` of more."""
    longest = sorted(summary.tracks, key=lambda track: -track.visible_s)[:TRACKS_SHOWN]
    return [_track_row(track) for track in sorted(longest, key=lambda track: track.track)]


def tracks_left_out(summary: VideoSummary) -> str:
    """A line about the tracks that `track_rows` leaves out; empty where there are none."""
    n = summary.n_tracks - min(len(summary.tracks), TRACKS_SHOWN)
    return f"and {n} tracks that were seen for less time" if n > 0 else ""


def _track_row(track: TrackSummary) -> tuple[str, ...]:
    shown = [f"{label.display_name} {share:.0%}" for label, share in track.shares.items()]
    return (
        f"#{track.track}",
        clock(track.first_s, 1),
        clock(track.last_s, 1),
        f"{track.visible_s:.1f} s",
        ", ".join(shown[:3]),
        f"{track.label_changes_per_minute:.0f} (raw {track.raw_label_changes_per_minute:.0f})",
    )


def _ranked(expression: Expression) -> list[str]:
    """The most probable classes with their percentages, without those of 0 %."""
    ranked = sorted(
        zip(expression.probabilities, expression.label_set, strict=True), key=lambda pair: -pair[0]
    )
    return [f"{label.display_name} {p:.0%}" for p, label in ranked[:3] if p >= 0.005]
