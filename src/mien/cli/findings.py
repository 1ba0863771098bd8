"""What recognition found, as tables on the terminal."""

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from mien.cli.console import output
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.summary import TrackSummary, VideoSummary
from mien.results import Expression, FrameResult
from mien.sources.source import SourceInfo

TRACKS_SHOWN = 20
"""Tracks of a video that are listed; of more, the longest visible ones."""


def print_pictures(results: Iterable[FrameResult]) -> None:
    """Print a row for every face of every picture."""
    table = Table(box=None, pad_edge=False)
    table.add_column("picture", overflow="fold")
    for title in ("face", "box (x y w h)", "expression"):
        table.add_column(title, no_wrap=True)
    table.add_column("then")
    for result in results:
        # File names may hold what Rich would take for markup.
        source = escape(result.source)
        if not result.faces:
            table.add_row(source, "", "", "no face found", "")
        for number, face in enumerate(result.faces, 1):
            if face.expression is None:
                continue
            box = " ".join(f"{value:.0f}" for value in face.box_xywh_px)
            first, *others = _ranked(face.expression)
            if face.expression.is_uncertain:
                first, others = face.expression.label.display_name, [first, *others]
            table.add_row(source if number == 1 else "", str(number), box, first, ", ".join(others))
    output.print(table)


def print_video(info: SourceInfo, summary: VideoSummary, detector: FaceDetector) -> None:
    """Print a line about a video and a row for every track."""
    tracks = "no face found" if not summary.n_faces else _count(summary.n_tracks, "track")
    smallest_px = detector.minimum_face_px(info.width_px, info.height_px)
    manner = "" if summary.tta == "none" else f", tta {summary.tta}"
    output.print(
        f"{info.name}: {_count(summary.n_frames, 'frame')}, {_clock(summary.duration_s)}, "
        f"{info.width_px} x {info.height_px}, {tracks} "
        f"({detector.name}, faces from {smallest_px:.0f} px{manner})",
        markup=False,
    )
    if not summary.tracks:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("track", no_wrap=True)
    for title in ("from", "to", "seen"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("shows")
    table.add_column("changes/min", justify="right", no_wrap=True)
    longest = sorted(summary.tracks, key=lambda track: -track.visible_s)[:TRACKS_SHOWN]
    for track in sorted(longest, key=lambda track: track.track):
        table.add_row(*_cells(track))
    output.print(table)
    if summary.n_tracks > len(longest):
        output.print(f"and {summary.n_tracks - len(longest)} tracks that were seen for less time")


def _cells(track: TrackSummary) -> tuple[str, ...]:
    shown = [f"{label.display_name} {share:.0%}" for label, share in track.shares.items()]
    return (
        f"#{track.track}",
        _clock(track.first_s),
        _clock(track.last_s),
        f"{track.visible_s:.1f} s",
        escape(", ".join(shown[:3])),
        f"{track.label_changes_per_minute:.0f} (raw {track.raw_label_changes_per_minute:.0f})",
    )


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _clock(time_s: float) -> str:
    """Minutes and seconds, with hours where there are some."""
    tenths = round(time_s * 10)
    minutes, seconds = divmod(tenths / 10, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{seconds:04.1f}" if hours else f"{minutes}:{seconds:04.1f}"


def _ranked(expression: Expression) -> list[str]:
    """The most probable classes with their percentages, without those of 0 %."""
    ranked = sorted(
        zip(expression.probabilities, expression.label_set, strict=True), key=lambda pair: -pair[0]
    )
    return [f"{label.display_name} {p:.0%}" for p, label in ranked[:3] if p >= 0.005]
