"""Results as HTML fragments that a notebook shows; in the notebook's own style."""

from collections.abc import Iterable

from mien import pages
from mien.recognition.summary import VideoSummary
from mien.reports.findings import (
    PICTURE_COLUMNS,
    TRACK_COLUMNS,
    picture_rows,
    track_rows,
    tracks_left_out,
)
from mien.reports.wording import counted
from mien.results import FrameResult
from mien.sources.source import SourceInfo

_MOST_ROWS = 100
_WIDEST_PX = 640


def picture_html(png: bytes, result: FrameResult) -> str:
    """A picture with its annotation, and a table of its faces.

    Args:
        png: the annotated picture.
        result: what was found in it.
    """
    rows = picture_rows([result])
    alt = "; ".join(f"face {row[1]}: {row[3]}" for row in rows if row[1]) or "no face found"
    shown = pages.picture(png, alt=alt, width_px=min(result.width_px, _WIDEST_PX))
    return shown + pages.table(
        PICTURE_COLUMNS[1:], [row[1:] for row in rows], numeric_from=len(PICTURE_COLUMNS)
    )


def pictures_html(results: Iterable[FrameResult], problems: Iterable[str] = ()) -> str:
    """A table of the faces of many pictures; the first hundred rows."""
    rows = picture_rows(results)
    html = pages.table(PICTURE_COLUMNS, rows[:_MOST_ROWS], numeric_from=len(PICTURE_COLUMNS))
    if len(rows) > _MOST_ROWS:
        html += pages.paragraph(f"and {len(rows) - _MOST_ROWS:,} more rows: to_dataframe()")
    return html + "".join(map(pages.paragraph, problems))


def video_html(info: SourceInfo, summary: VideoSummary) -> str:
    """A line about a video, and a table of its tracks."""
    html = pages.paragraph(
        f"{info.name}: {counted(summary.n_frames, 'frame')}, {summary.duration_s:.1f} s, "
        f"{counted(summary.n_tracks, 'track')}"
    )
    if summary.tracks:
        html += pages.table(TRACK_COLUMNS, track_rows(summary), numeric_from=len(TRACK_COLUMNS))
    more = tracks_left_out(summary)
    return html + (pages.paragraph(more) if more else "")
