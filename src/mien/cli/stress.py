"""``mien stress``: what blur, noise, light, JPEG, crooked crops and covered faces cost a model."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    reading_of,
    words,
)
from mien.cli.split_options import RecipeSplitOption, SplitName


def stress(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        str, typer.Option(metavar="SRC", help="fer2013.csv, or a folder or zip of class folders.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for stress.html, .md, .json, .csv and figures."),
    ] = None,
    ferplus: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="fer2013new.csv: measure against the majority of FER+'s annotators.",
        ),
    ] = None,
    split: Annotated[
        SplitName,
        typer.Option(help="Which faces are measured; test is for the last measurement alone."),
    ] = SplitName.VALIDATION,
    sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Measure so many faces, drawn at random."),
    ] = None,
    recipe_split: RecipeSplitOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Measure what twelve kinds of damage cost a model, each in five strengths.

    Blur, noise, brightness, contrast, gamma, JPEG, roll, box shift, box scale, face size, eyes
    covered, mouth covered. Prints the accuracy at each strength, the mean of a kind, what it costs
    against unharmed faces with a 95 % interval, and the class whose recall falls most.

    For example:

    mien stress default --data fer2013.csv --out stress
    """
    from mien.cli.console import output, print_written, progress_bar
    from mien.cli.tables import boxed
    from mien.workflows.stressing import stress as measure

    reading = labels, scaling, architecture, input_size
    command = ["mien", "stress", model, *words(*reading), "--data", data, "--split", split.value]
    for name, value in (("--ferplus", ferplus), ("--sample", sample), ("--out", out)):
        command += [] if value is None else [name, str(value)]
    command += ["--recipe-split"] if recipe_split else []
    with progress_bar("classifying damaged faces") as progress:
        result = measure(
            model,
            data,
            out=out,
            split=split.value,
            ferplus=ferplus,
            recipe_split=recipe_split,
            sample=sample,
            reading=reading_of(*reading),
            command=shlex.join(command),
            progress=progress,
        )
    output.print(result.title, markup=False)
    output.print(boxed(result.table))
    for line in result.lines:
        output.print(line, markup=False, soft_wrap=False)
    if out is not None:
        print_written(out / "stress.html")
