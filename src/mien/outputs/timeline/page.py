"""The timeline as a page that someone can read who does not know mien."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from mien import pages
from mien.clock import clock
from mien.labels import UNCERTAIN, Label, LabelSet
from mien.outputs.timeline import words
from mien.outputs.timeline.assets import SCRIPT, STYLE
from mien.outputs.timeline.chart import (
    Span,
    area_chart,
    axis,
    band,
    coarse_band,
    css_color,
    css_fill,
)
from mien.outputs.timeline.thumbnails import SIDE_PX, Thumbnail
from mien.outputs.timeline.tracks import TrackRecord, longest
from mien.recognition.segments import Segment
from mien.recognition.summary import TrackSummary, VideoSummary
from mien.sources.addresses import masked
from mien.sources.source import SourceInfo

SHOWN_TRACKS = 24
"""Tracks with a chart of their own, the longest visible ones."""
LISTED_TRACKS = 200
"""Tracks in the table of all."""
SHOWN_SEGMENTS = 400
"""Rows of a track's table, the longest segments."""
_BAND_SEGMENTS = 250
"""Blocks of a band; where there are more segments, it shows what was shown for most of the time."""

_GAP_S = 0.25
"""A face that is away for longer leaves a hole in its chart."""
_ZOOMED_BELOW = 0.5
"""A track that was there for a smaller share of the video has a chart of its own time only."""


@dataclass(frozen=True, slots=True)
class TimelineContent:
    """All that the page says."""

    info: SourceInfo
    """The source."""
    label_set: LabelSet
    """The classes."""
    model: str
    """Name of the model; empty where it is not known."""
    detector: str
    """Name of the detector; empty without a frame."""
    summary: VideoSummary
    """What the video comes to."""
    records: Sequence[TrackRecord]
    """The tracks with a curve, those with the most frames first."""
    frame_s: float
    """Typical duration of a frame."""
    end_s: float
    """When the last frame is over."""
    is_complete: bool
    """Whether the video was gone through, or is still running."""


def timeline_page(content: TimelineContent) -> str:
    """The page as one HTML document."""
    tracks = {track.track: track for track in content.summary.tracks}
    shown = [record for record in content.records if record.number in tracks][:SHOWN_TRACKS]
    shown.sort(key=lambda record: record.number)
    whole = Span(0.0, max(content.end_s, content.frame_s, 1e-3))
    labels = [label.display_name for label in content.label_set]
    body = [_cards(content), pages.paragraph(words.MEANING)]
    if shown:
        body += [_legend(_labels(content)), _notes(content, len(shown))]
        if len(shown) > 1:
            body.append(pages.section("All faces", _overview(content, shown, whole)))
        body.append(pages.section("Share of the visible time", _shares(content)))
        for record in shown:
            body.append(_track(content, record, tracks[record.number], whole))
    else:
        body.append(pages.paragraph(_nothing(content)))
    wrapped = f'<div data-labels="{escape(json.dumps(labels))}">\n{"".join(body)}</div>\n'
    name = masked(content.info.name)
    title = f"Expressions over time: {PurePath(name).name or name}"
    return pages.page(title, name, wrapped, style=STYLE, script=SCRIPT if shown else "")


def _cards(content: TimelineContent) -> str:
    summary, announced = content.summary, content.info.duration_s
    note = ""
    if not content.is_complete:
        note = "still running when this page was written"
    elif announced is not None and announced > content.end_s + max(0.5, 0.02 * announced):
        note = f"of {clock(announced)}: not all of it was gone through"
    size = f"{content.info.width_px} x {content.info.height_px} pixels"
    seen = f"{summary.n_frames_with_faces:,} with a face" if summary.n_frames else ""
    items = [
        ("Duration", _length(content.end_s if summary.n_frames else 0.0), note),
        ("Frames", f"{summary.n_frames:,}", ", ".join(filter(None, (seen, size)))),
        ("Faces", f"{summary.n_tracks:,}", "followed from frame to frame"),
    ]
    if content.model or content.detector:
        found = f"faces found by {content.detector}" if content.detector else ""
        if summary.tta != "none":
            found += f", test-time augmentation: {summary.tta}"
        items.append(("Model", content.model or "not named", found))
    return pages.figures(items)


