"""``mien explain``: where in a face a network looks."""

import shlex
from enum import StrEnum
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
from mien.cli.recognition_options import (
    DetectorName,
    DetectorOption,
    OfflineOption,
    RotateName,
    RotateOption,
)
from mien.cli.split_options import SplitName


class MethodName(StrEnum):
    """The values of `mien.workflows.explaining.Method`, which would load more with it."""

    AUTO = "auto"
    OCCLUSION = "occlusion"
    GRAD_CAM = "grad-cam"
    BOTH = "both"


def explain(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PHOTO", help="Photos, and folders of them, whose faces are explained."
        ),
    ] = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "default",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SRC",
            help="In place of photos, labelled faces: the mean map of each class.",
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for explanation.html, .md, .json and .png."),
    ] = Path("explanation"),
    method: Annotated[
        MethodName,
        typer.Option(
            help="auto: occlusion maps, and Grad-CAM where MODEL is a Keras file or the folder of "
            "a training."
        ),
    ] = MethodName.AUTO,
    expression: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Explain this class. [default: each face's answer]"),
    ] = None,
    split: Annotated[
        SplitName, typer.Option(help="With --data, which faces are looked at.")
    ] = SplitName.VALIDATION,
    faces_per_class: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --data, faces of each class at most.")
    ] = 30,
    detector: DetectorOption = DetectorName.AUTO,
    rotate: RotateOption = RotateName.AUTO,
    offline: OfflineOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Show which parts of a face a network's answer depends on.

    Occlusion maps work for every model: what is covered, and how much less sure the network then
    is. Grad-CAM needs the Keras network. With --data, the mean map of each class over faces that
    are classified as they are labelled.

    A photo that cannot be read is named on stderr, the others are explained all the same, and the
    exit code is 1.

    For example:

    mien explain photo.jpg --out why

    mien explain --data fer2013.csv --model runs/plain_cnn --out why
    """
    from mien.cli.console import output, print_written, progress_bar, warn
    from mien.workflows import explaining

    if data is None and not photos:
        raise typer.BadParameter("name photos, or labelled faces with --data", param_hint="PHOTO")
    if data is not None and photos:
        raise typer.BadParameter(
            f"either photos ({photos[0]}) are explained or labelled faces ({data}), not both in "
            "one run; leave one of them out",
            param_hint="PHOTO, --data",
        )
    if data is not None and expression is not None:
        raise typer.BadParameter("is for photos; --data explains all", param_hint="--expression")
    reading = labels, scaling, architecture, input_size
    command = ["mien", "explain", *map(str, photos or ()), "--model", model, *words(*reading)]
    command += ["--method", method.value]
    for name, value in (("--data", data), ("--expression", expression)):
        command += [] if value is None else [name, value]
    if data is not None:
        command += ["--split", split.value, "--faces-per-class", str(faces_per_class)]
    else:
        command += ["--detector", detector.value, "--rotate", rotate.value]
    line = shlex.join([*command, *(["--offline"] if offline else []), "--out", str(out)])
    with progress_bar("explaining faces") as progress:
        if data is not None:
            result = explaining.explain_data(
                data,
                model=model,
                method=method.value,
                split=split.value,
                faces_per_class=faces_per_class,
                reading=reading_of(*reading),
                out=out,
                command=line,
                progress=progress,
            )
        else:
            result = explaining.explain(
                list(photos or ()),
                model=model,
                method=method.value,
                expression=expression,
                detector=detector.value,
                rotate=rotate.degrees,
                offline=offline,
                reading=reading_of(*reading),
                out=out,
                command=line,
                progress=progress,
                on_problem=warn,
                on_left_out=warn,
            )
    output.print(result.title, markup=False)
    for text in result.lines:
        output.print(text, markup=False, soft_wrap=False)
    print_written(out / "explanation.html")
    if result.problems:
        raise typer.Exit(1)
