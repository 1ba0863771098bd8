"""Videos of a large job: their parts are looked at, then each is followed through all of them."""

from collections.abc import Iterator
from contextlib import ExitStack
from math import floor
from pathlib import Path

from mien.errors import SourceError, VideoError
from mien.outputs.dataset.job import ShardRow, read_shard
from mien.outputs.dataset.parts import Counts, PartWriter, PictureRow, Status
from mien.recognition.recognizer import Recognizer
from mien.recognition.scenes import CutDetector
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import FrameResult
from mien.sources import open_frames
from mien.sources.addresses import is_address
from mien.sources.video_parts import VideoPart
from mien.workflows.attempts import Attempt
from mien.workflows.datasets.remote_copies import local_copy
from mien.workflows.datasets.sightings import (
    PartSightings,
    load_sightings,
    look_at_part,
    save_sightings,
)
from mien.workflows.datasets.worker import JobSpec, Task

_CRASHED = "this part ended the process that read it, twice"


def look_at_shard(
    spec: JobSpec, recognizer: Recognizer, writer: PartWriter, task: Task, trying: Attempt
) -> None:
    """Look at a part of a video, and keep what was seen for `follow_video`."""
    (row,) = read_shard(writer.layout, task.shard)
    if 0 in trying.passed_over:
        save_sightings(writer.layout, task.shard, _nothing())
        return
    trying.at(0)
    try:
        with VideoPart(
            Path(row.source),
            row.from_s or 0.0,
            row.to_s,
            sample_rate_hz=spec.sample_rate_hz,
            max_pixels=spec.max_pixels,
        ) as part:
            # A death anywhere in a part counts as one of the part.
            seen = look_at_part(part, _video(spec, recognizer), lambda number: trying.at(0))
    except (SourceError, OSError, ValueError):
        seen = _nothing(is_regular=False)  # one pass will say what is wrong
    save_sightings(writer.layout, task.shard, seen)


def follow_video(
    spec: JobSpec, recognizer: Recognizer, writer: PartWriter, task: Task, trying: Attempt
) -> Counts:
    """Follow the faces of a video through its parts, and write the files of all its shards.

    Where a part is not regular, or the video has none, it is gone through in one pass.
    """
    shards = range(task.shard, task.shard + task.n_parts)
    (row,) = read_shard(writer.layout, task.shard)
    counts = Counts({})
    if row.from_s is not None and task.n_parts == 1:
        look_at_shard(spec, recognizer, writer, task, trying)
    if row.from_s is not None and _are_regular(writer, shards):
        video = _video(spec, recognizer)
        cuts, n_before = CutDetector(), 0
        for shard in shards:
            (row,) = read_shard(writer.layout, shard)
            part = load_sightings(writer.layout, shard)
            results = list(_followed(video, part, row.source, cuts, n_before))
            n_before += max(0, part.n_frames)
            counts += writer.write(shard, results, [_row_of(row, part, results)])
    else:
        counts += _in_one_pass(spec, recognizer, writer, task, trying, row)
        for shard in shards[1:]:
            counts += writer.write(shard, [], [])
    for shard in shards:
        writer.layout.sightings(shard).unlink(missing_ok=True)
    return counts


def _followed(
    video: VideoRecognizer, part: PartSightings, source: str, cuts: CutDetector, n_before: int
) -> Iterator[FrameResult]:
    for place, sighting in enumerate(part.sightings):
        is_cut = bool(part.cuts[place])
        if place == part.undecided:
            is_cut = cuts.is_cut_to(part.first_scene)
        yield video.follow(
            sighting,
            is_cut,
            source=source,
            frame=n_before + int(part.numbers[place]),
            time_s=float(part.times_s[place]),
        )
    if part.last_scene.size:
        cuts.before = part.last_scene


def _row_of(row: ShardRow, part: PartSightings, results: list[FrameResult]) -> PictureRow:
    if part.n_frames < 0:
        return PictureRow(row.source, "video", "crashed", _CRASHED, from_s=row.from_s)
    first = results[0] if results else None
    return PictureRow(
        row.source,
        "video",
        "ok",
        width_px=first.width_px if first else None,
        height_px=first.height_px if first else None,
        n_frames=len(results),
        n_faces=sum(len(result.faces) for result in results),
        from_s=round(first.time_s, 6) if first else row.from_s,
        to_s=round(results[-1].time_s, 6) if first else None,
    )


def _in_one_pass(
    spec: JobSpec,
    recognizer: Recognizer,
    writer: PartWriter,
    task: Task,
    trying: Attempt,
    row: ShardRow,
) -> Counts:
    """A video that cannot be cut, as `mien recognize` does it; rows go to its first shard."""
    results: list[FrameResult] = []
    status: Status = "ok"
    problem: str | None = None
    if 0 in trying.passed_over:
        how = trying.passed_over[0]
        status, problem = how, _CRASHED
    else:
        trying.at(0)
        try:
            for result in _one_pass(spec, recognizer, row.source):
                trying.at(0)
                results.append(result)
        except VideoError as error:
            status, problem = "damaged", str(error)
        except SourceError as error:
            status, problem = "unreadable", str(error)
    first = results[0] if results else None
    picture = PictureRow(
        row.source,
        "video",
        status,
        problem,
        width_px=first.width_px if first else None,
        height_px=first.height_px if first else None,
        n_frames=len(results),
        n_faces=sum(len(result.faces) for result in results),
        from_s=round(first.time_s, 6) if first else 0.0,
        to_s=round(results[-1].time_s, 6) if first else None,
    )
    return writer.write(task.shard, results, [picture])


def _one_pass(spec: JobSpec, recognizer: Recognizer, source: str) -> Iterator[FrameResult]:
    video = _video(spec, recognizer)
    interval = -1
    with ExitStack() as stack:
        path = Path(source)
        if is_address(source):
            path = stack.enter_context(local_copy(source))
        frames = stack.enter_context(open_frames(path, max_pixels=spec.max_pixels))
        video.prepare(frames.info.width_px, frames.info.height_px)
        for frame in frames:
            if spec.sample_rate_hz is not None:
                before, interval = interval, floor(frame.time_s * spec.sample_rate_hz)
                if interval <= before:
                    continue
            yield video.recognize(
                frame.image_rgb, source=source, frame=frame.number, time_s=frame.time_s
            )


def _are_regular(writer: PartWriter, shards: range) -> bool:
    return all(load_sightings(writer.layout, shard).is_regular for shard in shards)


def _video(spec: JobSpec, recognizer: Recognizer) -> VideoRecognizer:
    return VideoRecognizer(
        recognizer,
        half_life_s=spec.half_life_s,
        search_side_px=spec.recognition.search_side_px,
    )


def _nothing(*, is_regular: bool = True) -> PartSightings:
    import numpy as np

    none = np.empty((0, 0, 3), np.uint8)
    times_s = np.empty(0, np.float64)
    numbers, cuts = times_s.astype(np.int64), times_s.astype(np.bool_)
    return PartSightings(is_regular, -1, numbers, times_s, cuts, [], -1, none, none)
