"""A training in one call: recipe, labelled faces and teachers to a run folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.data import read_samples
from mien.data.splits import cautions
from mien.data.unlabelled import Unlabelled, read_unlabelled
from mien.model.names import resolve_model
from mien.samples import Samples, Split
from mien.workflows.evaluating import calibration_line

if TYPE_CHECKING:
    import keras

    from mien.training.recipe import Recipe
    from mien.training.run import Run

Parts = Mapping[Split, Samples]
"""The rows that train and those that validate."""


def train(
    recipe: "str | Path | Recipe",
    data: str | Path,
    out: str | Path,
    *,
    ferplus: str | Path | None = None,
    teachers: Sequence[str | Path] = (),
    unlabelled: Sequence[str | Path] = (),
    options: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    devices: int | None = None,
    on_recipe: "Callable[[Recipe, Sequence[str]], None]" = lambda recipe, left_out: None,
    on_split: Callable[[Parts, Samples, Unlabelled | None], None] = lambda *found: None,
    progress: Callable[[dict[str, float]], None] | None = None,
    consulting: Callable[[int, int], None] | None = None,
    callbacks: "Callable[[], Sequence[keras.callbacks.Callback]]" = lambda: (),
) -> "Run":
    """Train a network by a recipe.

    The run folder gets the recipe, the history, learning curves, the best network and its ONNX
    bundle. An interrupted training goes on with ``resume`` and ends with the same weights. The
    best epoch is chosen on the validation split; the test split is never looked at.

    Args:
        recipe: a recipe file, which is run as any Python script, or a `Recipe`.
        data: ``fer2013.csv``, or a folder or zip of class folders.
        out: the run folder; a new one, but with ``resume``.
        ferplus: ``fer2013new.csv``: the FER+ votes of the same rows.
        teachers: trained models to learn from beside the labels, where the recipe does.
        unlabelled: folders and zips of faces without labels, where the recipe learns from such.
        options: fields of the recipe that most people change: ``epochs``, ``batch_size``,
            ``learning_rate``, ``seed``, ``precision``, and ``pretrained``, the weights that the
            network starts with: ``imagenet``, ``none`` or a file. None stays as it is.
        overrides: any field of the recipe as ``name=value``, e.g. ``augmentation.zoom=0``.
        resume: go on with the training that is in the folder.
        devices: spread every batch over so many devices of this machine; needs Keras on JAX, which
            is loaded so where it is not loaded yet and ``KERAS_BACKEND`` says nothing else.
        on_recipe: called before the data are read with the recipe as it will run, and a sentence
            for everything that it would learn from and that is not there.
        on_split: called before the work with the rows of each split, with all rows, and with the
            faces without labels.
        progress: called after each epoch with its row of the history.
        consulting: called with (faces done, faces in all) while teachers are asked.
        callbacks: makes further Keras callbacks, after ``on_recipe``.

    Raises:
        RecipeError: there is no such recipe, or it does not fit the data or the teachers.
        TrainingError: the folder has a run already, or another one than is to be resumed; a split
            is empty; the loss is not a number; there are fewer devices. The folder keeps the last
            good state.
        ModelError, WeightsError: a teacher is not there or damaged.
        SourceError, DatasetError: the data cannot be read.
        OutputError: the folder cannot be written.
        MissingExtraError: Keras is not installed.
    """
    from mien.formats.keras_import import load_keras_quietly

    load_keras_quietly("jax" if devices else None)
    from mien.training.adjusting import for_run
    from mien.training.live_teachers import find_teacher
    from mien.training.recipe import Recipe, load_recipe
    from mien.training.run import train as run_training
    from mien.training.run_folder import check_folder

    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(Path(recipe))
    chosen, left_out = for_run(
        chosen, options or {}, overrides, votes=ferplus is not None, teachers=len(teachers)
    )
    on_recipe(chosen, left_out)
    # Before the work, not after it.
    chosen.check_votes(ferplus is not None)
    chosen.check_teachers(len(teachers))
    chosen.check_unlabelled(len(unlabelled))
    find = find_teacher if chosen.is_live else resolve_model
    models = [find(str(teacher)) for teacher in teachers]
    check_folder(Path(out), chosen, resume)
    samples = read_samples(data, ferplus=ferplus)
    others = read_unlabelled([Path(source) for source in unlabelled]) if unlabelled else None
    return run_training(
        chosen,
        samples,
        Path(out),
        teachers=models,
        unlabelled=others,
        resume=resume,
        devices=devices,
        described=lambda parts: on_split(parts, samples, others),
        progress=progress,
        consulting=consulting,
        extra_callbacks=callbacks(),
    )


def result_lines(run: "Run", name: str) -> list[str]:
    """What a training came to, a line each.

    Args:
        run: a training that has ended.
        name: of its recipe.
    """
    best = run.best
    why = "the last one" if run.monitor == "epoch" else f"chosen by {run.monitor}"
    lines = [
        f"{name}: validation accuracy {100 * best['val_accuracy']:.2f} %, "
        f"macro F1 {100 * best['val_f1']:.2f} % in epoch {best['epoch']:.0f} "
        f"of {len(run.history)}, {why}"
    ]
    fitted = run.temperature.calibration
    lines.append(
        f"temperature 1, as none could be fitted: {run.temperature.reason}"
        if fitted is None
        else calibration_line(run.temperature.temperature, fitted)
    )
    if run.bundle is None or run.parity is None:
        lines.append(
            "no ONNX bundle: this Keras backend cannot export; run "
            f"KERAS_BACKEND=tensorflow mien export {run.folder}"
        )
    else:
        lines.append(
            f"{run.bundle}: agrees with Keras to {run.parity.largest_difference:.0e} "
            f"on {run.parity.faces} faces"
        )
    return lines


def split_rows(parts: Parts, samples: Samples) -> tuple[str, list[tuple[str, ...]], list[str]]:
    """What was found and how it was split, as text.

    Args:
        parts: the rows of each split that is shown.
        samples: all rows, as they were read; those in no part are counted as set aside.

    Returns:
        A line about the source; rows of a table by class, its head first and the sums last; and
        cautions.
    """
    import numpy as np

    classes = len(samples.label_set)
    counts: dict[str, Any] = {split.value: part.counts()[split] for split, part in parts.items()}
    rest = np.bincount(samples.labels, minlength=classes) - sum(counts.values())
    if rest.any():
        counts["set aside"] = rest
    rows = [("class", *counts)]
    rows += [
        (label.key, *(f"{count[index]:,}" for count in counts.values()))
        for index, label in enumerate(samples.label_set)
    ]
    rows.append(("all", *(f"{int(count.sum()):,}" for count in counts.values())))
    layout = next(iter(parts.values()), samples).layout
    return f"{samples.source}: {layout}", rows, [f"caution: {line}" for line in cautions(parts)]
