"""``mien recognize --dataset``: large jobs, shard by shard."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console import errors, output, print_line, progress_bar, terminable, warn
from mien.errors import MienError, SourceError

if TYPE_CHECKING:
    from mien.recognition.classifier import Classifier
    from mien.workflows.datasets.results import DatasetProgress, DatasetResult
    from mien.workflows.datasets.worker import ShardReport

NOT_FINISHED = 2
"""Exit code of a job that is not done; the same command goes on with it."""
_LINE_S = 300.0
"""How often a line tells how far the job is, where stderr is no terminal."""


class EngineName(StrEnum):
    """The values of `mien.workflows.engines.EngineName`, which would load more with it."""

    PROCESSES = "processes"
    RAY = "ray"


DatasetOption = Annotated[
    Path | None,
    typer.Option(
        "--dataset",
        metavar="DIR",
        help="For very many: write Parquet files into this folder, shard by shard. The same "
        "command continues. Exit code 0: all done; 1: something could not be read, all else is "
        "done; 2: not finished. See docs/scale.md; the next eight options belong to it.",
    ),
]
"""``--dataset``."""
EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="What does the shards: processes of this machine, or Ray."),
]
"""``--engine``."""
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="A Ray cluster that runs. [default: Ray on this machine]",
    ),
]
"""``--ray-address``."""
ManifestOption = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="A list of sources, .parquet or .csv, with a column 'source'.",
    ),
]
"""``--manifest``."""
ShardSizeOption = Annotated[
    int | None,
    typer.Option("--shard-size", min=1, metavar="N", help="Pictures of a shard. [default: 1000]"),
]
"""``--shard-size``."""
ShardSecondsOption = Annotated[
    float | None,
    typer.Option(
        "--shard-s",
        min=1.0,
        max=86_400.0,
        metavar="S",
        help="Seconds of a part of a video. [default: 120]",
    ),
]
"""``--shard-s``."""
SampleRateOption = Annotated[
    float | None,
    typer.Option(
        "--sample-rate",
        min=0.0001,
        max=1000.0,
        metavar="HZ",
        help="Recognise so many frames a second of videos. [default: all]",
    ),
]
"""``--sample-rate``."""
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        max=86_400.0,
        metavar="S",
        help="How long one picture may take, or one frame. [default: 300]",
    ),
]
"""``--timeout``."""
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Do again what could not be read.")
]
"""``--retry-failed``."""


def refuse_without_dataset(dataset: Path | None, **options: object) -> None:
    """Refuse options that mean nothing without ``--dataset``, and the others with it.

    Args:
        dataset: the option's value.
        options: values that need it, by the name of their option; those that must not stand
            beside it begin with ``not_``.
    """
    for name, value in options.items():
        is_against = name.startswith("not_")
        if value not in (None, False, EngineName.PROCESSES, []) and is_against == bool(dataset):
            hint = f"--{name.removeprefix('not_').replace('_', '-')}"
            words = "cannot stand beside --dataset" if is_against else "needs --dataset"
            raise typer.BadParameter(words, param_hint=hint)


def recognize_into(
    dataset: Path,
    sources: list[str],
    *,
    as_json: bool,
    open_classifier: Callable[[], "Classifier"],
    **options: Any,
) -> None:
    """Do a job and end with its exit code: 0 all done; 1 something could not be read, and all else
    is done; 2 not finished.

    Args:
        dataset: the folder.
        sources: as a person named them.
        as_json: print a line of JSON for each shard, and one about all.
        open_classifier: opens the model; what it raises ends the job, too.
        options: of `mien.recognize_dataset`, those that are None left out.
    """
    from mien.workflows.datasets.run import recognize_dataset

    given = {name: value for name, value in options.items() if value is not None}
    told: set[str] = set()

    def tell(line: str) -> None:
        told.add(line)
        warn(line)

    try:
        given["model"] = open_classifier()
        with terminable(), _shown(as_json=as_json) as show:
            result = recognize_dataset(sources, dataset, on_problem=tell, on_progress=show, **given)
    except MienError as error:
        if str(error) not in told:
            warn(str(error))
        raise typer.Exit(1 if isinstance(error, SourceError) else NOT_FINISHED) from error
    except KeyboardInterrupt:
        warn("ended before all was done; the same command goes on")
        raise
    _print_summary(result, as_json=as_json)
    if not result.is_complete:
        n_left = result.n_shards - result.n_done
        warn(f"{n_left:,} of {result.n_shards:,} shards are not done; give the command again")
        raise typer.Exit(NOT_FINISHED)
    if result.n_quarantined or result.problems:
        raise typer.Exit(1)


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Callable[["DatasetProgress"], None]]:
    """A function that shows progress: a bar on a terminal, now and then a line elsewhere, and JSON
    where that is wanted."""
    shown_s = time.monotonic()
    with progress_bar(
        "shards", shown=not (as_json and sys.stdout.isatty()), with_note=True
    ) as move:

        def show(progress: "DatasetProgress") -> None:
            nonlocal shown_s
            move(progress.n_done, progress.n_shards, progress.words)
            if as_json:
                if progress.report is not None:
                    print_line(json.dumps(_members(progress, progress.report)))
            elif not errors.is_terminal and time.monotonic() - shown_s >= _LINE_S:
                shown_s = time.monotonic()
                done = f"{progress.n_done:,} of {progress.n_shards:,} shards"
                errors.print(f"{done}, {progress.words}", soft_wrap=True)

        yield show


def _members(progress: "DatasetProgress", report: "ShardReport") -> dict[str, Any]:
    counts = report.counts
    return {
        "shard": report.task.shard,
        "step": report.task.step,
        "seconds": round(report.seconds, 3),
        "statuses": counts.statuses if counts else {},
        "frames": counts.n_frames if counts else 0,
        "faces": counts.n_faces if counts else 0,
        "done": progress.n_done,
        "shards": progress.n_shards,
        "frames_per_s": round(progress.frames_per_s, 1),
        "remaining_s": None if progress.remaining_s is None else round(progress.remaining_s, 1),
    }


def _print_summary(result: "DatasetResult", *, as_json: bool) -> None:
    counts = result.counts
    if as_json:
        members = {
            "dataset": str(result.path),
            "statuses": counts.statuses,
            "frames": counts.n_frames,
            "faces": counts.n_faces,
            "done": result.n_done,
            "shards": result.n_shards,
            "seconds": round(result.seconds, 1),
        }
        print_line(json.dumps(members))
        return
    statuses = ", ".join(f"{n:,} {status}" for status, n in sorted(counts.statuses.items()))
    output.print(
        f"{result.path}: {result.n_done:,} of {result.n_shards:,} shards, {statuses or 'no rows'}; "
        f"{counts.n_frames:,} pictures and frames, {counts.n_faces:,} faces, "
        f"{result.seconds:.1f} s",
        markup=False,
    )