def _length(time_s: float) -> str:
    return clock(time_s, 2 if time_s < 1 else 1 if time_s < 60 else 0)


def _labels(content: TimelineContent) -> tuple[Label, ...]:
    """All that may have been shown."""
    return (*content.label_set, *([UNCERTAIN] if content.summary.min_confidence else []))


def _legend(labels: Iterable[Label]) -> str:
    return f'<ul class="legend">{"".join(f"<li>{_named(label)}</li>" for label in labels)}</ul>\n'


def _named(label: Label) -> str:
    return f'<i style="background:{css_fill(label)}"></i>{escape(label.display_name)}'


def _notes(content: TimelineContent, n_shown: int) -> str:
    texts = [words.READING]
    if content.summary.min_confidence:
        texts.append(words.UNCERTAIN_BELOW.format(100 * content.summary.min_confidence))
    if any(_is_zoomed(record, content) for record in content.records[:n_shown]):
        texts.append(words.ZOOMED)
    if any(_is_coarse(record) for record in content.records[:n_shown]):
        texts.append(words.COARSE)
    if content.summary.n_tracks > n_shown:
        texts.append(
            f"{content.summary.n_tracks:,} faces were followed; the {n_shown} that were visible "
            "longest have a chart."
        )
    return "".join(pages.paragraph(text) for text in texts)


def _nothing(content: TimelineContent) -> str:
    if not content.summary.n_frames:
        return "There was no frame."
    return "No face was found in any frame."


def _overview(content: TimelineContent, records: Iterable[TrackRecord], whole: Span) -> str:
    rows = "".join(
        f'<div class="row"><a href="#face-{record.number}">{_portrait(record, 32)}'
        f"Face #{record.number}</a>{_band(content, record, whole)}</div>\n"
        for record in records
    )
    return (
        f'<div class="overview">\n{rows}<div class="row"><span></span>{axis(whole)}</div></div>\n'
    )


def _shares(content: TimelineContent) -> str:
    """Table of all tracks: when they were visible and what they showed."""
    listed = sorted(content.summary.tracks, key=lambda track: -track.visible_s)[:LISTED_TRACKS]
    header = ["Face", "From", "To", "Visible"]
    header += [label.display_name for label in _labels(content)]
    rows = [
        [
            f"#{track.track}",
            clock(track.first_s, 1),
            clock(track.last_s, 1),
            clock(track.visible_s, 1),
            *(_percent(track.shares.get(label, 0.0)) for label in _labels(content)),
        ]
        for track in sorted(listed, key=lambda track: track.track)
    ]
    missing = content.summary.n_tracks - len(rows)
    more = f"{missing:,} more were visible for shorter." if missing > 0 else ""
    return pages.table(header, rows) + (pages.paragraph(more) if more else "")


def _track(content: TimelineContent, record: TrackRecord, track: TrackSummary, whole: Span) -> str:
    span = _span(record, content) if _is_zoomed(record, content) else whole
    order = sorted(track.shares.items(), key=lambda item: -item[1])
    shares = ", ".join(f"{label.display_name} {_percent(share)}" for label, share in order)
    visible = f"{clock(track.first_s, 1)} to {clock(track.last_s, 1)}"
    description = f"Probabilities of face #{record.number} over time, {visible}: {shares}"
    name = f"Face #{record.number}"
    return (
        f'<section class="track" id="face-{record.number}">\n<h2>{name}</h2>\n'
        f'<div class="head">{_portrait(record, 72)}<div>'
        f"<p>Visible from {visible}, in {record.n_frames:,} "
        f"{'frame' if record.n_frames == 1 else 'frames'}.</p>"
        f'<p class="shares">{_share_list(order)}</p></div></div>\n'
        '<div class="chart">\n'
        f"{area_chart(record.bins, content.label_set, span, _gap_s(content), description)}"
        f"{_band(content, record, span)}{axis(span)}"
        '<output class="reading"></output></div>\n'
        f"{_film(record.thumbnails.shown(), content.label_set)}"
        f"{_segments(record, track)}</section>\n"
    )


