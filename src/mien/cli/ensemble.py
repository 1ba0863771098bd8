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
) -> None:
    """Join several models into one that averages their probabilities.

    The file is a model like any other: it can be evaluated, calibrated, used, and named as the
    teacher of a smaller one. It takes as long and is as large as its members together.

    For example:

    mien ensemble runs/first runs/second --out both.onnx
    """
    from mien.cli.console import output
    from mien.cli.onnx_output import check_onnx_output
    from mien.formats.ensemble import to_ensemble
    from mien.formats.onnx_cards import write_bundle
    from mien.model.names import resolve_model
    from mien.recognition.classifier import Classifier

    if len(models) < 2:
        raise typer.BadParameter("name two models or more", param_hint="MODEL")
    paths = [resolve_model(model) for model in models]
    check_onnx_output(out, paths)
    for path in paths:
        Classifier(path)  # names the file that is damaged
    bundle = to_ensemble([path.read_bytes() for path in paths], name or out.stem)
    write_bundle(bundle, out)
    output.print(f"{out}: {len(paths)} members, {len(bundle) / 1e6:.2f} MB", markup=False)
