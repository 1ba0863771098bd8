"""The one function that does a shard: it reads the shard's rows from the manifest, recognises, and
writes the shard's files. Nothing else of a large job touches recognition.

It never raises for a picture. Whatever one does to the process, `mien.workflows.attempts` knows.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from mien.errors import (
    EngineError,
    ImageError,
    ImageTooLargeError,
    MienError,
    OutputError,
    SourceError,
    one_line,
)
from mien.images import read_image
from mien.outputs.dataset.job import ShardRow, read_shard
from mien.outputs.dataset.layout import Layout
from mien.outputs.dataset.parts import Counts, PartWriter, PictureRow, Status
from mien.recognition.recognizer import Recognizer
from mien.results import FrameResult
from mien.sources.items import Item, ItemReader, tar_pictures
from mien.workflows.attempts import TIMEOUT_S, Attempt, Ending, GivenUpError, attempt
from mien.workflows.threads import Ahead
from mien.workflows.workers import WorkerSpec

READ_AHEAD = 4
"""Pictures whose files are read while another one is computed."""
_ERRORS: dict[Ending, str] = {
    "crashed": "it ended the process that read it, twice",
    "timeout": "it took longer than the limit, twice",
}

Step = Literal["pictures", "look", "follow"]
"""What is to be done: pictures or a tar archive; a part of a video looked at; a whole video
followed through its parts."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """How all shards of a job are done. Travels between processes and machines."""

    recognition: WorkerSpec
    """What recognises."""
    root: str
    """The data set, at the same place on all machines."""
    folder: str
    """Where the command was given: sources may be named from there."""
    max_pixels: int
    """Largest picture or frame that is decoded."""
    with_videos: bool
    """Whether there are videos in the job."""
    half_life_s: float
    """As in `VideoRecognizer`."""
    sample_rate_hz: float | None = None
    """Frames of a second of video that are recognised; all where None."""
    timeout_s: float = TIMEOUT_S
    """How long one picture may take."""


@dataclass(frozen=True, slots=True)
class Task:
    """A shard to be done."""

    shard: int
    """Its number; of a video to be followed, that of its first part."""
    step: Step = "pictures"
    """What is to be done with it."""
    n_parts: int = 1
    """Parts of the video."""
    first: int = 0
    """Number of the shard with the first part of the video that is looked at."""
    only_failed: bool = False
    """Whether rows that are ok already are kept."""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What became of a shard."""

    task: Task
    """Which."""
    counts: Counts | None
    """Sums of the rows that were written; None where none were."""
    seconds: float
    """How long it took."""
    error: MienError | None = None
    """What kept it from being written."""


def make_worker(spec: JobSpec) -> Callable[[Task], ShardReport]:
    """What does shards, in a process of its own.

    Raises:
        MienError: model or detector cannot be loaded here, or the data set is not there.
    """
    layout = Layout(Path(spec.root))
    if not layout.job.is_file():
        raise OutputError(
            f"{spec.root} is not there on this machine; name a folder that all machines share"
        )
    try:
        os.chdir(spec.folder)  # workers of a cluster begin elsewhere
    except OSError as error:
        raise EngineError(
            f"{spec.folder} is not there on this machine ({error.strerror}); give the command "
            "from a folder that all machines have"
        ) from error
    recognizer = spec.recognition.open()
    writer = PartWriter(
        layout,
        recognizer.classifier.label_set.keys,
        with_raw=spec.with_videos,
        may_be_uncertain=recognizer.min_confidence > 0,
    )
    return partial(_do, spec, recognizer, writer)


def _do(spec: JobSpec, recognizer: Recognizer, writer: PartWriter, task: Task) -> ShardReport:
    start_s = time.monotonic()
    counts, error = None, None
    try:
        with attempt(writer.layout.attempts, task.shard, timeout_s=spec.timeout_s) as trying:
            if task.step == "pictures":
                counts = _pictures(spec, recognizer, writer, task, trying)
            else:
                from mien.workflows.datasets.videos import follow_video, look_at_shard

                do = look_at_shard if task.step == "look" else follow_video
                counts = do(spec, recognizer, writer, task, trying)
    except MienError as failure:
        error = failure
    except MemoryError:
        error = MienError("there is not enough memory; use fewer workers")
    except GivenUpError as failure:
        error = MienError(
            f"{failure}; its processes end, each at another picture: is there memory?"
        )
    return ShardReport(task, counts, time.monotonic() - start_s, error)