def _band(content: TimelineContent, record: TrackRecord, span: Span) -> str:
    if _is_coarse(record):
        return coarse_band(record.bins, content.label_set, span, _gap_s(content))
    return band(record.segments, span)


def _is_coarse(record: TrackRecord) -> bool:
    return len(record.segments) > _BAND_SEGMENTS


def _gap_s(content: TimelineContent) -> float:
    return max(_GAP_S, 2.5 * content.frame_s)


def _share_list(order: Iterable[tuple[Label, float]]) -> str:
    return " ".join(
        f"<span>{_named(label)} {_percent(share)}</span>" for label, share in order if share > 0
    )


def _film(thumbnails: Sequence[Thumbnail], label_set: LabelSet) -> str:
    cells = []
    for thumbnail in thumbnails:
        label = label_set[thumbnail.label]
        text = f"{clock(thumbnail.time_s, 1)} {label.display_name} {thumbnail.confidence:.0%}"
        cells.append(
            f'<figure style="border-color:{css_color(label.color_rgb)}">'
            f"{_jpeg(thumbnail.jpeg, text, SIDE_PX)}"
            f"<figcaption>{clock(thumbnail.time_s, 1)}<br>{escape(label.display_name)} "
            f"{thumbnail.confidence:.0%}</figcaption></figure>"
        )
    return f'<div class="film">{"".join(cells)}</div>\n'


def _segments(record: TrackRecord, track: TrackSummary) -> str:
    rows = longest(record.segments, SHOWN_SEGMENTS)
    count = f"{track.n_segments:,} {'segment' if track.n_segments == 1 else 'segments'}"
    if len(rows) < track.n_segments:
        count += f", the {len(rows)} longest"
    table = pages.table(
        ("Expression", "Onset", "Peak", "End", "Length", "Confidence at peak", "Mean"),
        [_segment_row(segment) for segment in rows],
    )
    return (
        f"<details><summary>Table of face #{record.number}: {count}</summary>\n{table}</details>\n"
    )


def _segment_row(segment: Segment) -> tuple[str, ...]:
    return (
        segment.label.display_name,
        *(clock(t, 2) for t in (segment.onset_s, segment.peak_s, segment.end_s)),
        f"{segment.duration_s:.2f} s",
        f"{segment.peak_confidence:.0%}",
        f"{segment.mean_confidence:.0%}",
    )


def _portrait(record: TrackRecord, side_px: int) -> str:
    jpeg = record.thumbnails.portrait()
    return "" if jpeg is None else _jpeg(jpeg, "", side_px)


def _jpeg(jpeg: bytes, alt: str, side_px: int) -> str:
    encoded = base64.b64encode(jpeg).decode("ascii")
    return (
        f'<img src="data:image/jpeg;base64,{encoded}" alt="{escape(alt)}" '
        f'width="{side_px}" height="{side_px}">'
    )


def _span(record: TrackRecord, content: TimelineContent) -> Span:
    """The time of a track, with a little room on both sides."""
    end_s = record.last_s + content.frame_s
    room = 0.03 * (end_s - record.bins.start_s)
    return Span(max(0.0, record.bins.start_s - room), max(end_s + room, 1e-3))


def _is_zoomed(record: TrackRecord, content: TimelineContent) -> bool:
    length_s = record.last_s + content.frame_s - record.bins.start_s
    return length_s < _ZOOMED_BELOW * content.end_s


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 or share == 0 else "<1%"
