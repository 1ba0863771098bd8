"""Many pictures of a folder: a few at a time, by all processors, in their order.

What comes out is what one process gives, picture by picture: results, annotated copies, words
about what cannot be read. Only how long it takes differs.
"""

import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mien.drawing import annotate
from mien.errors import MienError, SourceError
from mien.files import remove_leftovers
from mien.images import MAX_PIXELS, read_image
from mien.outputs.pictures import write_picture
from mien.recognition.recognizer import Recognizer
from mien.results import FrameResult
from mien.workflows.attempts import GivenUpError, attempt
from mien.workflows.engines.processes import Processes
from mien.workflows.workers import WorkerSpec

BATCH_PICTURES = 16
"""Pictures that travel together: a quarter of a second's work."""
FEWEST_PICTURES = 64
"""Fewer are done in one process: starting others takes as long as 30 pictures."""


@dataclass(frozen=True, slots=True)
class PictureOutcome:
    """What became of one picture."""

    result: FrameResult | None
    """What was recognised; None where it cannot be read."""
    problem: str = ""
    """Why not, in a line."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """A shard: paths, and where annotated copies go."""

    number: int
    pictures: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class _Done:
    """The report of a batch: outcomes, and the error that ended it, if one did."""

    outcomes: tuple[PictureOutcome, ...]
    error: MienError | None = None


def recognize_picture(
    recognizer: Recognizer, path: Path, copy: Path | None, max_pixels: int | None
) -> PictureOutcome:
    """Read a picture, recognise it, and write its annotated copy.

    Args:
        recognizer: what recognises.
        path: the picture.
        copy: where the annotated copy goes, if one is wanted.
        max_pixels: largest picture that is decoded; the default where None.

    Raises:
        OutputError: the copy cannot be written.
    """
    try:
        image_rgb = read_image(path, max_pixels=max_pixels or MAX_PIXELS)
    except SourceError as error:
        return PictureOutcome(None, str(error))
    result = recognizer.recognize(image_rgb, source=str(path))
    if copy is not None:
        write_picture(copy, annotate(image_rgb, result))
    return PictureOutcome(result)


def recognize_pictures(
    pictures: Sequence[tuple[Path, Path | None]], spec: WorkerSpec, workers: int
) -> Generator[PictureOutcome]:
    """Recognise pictures with several processes.

    Args:
        pictures: paths, and where their annotated copies go.
        spec: how.
        workers: how many processes.

    Yields:
        What became of each, in order.

    Raises:
        OutputError: a copy cannot be written; raised after the pictures before it.
        EngineError: no process can be started.
        MemoryError: a picture needs more than there is.
    """
    batches = (
        _Batch(
            start,
            tuple(
                (str(path), None if copy is None else str(copy))
                for path, copy in pictures[start : start + BATCH_PICTURES]
            ),
        )
        for start in range(0, len(pictures), BATCH_PICTURES)
    )
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        try:
            with Processes(workers, in_order=True) as engine:
                for done in engine.run(batches, partial(_make_worker, spec, Path(folder))):
                    yield from done.outcomes
                    if done.error is not None:
                        raise done.error
        except BaseException:  # those that were at work have been killed
            remove_leftovers(copy for _, copy in pictures if copy is not None)
            raise


def _make_worker(spec: WorkerSpec, attempts: Path) -> Callable[[_Batch], _Done]:
    return partial(_do, spec.open(), spec.max_pixels, attempts)


def _do(recognizer: Recognizer, max_pixels: int | None, attempts: Path, batch: _Batch) -> _Done:
    outcomes: list[PictureOutcome] = []
    try:
        with attempt(attempts, batch.number) as trying:
            for position, (path, copy) in enumerate(batch.pictures):
                if position in trying.passed_over:
                    how = trying.passed_over[position]
                    outcomes.append(PictureOutcome(None, _why_not(path, how)))
                    continue
                trying.at(position)
                outcomes.append(
                    recognize_picture(
                        recognizer, Path(path), None if copy is None else Path(copy), max_pixels
                    )
                )
    except MienError as error:
        return _Done(tuple(outcomes), error)
    except GivenUpError as error:
        raise MemoryError(str(error)) from error
    return _Done(tuple(outcomes))


def _why_not(path: str, how: str) -> str:
    what = "takes too long" if how == "timeout" else "ends the program that reads it"
    return f"{path} {what}; get a good copy"
