"""``mien train``: recipe and labelled faces to a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mien.samples import Samples, Split


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
    from mien.cli.console import errors, load_keras_quietly, output, split_table, warn

    load_keras_quietly()
    from mien.cli.measuring import calibration_line
    from mien.cli.progress import EpochProgress
    from mien.data import read_samples
    from mien.model.names import resolve_model
    from mien.training.adjusting import for_run
    from mien.training.recipe import load_recipe
    from mien.training.run import train as run_training
    from mien.training.run_folder import check_folder

    options = {
        "pretrained": pretrained,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "precision": precision,
    }
    chosen, left_out = for_run(
        load_recipe(recipe),
        options,
        set_ or [],
        votes=ferplus is not None,
        teachers=len(teacher or []),
    )
    # Before the work, not after it.
    chosen.check_votes(ferplus is not None)
    teachers = [resolve_model(model) for model in teacher or []]
    chosen.check_teachers(len(teachers))
    check_folder(out, chosen, resume)
    samples = read_samples(data, ferplus=ferplus)

    def describe(parts: "Mapping[Split, Samples]") -> None:
        errors.print(split_table(parts, samples))
        for what in left_out:
            errors.print(f"caution: {chosen.name} {what}", markup=False)

    with EpochProgress(chosen.total_epochs, len(chosen.plan)) as progress:
        try:
            run = run_training(
                chosen,
                samples,
                out,
                teachers=teachers,
                resume=resume,
                described=describe,
                progress=progress.epoch_done,
                consulting=progress.consulting,
                extra_callbacks=[progress.callback()],
            )
        except KeyboardInterrupt:
            warn("interrupted; the same command with --resume goes on after the last whole epoch")
            raise
    best = run.best
    output.print(
        f"{chosen.name}: validation accuracy {100 * best['val_accuracy']:.2f} %, "
        f"macro F1 {100 * best['val_f1']:.2f} % in epoch {best['epoch']:.0f} "
        f"of {len(run.history)}, chosen by {run.monitor}"
    )
    fitted = run.temperature.calibration
    output.print(
        f"temperature 1, as none could be fitted: {run.temperature.reason}"
        if fitted is None
        else calibration_line(run.temperature.temperature, fitted),
        markup=False,
    )
    if run.bundle is None or run.parity is None:
        output.print(
            "no ONNX bundle: this Keras backend cannot export; run "
            f"KERAS_BACKEND=tensorflow mien export {out}"
        )
    else:
        output.print(
            f"{run.bundle}: agrees with Keras to {run.parity.largest_difference:.0e} "
            f"on {run.parity.faces} faces"
        )