def _pictures(
    spec: JobSpec, recognizer: Recognizer, writer: PartWriter, task: Task, trying: Attempt
) -> Counts:
    rows = read_shard(writer.layout, task.shard)
    kept: dict[str, PictureRow] = {}
    kept_faces: list[tuple[object, ...]] = []
    if task.only_failed and writer.layout.pictures(task.shard).is_file():
        kept = {row.source: row for row in writer.pictures(task.shard) if row.status == "ok"}
        kept_faces = [row for row in writer.faces(task.shard) if row[0] in kept]
    results: list[FrameResult] = []
    pictures: list[PictureRow] = []
    trying.at(0)
    with Ahead(_contents(rows, kept, trying.passed_over), READ_AHEAD) as contents:
        for position, (name, content) in enumerate(contents):
            if name in kept:
                pictures.append(kept[name])
            elif position in trying.passed_over:
                how = trying.passed_over[position]
                pictures.append(PictureRow(name, "picture", how, _ERRORS[how]))
            else:
                row, result = recognize_content(recognizer, name, content, spec.max_pixels)
                pictures.append(row)
                if result is not None:
                    results.append(result)
            # Waiting for its file counts as the next one's time.
            trying.at(position + 1)
    return writer.write(task.shard, results, pictures, kept_faces)


def recognize_content(
    recognizer: Recognizer, name: str, content: bytes | SourceError, max_pixels: int
) -> tuple[PictureRow, FrameResult | None]:
    """Recognise a picture's file; what cannot be read is a row, too.

    Args:
        recognizer: what recognises.
        name: what the picture is called.
        content: its file, or why that could not be read.
        max_pixels: largest picture that is decoded.
    """
    if isinstance(content, SourceError):
        status: Status = "too_large" if isinstance(content, ImageTooLargeError) else "unreadable"
        status = "damaged" if isinstance(content, ImageError) else status
        return PictureRow(name, "picture", status, str(content)), None
    size = len(content)
    try:
        image_rgb = read_image(content, name=name, max_pixels=max_pixels)
    except ImageTooLargeError as error:
        return PictureRow(name, "picture", "too_large", str(error), size), None
    except SourceError as error:
        return PictureRow(name, "picture", "damaged", str(error), size), None
    except MemoryError:
        words = f"{name} needs more memory than there is"
        return PictureRow(name, "picture", "too_large", words, size), None
    try:
        result = recognizer.recognize(image_rgb, source=name)
    except Exception as error:  # one picture must not end a job of millions
        words = f"recognising {name} failed ({type(error).__name__}: {error})"
        return PictureRow(name, "picture", "crashed", one_line(words), size), None
    height, width = image_rgb.shape[:2]
    row = PictureRow(name, "picture", "ok", None, size, width, height, 1, len(result.faces))
    return row, result


def _contents(
    rows: Iterable[ShardRow], kept: dict[str, PictureRow], passed_over: dict[int, Ending]
) -> Iterator[tuple[str, bytes | SourceError]]:
    """Name and file of each picture, read in a thread of its own."""
    with ItemReader() as reader:
        for place, row in enumerate(rows):
            if row.kind == "tar":
                yield from _tar(row.source)
            elif row.source in kept or place in passed_over:
                yield row.source, b""
            else:
                try:
                    yield row.source, reader.read(Item(row.source, "picture", row.container))
                except SourceError as error:
                    yield row.source, error


def _tar(source: str) -> Iterator[tuple[str, bytes | SourceError]]:
    n_pictures = 0
    try:
        for found in tar_pictures(source):
            n_pictures += 1
            yield found
    except SourceError as error:
        yield source, error
    else:
        if not n_pictures:
            yield source, SourceError(f"{os.path.basename(source)} holds no pictures")
