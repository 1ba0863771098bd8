"""``mien calibrate``: a model whose confidences match its accuracy."""

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
)
from mien.cli.split_options import RecipeSplitOption, SplitName


def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    data: Annotated[
        str, typer.Option(metavar="SRC", help="fer2013.csv, or a folder or zip of class folders.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.onnx", help="The calibrated copy.")],
    ferplus: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="fer2013new.csv: the labels are FER+'s majorities."),
    ] = None,
    split: Annotated[
        SplitName,
        typer.Option(help="Which faces it is fitted on; only validation is taken."),
    ] = SplitName.VALIDATION,
    recipe_split: RecipeSplitOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Fit a model's temperature, so that its confidences match its accuracy.

    Writes a copy of the model whose card holds the temperature and how it was fitted. The most
    probable class of every face stays the same. Validation faces with a pixel-identical duplicate
    among the training faces are left out. Training faces are refused, as the model is more
    confident of them than of new ones, and so is the test split, which chooses nothing. A
    training of mien ends with this; use it for older runs, for other faces, and for Keras files.

    For example:

    mien calibrate default --data faces/ --out calibrated.onnx

    mien calibrate net.h5 --labels angry,happy,sad --scaling 0..1 --data faces/ --out net.onnx
    """
    from mien.cli.console import output, progress_bar
    from mien.cli.tables import boxed
    from mien.errors import CalibrationError
    from mien.workflows import calibrating

    try:
        calibrating.check_split(split.value)
    except CalibrationError as error:
        raise typer.BadParameter(str(error), param_hint="--split") from error
    with progress_bar("classifying faces") as progress:
        result = calibrating.calibrate(
            model,
            data,
            out,
            ferplus=ferplus,
            recipe_split=recipe_split,
            reading=reading_of(labels, scaling, architecture, input_size),
            progress=progress,
        )
    output.print(result.title, markup=False)
    if result.note:
        output.print(result.note, markup=False)
    output.print(boxed(result.table))
    if result.scores_were_changed:
        output.print(
            "the card's scores were measured at another temperature: their accuracies stay; "
            "calibration errors, and scores with --tta flip, are left out",
            markup=False,
        )
    output.print(f"{out}: temperature {result.card.temperature:.4g}", markup=False)
