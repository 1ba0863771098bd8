"""``mien ensemble``: several models as one file that averages what they say."""

from pathlib import Path
from typing import Annotated

import typer


def ensemble(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="Two or more of the same classes and input: names, folders of trainings, or "
            ".onnx files.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .onnx file to write.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name in its card. [default: the file's name]"),
    ] = None,
    common: Annotated[
        bool,
        typer.Option(
            "--common", help="Average the classes that all have, where they have different ones."
        ),
    ] = False,
) -> None:
    """Join several models into one that averages their probabilities.

    The file is a model like any other: it can be evaluated, calibrated, used, and named as the
    teacher of a smaller one. It takes as long and is as large as its members together, less what
    they have in common.

    For example:

    mien ensemble runs/first runs/second --out both.onnx
    """
    from mien.cli.console import output
    from mien.workflows import exporting

    try:
        result = exporting.ensemble(models, out, name=name, common=common)
    except exporting.ArgumentError as error:
        raise typer.BadParameter(str(error), param_hint=error.argument) from error
    for line in result.lines:
        output.print(line, markup=False)
