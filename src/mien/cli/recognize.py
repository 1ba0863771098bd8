"""``mien recognize``: expressions in photos and videos, and in folders of them."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    open_model,
)
from mien.cli.recognition_options import (
    DetectorName,
    DetectorOption,
    HalfLifeOption,
    MinConfidenceOption,
    OfflineOption,
    RotateName,
    RotateOption,
    Tta,
    TtaOption,
)

if TYPE_CHECKING:
    from mien.cli.recognizing import Wanted, Work
    from mien.sources.inputs import Input


def recognize(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Photos, videos, folders of them, and addresses of videos and streams.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON per picture or frame.")
    ] = False,
    table: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write a table, a row per face: .csv, .parquet, or .jsonl or .json (a line per "
            "frame). This, --segments and --timeline may be repeated.",
        ),
    ] = None,
    segments: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write when each face of a video showed what: .csv, .json, or .vtt (subtitles).",
        ),
    ] = None,
    timeline: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Write a page about a video: .html."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Write annotated copies: a folder, or a file for one picture or video (.mp4).",
        ),
    ] = None,
    detector: DetectorOption = DetectorName.AUTO,
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "default",
    offline: OfflineOption = False,
    min_confidence: MinConfidenceOption = 0.0,
    tta: TtaOption = Tta.NONE,
    half_life: HalfLifeOption = None,
    search_side: Annotated[
        int | None,
        typer.Option(
            min=64,
            metavar="PX",
            help="Longest side to which pictures are reduced to search for faces; more finds "
            "smaller faces and takes longer. [default: 1280; videos: half of it, 320 to 640]",
        ),
    ] = None,
    rotate: RotateOption = RotateName.AUTO,
    frame_rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1000.0,
            metavar="HZ",
            help="The pictures of a folder are the frames of one video, so many a second.",
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Refuse larger pictures and frames. [default: 100 million; 67 for videos]",
        ),
    ] = None,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Recognise the expressions in photos and videos; prints a table.

    What cannot be read is named on stderr, the others are done all the same, and the exit code
    is 1. A picture or video without a face is no failure.

    For example:

    mien recognize photos/ --table faces.csv --out annotated/

    mien recognize talk.mp4 --out shown.mp4 --segments talk.vtt --timeline talk.html
    """
    from mien.cli.console import terminable, warn
    from mien.cli.recognizing import Wanted, Work

    if frame_rate is not None and not any(Path(source).is_dir() for source in sources):
        raise typer.BadParameter("is for a folder of pictures", param_hint="--frame-rate")
    inputs, failures = _find(sources, frame_rate)
    wanted = Wanted(
        tables=tuple(table or ()), segments=tuple(segments or ()), timelines=tuple(timeline or ())
    )
    copies = _plan(inputs, wanted, out)
    if inputs:
        opened = open_model(model, labels, scaling, architecture, input_size)
        work = Work(
            opened.classifier(),
            detector.value,
            offline=offline,
            on_fallback=warn,
            search_side_px=search_side,
            half_life_s=half_life,
            min_confidence=min_confidence,
            tta=tta.value,
            rotate=rotate.degrees,
            max_pixels=max_pixels,
            as_json=as_json,
        )
        with terminable():
            failures += _work(work, inputs, copies, wanted)
    if failures:
        raise typer.Exit(1)


def _find(sources: Sequence[str], frame_rate_hz: float | None) -> "tuple[list[Input], int]":
    """The pictures and videos of all sources, and how many sources failed."""
    from mien.cli.console import warn
    from mien.errors import SourceError
    from mien.sources.inputs import find_inputs

    inputs: list[Input] = []
    failures = 0
    for source in sources:
        try:
            inputs.extend(find_inputs(source, frame_rate_hz=frame_rate_hz))
        except SourceError as error:
            warn(str(error))
            failures += 1
    return inputs, failures


def _plan(inputs: "Sequence[Input]", wanted: "Wanted", out: str | None) -> list[Path | None]:
    """Check all outputs before the work; returns where each input's copy goes."""
    from mien.outputs.copies import plan_copies
    from mien.outputs.paths import check_outputs
    from mien.sources.inputs import Video

    n_videos = sum(isinstance(item, Video) for item in inputs)
    if inputs and (wanted.segments or wanted.timelines) and n_videos != 1:
        what = "--segments" if wanted.segments else "--timeline"
        raise typer.BadParameter(f"is about one video; {n_videos} were named", param_hint=what)
    wanted.check()
    copies = plan_copies(inputs, out) if out is not None else []
    check_outputs([*copies, *wanted.paths], [item.path for item in inputs if item.path is not None])
    return [*copies] if copies else [None] * len(inputs)


def _work(
    work: "Work", inputs: "Sequence[Input]", copies: Sequence[Path | None], wanted: "Wanted"
) -> int:
    """Recognise everything and print; returns how many failed."""
    from mien.outputs.tables import Table
    from mien.sources.inputs import Video

    n_videos = sum(isinstance(item, Video) for item in inputs)
    failures = 0
    with ExitStack() as stack:
        tables = [
            stack.enter_context(Table(path, work.label_keys, of_videos=n_videos > 0))
            for path in wanted.tables
        ]
        # A video has a bar of its own, and two would fight for the terminal.
        show = stack.enter_context(work.bar(0 if n_videos else len(inputs)))
        for done, (item, copy) in enumerate(zip(inputs, copies, strict=True)):
            show(done, len(inputs))
            if isinstance(item, Video):
                failures += not work.video(item, copy, tables, wanted)
            else:
                failures += not work.picture(item, copy, tables)
        if failures == len(inputs):
            for table in tables:
                table.abandon()
    work.print_pictures()
    return failures
