"""`recognize_dataset`: from what a person names to a data set, by any engine, again and again until
it is done.

Exactly once needs no help of the engine: the names of files depend on shards alone, and a shard is
done when its last file is there. The same call goes on where another one ended.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mien import __version__
from mien.errors import OutputError, SourceError
from mien.outputs.dataset.job import (
    begin,
    check_place,
    kinds_of,
    locked,
    write_manifest,
)
from mien.outputs.dataset.layout import Layout
from mien.outputs.dataset.parts import Counts, quarantined_lines, read_counts
from mien.recognition.classifier import Classifier
from mien.recognition.smoothing import HALF_LIFE_S
from mien.recognition.turning import Rotate
from mien.results import Tta
from mien.workflows.attempts import TIMEOUT_S, forget, forget_last_of_each
from mien.workflows.datasets.plan import PART_S, SHARD_PICTURES, Cutter, find_items
from mien.workflows.datasets.results import DatasetProgress, DatasetResult
from mien.workflows.datasets.worker import JobSpec, ShardReport, Task, make_worker
from mien.workflows.engines import Engine, EngineName, open_engine
from mien.workflows.files import Paths, paths_of
from mien.workflows.workers import worker_spec

DATASET_MAX_PIXELS = 50_000_000
"""Largest picture or frame of a data set unless the caller allows more: each worker needs 6 bytes
a pixel for a moment."""
MOST_TOLD = 20
"""Pictures and videos that are not ok and are named, until the others are only counted."""


def recognize_dataset(
    sources: Paths,
    dataset: Path | str,
    *,
    model: str | Path | Classifier = "default",
    detector: str = "auto",
    engine: EngineName = "processes",
    ray_address: str | None = None,
    workers: int | None = None,
    manifest: Path | str | None = None,
    shard_size: int = SHARD_PICTURES,
    shard_s: float = PART_S,
    retry_failed: bool = False,
    sample_rate_hz: float | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    rotate: Rotate = 0,
    half_life_s: float = HALF_LIFE_S,
    search_side_px: int | None = None,
    max_pixels: int = DATASET_MAX_PIXELS,
    timeout_s: float = TIMEOUT_S,
    offline: bool = False,
    on_problem: Callable[[str], None] = lambda line: None,
    on_progress: Callable[[DatasetProgress], None] = lambda progress: None,
) -> DatasetResult:
    """Recognise any number of pictures and videos into a folder of Parquet files.

    The same call goes on with what is not done, whatever ended the last one. Pictures that cannot
    be read, or that end the process that reads them, have a row with a status. See docs/scale.md.

    Args:
        sources: folders, files, patterns (``*.jpg``), zip and tar archives, and addresses that
            fsspec knows; one or several, or none beside a manifest.
        dataset: the folder; new, empty, or of the same job.
        model: as in `Recognizer`.
        detector: as in `Recognizer`, by its name.
        engine: ``processes`` of this machine, or ``ray``.
        ray_address: ``HOST:PORT`` of a Ray cluster; this machine where None.
        workers: shards that are done at a time; one for each processor where None.
        manifest: a list of sources: ``.parquet``, ``.csv``, or a folder of Parquet files.
        shard_size: pictures of a shard.
        shard_s: seconds of a part of a video, about.
        retry_failed: do again what is not ok.
        sample_rate_hz: frames of a second of video that are recognised; all where None.
        min_confidence: as in `Recognizer`.
        tta: as in `Recognizer`.
        rotate: as in `Recognizer`.
        half_life_s: for videos, as in `VideoRecognizer`.
        search_side_px: as in `mien.recognize_folder`.
        max_pixels: largest picture or frame that is decoded.
        timeout_s: how long one picture may take.
        offline: never fetch model files.
        on_problem: told of what cannot be read at all, of what is left out, and of the first
            pictures and videos that are not ok; then how many more there are.
        on_progress: told at the beginning and after each shard.

    Raises:
        ValueError: a value that means nothing.
        SourceError: there is nothing to recognise.
        EngineError: no worker can be started, the folder holds another job, or another call
            works on it.
        OutputError: the folder cannot be written.
        ModelError, WeightsError, DetectorError: as `Recognizer`.
        MissingExtraError: pyarrow, Ray or a file system is not installed.
    """
    start_s = time.monotonic()
    if shard_size < 1 or not shard_s > 0 or not timeout_s > 0:
        raise ValueError("expected a shard_size, shard_s and timeout_s above 0")
    if sample_rate_hz is not None and not sample_rate_hz > 0:
        raise ValueError(f"expected a sample_rate_hz above 0, got {sample_rate_hz}")
    layout = Layout(Path(dataset))
    problems: list[str] = []

    def fail(line: str) -> None:
        problems.append(line)
        on_problem(line)

    check_place(layout)
    recognition, _ = worker_spec(
        model,
        detector,
        offline=offline,
        on_fallback=on_problem,
        search_side_px=search_side_px,
        min_confidence=min_confidence,
        tta=tta,
        rotate=rotate,
        max_pixels=max_pixels,
    )
    with open_engine(engine, workers=workers, address=ray_address) as chosen, locked(layout):
        layout.sweep()
        forget_last_of_each(layout.attempts)
        cutter = Cutter(shard_size, shard_s, max_pixels)
        items = find_items(
            [str(source) for source in paths_or_addresses(sources)],
            None if manifest is None else Path(manifest),
            on_problem=fail,
            on_left_out=on_problem,
        )
        new_manifest, n_shards, manifest_sha256 = write_manifest(layout, cutter.shards(items))
        if not n_shards:
            raise SourceError(problems[0] if problems else "no source was named; name a folder")
        spec = JobSpec(
            recognition,
            str(layout.root.absolute()),
            os.getcwd(),
            max_pixels,
            cutter.has_videos,
            half_life_s,
            sample_rate_hz,
            timeout_s,
        )
        begin(layout, _job_of(spec, manifest_sha256, shard_size, shard_s), new_manifest)
        job = _Run(layout, n_shards, chosen, spec, on_progress, fail, on_problem)
        job.run(retry_failed=retry_failed)
        job.tell_the_rest()
    return DatasetResult(
        layout.root,
        job.counts,
        n_shards,
        job.n_done,
        time.monotonic() - start_s,
        tuple(problems),
    )


def paths_or_addresses(sources: Paths) -> tuple[Path | str, ...]:
    """One source or several; addresses stay as they are, as paths lose a slash."""
    if isinstance(sources, str):
        return (sources,)
    return paths_of(sources) if isinstance(sources, Path) else tuple(sources)


def _job_of(spec: JobSpec, manifest: str, shard_size: int, shard_s: float) -> dict[str, Any]:
    recognition = spec.recognition
    return {
        "version": __version__,
        "manifest_sha256": manifest,
        "model_sha256": recognition.model_sha256,
        "detector_sha256": recognition.detector_sha256,
        "detector": recognition.detector,
        "search_side_px": recognition.search_side_px,
        "min_confidence": recognition.min_confidence,
        "tta": recognition.tta,
        "rotate": recognition.rotate,
        "half_life_s": spec.half_life_s,
        "sample_rate_hz": spec.sample_rate_hz,
        "max_pixels": spec.max_pixels,
        "shard_size": shard_size,
        "shard_s": shard_s,
    }


class _Run:
    """One call's work on a job."""

    def __init__(
        self,
        layout: Layout,
        n_shards: int,
        engine: Engine,
        spec: JobSpec,
        on_progress: Callable[[DatasetProgress], None],
        on_problem: Callable[[str], None],
        on_quarantined: Callable[[str], None],
    ) -> None:
        self._layout = layout
        self._n_shards = n_shards
        self._engine = engine
        self._make_worker = partial(make_worker, spec)
        self._on_progress = on_progress
        self._on_problem = on_problem
        self._on_quarantined = on_quarantined
        self._n_told = 0
        self._start_s = time.monotonic()
        self._n_frames = 0
        self._n_given_up = 0
        self._running: dict[int, Task] = {}
        self._lacking: dict[int, int] = {}
        """How many parts of a video, by its first shard, are still to be looked at."""
        self._ready: deque[Task] = deque()
        """Videos whose parts were all looked at."""
        self.counts = Counts({})
        self.n_done = 0
        self._n_done_before = 0

    def run(self, *, retry_failed: bool) -> None:
        """Do what is not done.

        Raises:
            OutputError: the disk is full, or the like; what was done stays done.
            EngineError: as `Engine.run`.
        """
        done = self._layout.done()
        failed: set[int] = set()
        for shard in sorted(done):
            counts = read_counts(self._layout.pictures(shard))
            if retry_failed and counts.n_quarantined:
                failed.add(shard)
            else:
                self.counts += counts
                self.n_done += 1
        self._n_done_before = self.n_done
        self._tell_progress(None)
        try:
            for tasks in (self._tasks(done, failed), self._rest()):
                for report in self._engine.run(self._noted(tasks), self._make_worker):
                    self._take(report)
        except BaseException:
            # Ended by us, not by a picture.
            for shard in self._running:
                forget(self._layout.attempts, shard)
            raise

    def _tasks(self, done: set[int], failed: set[int]) -> Iterator[Task]:
        """What is to be done, as workers ask for it."""
        for shard, kind, first, n_parts in kinds_of(self._layout):
            while self._ready:
                yield self._ready.popleft()
            if kind != "video":
                if shard not in done:
                    yield Task(shard)
                elif shard in failed:
                    yield Task(shard, only_failed=True)
                continue
            if first is None or shard != first:
                continue
            parts = range(shard, shard + n_parts)
            if failed.intersection(parts):
                self._forget_video(parts, failed)
            elif done.issuperset(parts):
                continue
            lacking = [part for part in parts if not self._layout.sightings(part).is_file()]
            task = Task(shard, "follow", n_parts)
            if n_parts == 1 or not lacking:
                # A short video is looked at and followed by one worker.
                self._ready.append(task)
                continue
            self._lacking[shard] = len(lacking)
            for part in lacking:
                yield Task(part, "look", n_parts, first=shard)
        while self._ready:
            yield self._ready.popleft()

    def _rest(self) -> Iterator[Task]:
        """Videos whose last parts were looked at when nothing else was left to give."""
        while self._ready:
            yield self._ready.popleft()

    def _noted(self, tasks: Iterator[Task]) -> Iterator[Task]:
        for task in tasks:
            self._running[task.shard] = task
            yield task

    def _take(self, report: ShardReport) -> None:
        task = report.task
        self._running.pop(task.shard, None)
        if report.error is not None:
            if isinstance(report.error, OutputError):
                raise report.error
            self._n_given_up += 1
            self._on_problem(f"shard {task.shard} is not done: {report.error}")
            return
        if task.step == "look":
            self._lacking[task.first] -= 1
            if not self._lacking[task.first]:
                del self._lacking[task.first]
                self._ready.append(Task(task.first, "follow", task.n_parts))
        if report.counts is not None:
            n_shards = task.n_parts if task.step == "follow" else 1
            self.counts += report.counts
            self._n_frames += report.counts.n_frames
            self.n_done += n_shards
            if report.counts.n_quarantined:
                self._tell_quarantined(range(task.shard, task.shard + n_shards))
        self._tell_progress(report)

    def _tell_progress(self, report: ShardReport | None) -> None:
        elapsed_s = max(1e-3, time.monotonic() - self._start_s)
        n_done = self.n_done - self._n_done_before
        left = self._n_shards - self.n_done
        self._on_progress(
            DatasetProgress(
                report,
                self.counts,
                self.n_done,
                self._n_shards,
                self._n_frames / elapsed_s,
                left * elapsed_s / n_done if n_done > 0 else None,
            )
        )

    def _tell_quarantined(self, shards: range) -> None:
        """Name what is not ok in shards that were done just now, as long as it is little."""
        for shard in shards:
            if self._n_told < MOST_TOLD:
                path = self._layout.pictures(shard)
                for line in quarantined_lines(path, MOST_TOLD - self._n_told):
                    self._n_told += 1
                    self._on_quarantined(line)

    def tell_the_rest(self) -> None:
        """Say how much more is not ok, also since earlier calls."""
        n_more = self.counts.n_quarantined - self._n_told
        if n_more:
            more = " more" if self._n_told else ""
            where = self._layout.root / "pictures"
            self._on_quarantined(
                f"{n_more:,}{more} could not be read; the column error of {where} says why"
            )

    def _forget_video(self, parts: range, failed: set[int]) -> None:
        """Let a video of which a part failed be done anew; parts that were ok count again, too."""
        for part in parts:
            path = self._layout.pictures(part)
            if path.is_file():
                if part not in failed:
                    counts = read_counts(path)
                    self.counts = replace(
                        self.counts,
                        statuses={
                            status: n - counts.statuses.get(status, 0)
                            for status, n in self.counts.statuses.items()
                        },
                        n_frames=self.counts.n_frames - counts.n_frames,
                        n_faces=self.counts.n_faces - counts.n_faces,
                    )
                    self.n_done -= 1
                path.unlink()
