"""``mien train``: recipe and labelled faces to a run folder."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mien.data.unlabelled import Unlabelled
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
            "teacher_weight; may be repeated. Live teachers may be Keras files, too.",
        ),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SRC",
            help="A folder or zip of faces without labels, of which live teachers speak, where "
            "the recipe has an unlabelled_share; may be repeated.",
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            metavar="imagenet|none|FILE",
            help="Weights that the network starts with; the recipe's where it is not given.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Passes over the faces, in each phase.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Faces per step.")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Peak learning rate, that of the first phase; later ones keep their proportion.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of the first weights and all that is random.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="float32|mixed_bfloat16|mixed_float16", help="Arithmetic of the training."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Change any field of the recipe, e.g. augmentation.zoom=0; may be repeated. "
            "The fields are those of mien.training.recipe.Recipe.",
        ),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Spread every batch over N devices of this machine, with Keras on JAX. "
            "[default: one device, Keras as it is set up]",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that is in the folder.")
    ] = False,
) -> None:
    """Train a network by a recipe.

    The run folder gets the recipe, the history, learning curves, the best network and its ONNX
    bundle. An interrupted training goes on with --resume and ends with the same weights. The
    best epoch is chosen on the validation split; the test split is never looked at. Where the
    faces have no validation split, and the recipe makes none, a tenth of each training class
    becomes one.

    For example:

    mien train recipes/plain_cnn.py --data archive.zip --out runs/plain_cnn --epochs 30
    """
    from mien.cli.console import errors, output, warn
    from mien.formats.keras_import import load_keras_quietly

    load_keras_quietly("jax" if devices else None)
    from mien.cli.progress import EpochProgress
    from mien.cli.tables import split_table
    from mien.workflows import training

    with ExitStack() as stack:
        bars: list[EpochProgress] = []
        told: list[tuple[Recipe, Sequence[str]]] = []

        def prepare(chosen: "Recipe", left_out: "Sequence[str]") -> None:
            told.append((chosen, left_out))
            bars.append(EpochProgress(chosen.total_epochs, len(chosen.plan)))

        def begin(parts: "training.Parts", samples: "Samples", others: "Unlabelled | None") -> None:
            errors.print(split_table(parts, samples, others))
            chosen, left_out = told[0]
            for what in left_out:
                errors.print(f"caution: {chosen.name} {what}", markup=False, soft_wrap=True)
            stack.enter_context(bars[0])

        try:
            run = training.train(
                recipe,
                data,
                out,
                ferplus=ferplus,
                teachers=teacher or [],
                unlabelled=unlabelled or [],
                options={
                    "pretrained": pretrained,
                    "epochs": epochs,
                    "batch_size": batch_size,
                    "learning_rate": learning_rate,
                    "seed": seed,
                    "precision": precision,
                },
                overrides=set_ or [],
                resume=resume,
                devices=devices,
                on_recipe=prepare,
                on_split=begin,
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
    for line in training.result_lines(run, told[0][0].name):
        output.print(line, markup=False)
