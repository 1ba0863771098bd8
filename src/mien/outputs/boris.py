"""Segments for BORIS: a project that it opens, and the table that it exports itself.

Source: boris/config.py, boris/project_functions.py and boris/export_observation.py of
https://github.com/olivierfriard/BORIS, version 8.27 (project format 7.0). Every expression is a
state event, every face a subject; a state is two events, its start and its stop.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mien import __version__
from mien.labels import UNCERTAIN, Label, label_set_of
from mien.outputs.coding import CodedSource, subject, whole_milliseconds
from mien.outputs.rows import csv_lines
from mien.recognition.segments import Segment

_PLAYERS = 8
_MISSING = "NA"
AGGREGATED_COLUMNS = (
    *("Observation id", "Observation date", "Description", "Observation duration"),
    *("Observation type", "Source", "Time offset (s)", "Media duration (s)", "FPS (frame/s)"),
    *("Subject", "Observation duration by subject by observation", "Behavior"),
    *("Behavioral category", "Modifier #1", "Behavior type", "Start (s)", "Stop (s)"),
    *("Duration (s)", "Media file name", "Image index start", "Image index stop"),
    *("Image file path start", "Image file path stop", "Comment start", "Comment stop"),
)
"""Columns of BORIS's table of aggregated events."""


def to_boris(segments: Sequence[Segment], source: CodedSource, path: Path) -> str:
    """A project with one observation, as JSON.

    Args:
        segments: of one source, by onset and track.
        source: what they are of.
        path: where the project goes; its name is the project's.
    """
    now = datetime.now().astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    media = [source.name] if source.name else []
    return (
        json.dumps(
            {
                "time_format": "hh:mm:ss",
                "project_date": now,
                "project_name": path.stem,
                "project_description": f"made by mien {__version__}",
                "project_format_version": "7.0",
                "subjects_conf": _subjects(segments),
                "behaviors_conf": _behaviors(source),
                "observations": {
                    _observation(source, path): {
                        "file": {
                            str(player): media if player == 1 else []
                            for player in range(1, _PLAYERS + 1)
                        },
                        "type": "MEDIA",
                        "date": now,
                        "description": "",
                        "time offset": 0.0,
                        "events": _events(segments, source),
                        "observation time interval": [0, 0],
                        "independent_variables": {},
                        "visualize_spectrogram": False,
                        "visualize_waveform": False,
                        "media_creation_date_as_offset": False,
                        "media_scan_sampling_duration": 0,
                        "image_display_duration": 1,
                        "close_behaviors_between_videos": False,
                        "media_info": {
                            "length": {name: source.duration_s or 0.0 for name in media},
                            "fps": {name: source.frame_rate_hz or 0.0 for name in media},
                            "hasVideo": dict.fromkeys(media, True),
                            "hasAudio": dict.fromkeys(media, False),
                            "offset": {"1": 0.0},
                        },
                    }
                },
                "behavioral_categories": [],
                "behavioral_categories_config": {},
                "independent_variables": {},
                "coding_map": {},
                "behaviors_coding_map": [],
                "converters": {},
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n"
    )


def to_boris_table(segments: Sequence[Segment], source: CodedSource, path: Path) -> str:
    """The table of aggregated events, a row for each segment; arguments as of `to_boris`."""
    spans = whole_milliseconds(segments, source)
    coded_ms: dict[int, int] = defaultdict(int)
    for segment, (begin, end) in zip(segments, spans, strict=True):
        coded_ms[segment.track] += end - begin
    length = _MISSING if source.duration_s is None else f"{source.duration_s:.3f}"
    rate = _MISSING if source.frame_rate_hz is None else f"{source.frame_rate_hz:.3f}"
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    rows: list[tuple[Any, ...]] = [
        (
            *(_observation(source, path), now, f"made by mien {__version__}", length),
            *("Media file", f"player #1:{source.name}", "0.000", length, rate),
            *(subject(segment.track), _seconds(coded_ms[segment.track]), segment.label.key),
            *("Not defined", "", "STATE", _seconds(begin), _seconds(end), _seconds(end - begin)),
            *(source.name or _MISSING, *_frames(begin, end, source), _MISSING, _MISSING),
            *(_comment(segment), ""),
        )
        for segment, (begin, end) in zip(segments, spans, strict=True)
    ]
    return csv_lines([AGGREGATED_COLUMNS, *rows])


def _observation(source: CodedSource, path: Path) -> str:
    return Path(source.name).stem or path.name.split(".")[0]


def _subjects(segments: Sequence[Segment]) -> dict[str, Any]:
    tracks = sorted({segment.track for segment in segments})
    return {
        str(number): {"key": "", "name": subject(track), "description": f"track {track}"}
        for number, track in enumerate(tracks)
    }


def _behaviors(source: CodedSource) -> dict[str, Any]:
    """The ethogram: one face shows one expression at a time, so each excludes all others."""
    keys = source.shown_keys
    colors = {label.key: "#{:02x}{:02x}{:02x}".format(*label.color_rgb) for label in _labels(keys)}
    return {
        str(number): {
            "type": "State event",
            "key": "",
            "code": key,
            "description": "",
            "color": colors[key],
            "category": "",
            "modifiers": "",
            "excluded": ",".join(other for other in keys if other != key),
            "coding map": "",
        }
        for number, key in enumerate(keys)
    }


def _labels(keys: Sequence[str]) -> list[Label]:
    return [*label_set_of(tuple(key for key in keys if key != UNCERTAIN.key)), UNCERTAIN]


def _events(segments: Sequence[Segment], source: CodedSource) -> list[list[Any]]:
    """Time, subject, behaviour, modifier, comment and frame of every start and stop.

    A stop comes before the start of the next state at the same time, as BORIS pairs them in turn.
    """
    events = []
    for segment, (begin, end) in zip(segments, whole_milliseconds(segments, source), strict=True):
        who, what = subject(segment.track), segment.label.key
        first, last = _frames(begin, end, source)
        events.append((begin, 1, [begin / 1000, who, what, "", _comment(segment), first]))
        events.append((end, 0, [end / 1000, who, what, "", "", last]))
    return [event for _, _, event in sorted(events, key=lambda one: one[:2])]


def _frames(begin_ms: int, end_ms: int, source: CodedSource) -> tuple[int | str, int | str]:
    if source.frame_rate_hz is None:
        return _MISSING, _MISSING
    first, last = (round(time * source.frame_rate_hz / 1000) for time in (begin_ms, end_ms))
    return first, last


def _comment(segment: Segment) -> str:
    return f"mean confidence {segment.mean_confidence:.3f}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"
