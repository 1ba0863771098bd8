"""``mien compare``: which of several models is better, and whether chance explains it."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.recognition_options import Tta
from mien.cli.split_options import SplitName


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Two or more: the report folder of an evaluation or, with --data, the folder of "
            "a training or any other MODEL.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SRC",
            help="Labelled faces on which every RUN that is no report is measured now.",
        ),
    ] = None,
    split: Annotated[
        SplitName | None,
        typer.Option(help="Which faces are measured. [default: validation]"),
    ] = None,
    tta: Annotated[
        Tta, typer.Option(help="'flip' averages each measured face with its mirror image.")
    ] = Tta.NONE,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for comparison.html, .md, .json and .png, the plot."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare models on the same faces.

    Prints the scores of each with 95 % intervals, and for every pair the difference with its
    interval and McNemar's test. The plot shows the accuracies, and beside them the validation
    curves of the trainings that were named by their folder.

    For example:

    mien compare reports/plain_cnn reports/compact_cnn --out comparison

    mien compare runs/plain_cnn default --data fer2013.csv
    """
    from mien.cli.console import output, print_written, progress_bar
    from mien.cli.tables import plain
    from mien.workflows.comparing import OtherSplitError, names_of
    from mien.workflows.comparing import compare as compare_runs

    try:
        names_of(runs)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="RUN") from error
    try:
        result = compare_runs(
            runs,
            data,
            out=out,
            split=None if split is None else split.value,
            tta=tta.value,
            command=_command(runs, data, split, tta, out),
            bar=progress_bar,
        )
    except OtherSplitError as error:
        raise typer.BadParameter(str(error), param_hint="--split") from error
    if as_json:
        output.print(result.to_json(), end="", markup=False)
        return
    output.print(result.title, markup=False)
    for part in result.tables:
        output.print(plain(part))
        output.print()
    for text in result.notes:
        output.print(text, markup=False)
    if out is not None:
        print_written(out / "comparison.html")


def _command(
    runs: list[str], data: str | None, split: SplitName | None, tta: Tta, out: Path | None
) -> str:
    """The command that was given; --json says nothing of the numbers."""
    words = ["mien", "compare", *runs]
    for name, value in (("--data", data), ("--split", split), ("--tta", tta), ("--out", out)):
        if value is not None:
            words += [name, str(value)]
    return shlex.join(words)
