"""``mien export``: a trained network as one file to run elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.model_argument import (
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    reading_of,
)


class Format(StrEnum):
    """Formats that a network can be exported to."""

    ONNX = "onnx"
    ONNX_INT8 = "onnx-int8"
    LITERT = "litert"
    SAVED_MODEL = "saved-model"
    KERAS = "keras"
    H5 = "h5"


def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="Folder of a training, or a Keras file (.keras .h5 .hdf5); for onnx-int8, and "
            "for --scores without --data, also 'default', another name, or an .onnx file.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="SRC",
            help="Labelled faces to prove the export on. [default: those that the training's "
            "folder keeps] A Keras file of another origin needs some, and so does onnx-int8: with "
            "a validation split, or those of the training.",
        ),
    ] = None,
    to: Annotated[Format, typer.Option(help="Format of the file.")] = Format.ONNX,
    ferplus: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="onnx-int8: fer2013new.csv, where the model has FER+'s classes.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File or folder to write. [default: model.onnx, model-int8.onnx, model.tflite, "
            "saved_model, model.keras or model.h5 in the run folder; beside a Keras file]",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="onnx-int8: name in the card. [default: the model's, with -int8]",
        ),
    ] = None,
    largest_loss: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="POINTS",
            help="onnx-int8: by how many percentage points accuracy may fall. [default: 0.3]",
        ),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="metrics.json of an evaluation of this very file, to go into its card; may be "
            "repeated.",
        ),
    ] = None,
    weights_only: Annotated[
        bool,
        typer.Option("--weights-only", help="keras and h5: only the weights, as .weights.h5."),
    ] = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Export a network in a format that other programs read, with its model card inside.

    A file is written only if it gives the probabilities that Keras gives, to 1e-4, on real
    faces: those that a run keeps, or --data. With --scores and without --data the run's
    model.onnx, or the .onnx file, is taken as it is, and the measured results go into its card.

    onnx-int8 computes in 8-bit integers: a third of the size, and about twice as fast. It is
    written only if accuracy falls by 0.3 points at most (--largest-loss) on the validation faces
    without a duplicate in training, or by three faces; its temperature is fitted on them.

    For example:

    mien export runs/plain_cnn --to litert

    mien export net.hdf5 --labels angry,happy,sad --scaling -1..1 --data fer2013.csv
    """
    from mien.cli.console import output
    from mien.workflows import exporting

    try:
        result = exporting.export(
            model,
            to.value,
            data=data,
            out=out,
            ferplus=ferplus,
            name=name,
            largest_loss_points=largest_loss,
            scores=scores or [],
            weights_only=weights_only,
            reading=reading_of(labels, scaling, architecture, input_size),
        )
    except exporting.ArgumentError as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.argument}") from error
    for line in result.lines:
        output.print(line, markup=False)
