"""``mien evaluate``: how good a model is, as a report that can be trusted."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.group_options import (
    ByOption,
    GroupDetectorOption,
    GroupsOption,
    UncertainBelowOption,
    group_words,
    groups_wanted,
)
from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    reading_of,
    words,
)
from mien.cli.recognition_options import DetectorName, OfflineOption, Tta
from mien.cli.split_options import RecipeSplitOption, SplitName


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        str, typer.Option(metavar="SRC", help="fer2013.csv, or a folder or zip of class folders.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")],
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
    tta: Annotated[
        Tta, typer.Option(help="'flip' averages each face with its mirror image.")
    ] = Tta.NONE,
    recipe_split: RecipeSplitOption = False,
    groups: GroupsOption = None,
    by: ByOption = None,
    min_confidence: UncertainBelowOption = 0.5,
    detector: GroupDetectorOption = DetectorName.AUTO,
    offline: OfflineOption = False,
    stress: Annotated[
        bool, typer.Option("--stress", help="Measure what damage costs, too, as mien stress does.")
    ] = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Measure how good a model is and write a report.

    The report folder holds metrics.json and predictions.csv for programs, report.html and
    report.md for people, classification_report.txt to paste, plots and pictures of faces.
    Accuracy comes with a 95 % interval, and also for the faces that have no pixel-identical
    duplicate among the training faces.

    For example:

    mien evaluate default --data fer2013.csv --split validation --out report

    mien evaluate default --data faces/ --out report --groups people.csv --by age --by age,sex

    mien evaluate net.h5 --labels angry,happy,sad --scaling 0..1 --data faces/ --out report
    """
    from mien.cli.console import output, print_written, progress_bar
    from mien.cli.tables import boxed
    from mien.reports.scores import classes_table, scores_table, stress_table
    from mien.workflows.evaluating import evaluate as measure

    reading = labels, scaling, architecture, input_size
    asked = groups, tuple(by or ()), min_confidence, detector, offline
    command = _command(
        [
            *(model, *words(*reading), *(["--recipe-split"] if recipe_split else [])),
            *group_words(*asked),
            *(["--stress"] if stress else []),
        ],
        *(data, ferplus, split, tta, out),
    )
    with progress_bar("classifying faces") as progress:
        result = measure(
            model,
            data,
            out=out,
            split=split.value,
            tta=tta.value,
            ferplus=ferplus,
            recipe_split=recipe_split,
            reading=reading_of(*reading),
            groups=groups_wanted(*asked),
            stress=stress,
            command=command,
            progress=progress,
        )
    output.print(result.title, markup=False)
    for line in result.cautions:
        output.print(line, markup=False, soft_wrap=False)
    output.print(boxed(scores_table(result.evaluation)))
    output.print(boxed(classes_table(result.evaluation), averages=2))
    for table in result.group_tables:
        output.print(boxed(table))
    for line in result.group_lines:
        output.print(line, markup=False, soft_wrap=False)
    if result.stress is not None:
        output.print(boxed(stress_table(result.stress)))
    print_written(out / "report.html")


def _command(
    model: list[str], data: str, ferplus: Path | None, split: SplitName, tta: Tta, out: Path
) -> str:
    """The command that was given, with every choice spelled out."""
    command = ["mien", "evaluate", *model, "--data", data]
    if ferplus is not None:
        command += ["--ferplus", str(ferplus)]
    return shlex.join([*command, "--split", split, "--tta", tta, "--out", str(out)])
