"""``mien train``: recipe and labelled faces to a run folder."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mien.samples import Samples
    from mien.training.recipe import Recipe


def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="Recipe file, e.g. recipes/plain_cnn.py.")
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="SRC",
            help="fer2013.csv (plain, .gz, .zip), or class folders, or their zip.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Run folder; a new one, but with --resume.")
    ],
    ferplus: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="fer2013new.csv: the FER+ votes of the same rows."),
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="A trained model to learn from beside the labels, where the recipe has a "
            "teacher_weight; may be repeated.",
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            metavar="imagenet|none|FILE",
            help="Weights that the network starts with; the recipe's where it is not given.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Change a field of the recipe, e.g. epochs=2 or augmentation.zoom=0; may be "
            "repeated. The fields are those of mien.training.recipe.Recipe.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that is in the folder.")
    ] = False,
) -> None:
    """Train a network by a recipe.

    The run folder gets the recipe, the history, learning curves, the best network and its ONNX
    bundle. An interrupted training goes on with --resume and ends with the same weights. The
    best epoch is chosen on the validation split; the test split is never looked at.
    """
    from mien.cli.console import errors, output, warn
    from mien.formats.keras_import import load_keras_quietly

    load_keras_quietly()
    from mien.cli.progress import EpochProgress
    from mien.cli.tables import split_table
    from mien.workflows import training

    with ExitStack() as stack:
        bars: list[EpochProgress] = []
        names: list[str] = []

        def begin(chosen: "Recipe", parts: "training.Parts", samples: "Samples") -> None:
            errors.print(split_table(parts, samples))
            names.append(chosen.name)
            bars.append(EpochProgress(chosen.total_epochs, len(chosen.plan)))
            stack.enter_context(bars[0])

        try:
            run = training.train(
                recipe,
                data,
                out,
                ferplus=ferplus,
                teachers=teacher or [],
                pretrained=pretrained,
                overrides=set_ or [],
                resume=resume,
                on_start=begin,
                progress=lambda row: bars[0].epoch_done(row),
                consulting=lambda done, total: bars[0].consulting(done, total),
                callbacks=lambda: [bars[0].callback()],
            )
        except KeyboardInterrupt:
            if bars:
                warn(
                    "interrupted; the same command with --resume goes on after the last whole epoch"
                )
            raise
    for line in training.result_lines(run, names[0], data):
        output.print(line, markup=False)
