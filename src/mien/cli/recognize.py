"""``mien recognize``: expressions in photos and folders of photos."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from enum import StrEnum
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

if TYPE_CHECKING:
    from mien.results import Expression, FrameResult
    from mien.video.pictures import Picture


class DetectorName(StrEnum):
    """Detectors by name, as `mien.recognition.detectors.DETECTOR_NAMES`."""

    AUTO = "auto"
    YUNET = "yunet"
    HAAR = "haar"
    WHOLE = "whole"


def recognize(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE", help="Photos, and folders of photos.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON per picture.")
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a table: .csv (a row per face) or .jsonl."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Write annotated copies of the pictures: a folder, or a file for one picture.",
        ),
    ] = None,
    detector: Annotated[
        DetectorName,
        typer.Option(
            help="auto: YuNet, or Haar where YuNet's file cannot be had; "
            "whole: every picture is one face."
        ),
    ] = DetectorName.AUTO,
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "default",
    offline: Annotated[bool, typer.Option("--offline", help="Never touch the network.")] = False,
    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Refuse larger pictures. [default: 100 million]"),
    ] = None,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Recognise the expressions in photos; prints a table.

    A picture that cannot be read is named on stderr, the others are done all the same, and the
    exit code is 1. A picture without a face is no failure.
    """
    from mien.cli.console import print_line, progress_bar, warn
    from mien.errors import SourceError
    from mien.images import MAX_PIXELS, read_image
    from mien.recognition.recognizer import Recognizer
    from mien.video.overlay import annotate
    from mien.video.pictures import plan_copies
    from mien.video.sinks import TABLE_SUFFIXES, check_suffix, json_line, open_table, write_picture

    if table is not None:
        check_suffix(table, TABLE_SUFFIXES, "table")
    pictures, failures = _find(sources)
    copies = plan_copies(pictures, out) if out is not None else [None] * len(pictures)
    results: list[FrameResult] = []
    with ExitStack() as stack:
        if pictures:
            opened = open_model(model, labels, scaling, architecture, input_size)
            recognizer = Recognizer(
                opened.classifier(), detector.value, offline=offline, on_fallback=warn
            )
            keys = recognizer.classifier.label_set.keys
            write = stack.enter_context(open_table(table, keys)) if table else None
        is_long = len(pictures) > 4 and not (as_json and sys.stdout.isatty())
        show = stack.enter_context(progress_bar("recognizing", shown=is_long))
        for done, (picture, copy) in enumerate(zip(pictures, copies, strict=True)):
            show(done, len(pictures))
            try:
                image_rgb = read_image(picture.path, max_pixels=max_pixels or MAX_PIXELS)
            except SourceError as error:
                warn(str(error))
                failures += 1
                continue
            result = recognizer.recognize(image_rgb, source=str(picture.path))
            if write is not None:
                write(result)
            if copy is not None:
                write_picture(copy, annotate(image_rgb, result))
            if as_json:
                print_line(json_line(result))
            else:
                results.append(result)
    if results:
        _print_table(results)
    if failures:
        raise typer.Exit(1)


def _find(sources: Sequence[Path]) -> "tuple[list[Picture], int]":
    """The pictures of all sources, and how many sources failed."""
    from mien.cli.console import warn
    from mien.errors import SourceError
    from mien.video.pictures import find_pictures

    pictures: list[Picture] = []
    failures = 0
    for source in sources:
        try:
            pictures.extend(find_pictures(source))
        except SourceError as error:
            warn(str(error))
            failures += 1
    return pictures, failures


def _print_table(results: "Iterable[FrameResult]") -> None:
    from rich.markup import escape
    from rich.table import Table

    from mien.cli.console import output

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
            table.add_row(source if number == 1 else "", str(number), box, first, ", ".join(others))
    output.print(table)


def _ranked(expression: "Expression") -> list[str]:
    """The most probable classes with their percentages, without those of 0 %."""
    ranked = sorted(
        zip(expression.probabilities, expression.label_set, strict=True), key=lambda pair: -pair[0]
    )
    return [f"{label.display_name} {p:.0%}" for p, label in ranked[:3] if p >= 0.005]
