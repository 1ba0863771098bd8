"""Recipe + labelled faces -> run folder.

A run folder holds ``recipe.json``, ``environment.json``, ``history.csv``, ``best.keras``, a
``card.json`` and, while it runs, ``backup/``, from which a training that was interrupted in any
way resumes to the same result. ``export.export_run`` adds ``model.onnx``, and `curves` the
``curves.png``.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import keras

from mien import provenance, zoo
from mien.data import splits
from mien.data.batches import Batches
from mien.errors import RecipeError, TrainingError
from mien.files import write_text
from mien.labels import label_set_of
from mien.preprocessing import InputSpec
from mien.samples import Samples, Split
from mien.training import callbacks, objective
from mien.training.recipe import Recipe
from mien.training.twin import EXPRESSION, copy_weights, training_twin

Progress = Callable[[dict[str, float]], None]
"""Called after each epoch with its row of the history."""

_VALIDATION_BATCH = 256


@dataclass(frozen=True, slots=True)
class Run:
    """A training that has ended."""

    folder: Path
    """The run folder."""
    history: tuple[dict[str, float], ...]
    """One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate ..."""

    @property
    def best(self) -> dict[str, float]:
        """Row of the epoch that was kept: the first one of the highest validation accuracy."""
        return max(self.history, key=lambda row: (row[callbacks.METRIC], -row["epoch"]))


def train(
    recipe: Recipe,
    samples: Samples,
    folder: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run:
    """Train a network by a recipe.

    Args:
        recipe: what to do.
        samples: labelled faces; pictures of the test split are not used.
        folder: the run folder; must be new unless ``resume``.
        resume: go on from the folder's backup, or from the start where it has none.
        progress: called after each epoch.
        extra_callbacks: further Keras callbacks, e.g. a progress bar.

    Returns:
        The run.

    Raises:
        TrainingError: the folder has a run already, or another one than is to be resumed; a
            split is empty; the loss is not a number. The folder keeps the last good state.
        RecipeError: the recipe does not fit the zoo or the data.
        OutputError: the folder cannot be written.
    """
    parts = split_samples(samples, recipe)
    spec = input_spec(recipe)
    keras.utils.set_random_seed(recipe.seed)
    network = zoo.build(
        recipe.architecture, spec, len(samples.label_set), **recipe.architecture_options
    )
    _open_folder(folder, recipe, resume)
    _describe(folder, recipe, parts)

    model, twin = training_twin(network, recipe)
    train_batches = Batches(
        parts[Split.TRAIN],
        spec,
        *objective.targets(parts[Split.TRAIN], recipe),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    validation_batches = Batches(
        parts[Split.VALIDATION],
        spec,
        *objective.targets(parts[Split.VALIDATION], recipe),
        batch_size=_VALIDATION_BATCH,
    )
    model.compile(
        optimizer=objective.optimizer(recipe, train_batches.steps_per_epoch),
        loss=objective.losses(recipe),
        loss_weights=objective.loss_weights(recipe),
        metrics={EXPRESSION: [keras.metrics.CategoricalAccuracy(name="accuracy")]},
        # XLA on a CPU is slower than oneDNN's kernels; JAX has nothing else.
        jit_compile=keras.backend.backend() == "jax",
    )
    first_epoch = _restore(model, folder / "backup")
    train_batches.first_epoch = first_epoch
    average = callbacks.AverageWeights() if recipe.ema_momentum else None

    def save_best(path: Path) -> None:
        with average.in_place() if average else nullcontext():
            copy_weights(twin, network)
        network.save(path)

    history = callbacks.History(folder / "history.csv", first_epoch, progress)
    if first_epoch < recipe.epochs:
        model.fit(
            train_batches,
            validation_data=validation_batches,
            epochs=recipe.epochs,
            initial_epoch=first_epoch,
            steps_per_epoch=train_batches.steps_per_epoch,
            shuffle=False,
            verbose=0,
            callbacks=[
                callbacks.EpochSeeds(recipe.seed),
                callbacks.StopOnNaN(),
                *([average] if average else []),
                *extra_callbacks,
                history,
                callbacks.BestNetwork(folder / "best.keras", history, save_best),
                callbacks.Backup(folder / "backup"),
            ],
        )
    return Run(folder, tuple(history.rows))


def split_samples(samples: Samples, recipe: Recipe) -> dict[Split, Samples]:
    """The rows that a recipe trains and validates on.

    Raises:
        TrainingError: one of the two has no rows.
    """
    assigned = splits.assign(samples, recipe.split)
    if recipe.drop_twins:
        assigned = splits.without_training_twins(assigned)
    parts = {split: assigned.of(split) for split in (Split.TRAIN, Split.VALIDATION)}
    for split, part in parts.items():
        if not len(part):
            raise TrainingError(
                f"{samples.source} has no {split} rows for recipe {recipe.name}; "
                "carve them out with --set split.validation_fraction=0.1"
            )
    return parts


def input_spec(recipe: Recipe) -> InputSpec:
    """Input of the recipe's network.

    Raises:
        RecipeError: the zoo has no such network.
    """
    if recipe.architecture not in zoo.ARCHITECTURES:
        known = ", ".join(zoo.ARCHITECTURES)
        raise RecipeError(f"no architecture {recipe.architecture!r}; known: {known}")
    return zoo.ARCHITECTURES[recipe.architecture].default_input


def _open_folder(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Check that the run may be written here, and write its recipe."""
    stored = folder / "recipe.json"
    if folder.is_dir() and any(folder.iterdir()) and not resume:
        raise TrainingError(
            f"{folder} is not empty; go on with its training by --resume, or name another folder"
        )
    if stored.exists() and json.loads(stored.read_text(encoding="utf-8")) != recipe.as_dict():
        raise TrainingError(
            f"{stored} is another recipe than the one named; resume with the same, "
            "or name another folder"
        )
    write_text(stored, json.dumps(recipe.as_dict(), indent=1) + "\n")


def _describe(folder: Path, recipe: Recipe, parts: dict[Split, Samples]) -> None:
    """Write down the environment, and the data that the run sees; a resumed run must see it too."""
    label_keys = parts[Split.TRAIN].label_set.keys
    data = {
        "source": Path(parts[Split.TRAIN].source).name,
        "labels": list(label_set_of(label_keys).keys),
        **{split.value: {"n": len(part), "sha256": part.sha256()} for split, part in parts.items()},
    }
    stored = folder / "data.json"
    if stored.exists() and json.loads(stored.read_text(encoding="utf-8")) != data:
        raise TrainingError(
            f"the data differ from those that {folder} was started with; resume with the same"
        )
    write_text(stored, json.dumps(data, indent=1) + "\n")
    environment = provenance.environment() | {"backend": keras.backend.backend()}
    write_text(folder / "environment.json", json.dumps(environment, indent=1) + "\n")


def _restore(model: keras.Model, backup_folder: Path) -> int:
    """Load the latest backup; returns the number of epochs that are done."""
    callbacks.sweep(backup_folder)
    backup = callbacks.latest_backup(backup_folder)
    if backup is None:
        return 0
    path, epochs_done = backup
    model.optimizer.build(model.trainable_variables)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}); delete it and start again with --resume"
        ) from error
    return epochs_done
