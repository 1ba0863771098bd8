"""Recipe + labelled faces -> run folder.

A training that was interrupted in any way resumes to the same result: what a batch holds and
what every random layer draws is a function of the seed and the epoch, and all other state is in
the run folder (see `run_folder`).
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import keras

from mien import zoo
from mien.data import splits
from mien.data.batches import Batches
from mien.errors import RecipeError, TrainingError
from mien.files import atomic_file
from mien.preprocessing import InputSpec
from mien.samples import Samples, Split
from mien.training import callbacks, objective, run_folder
from mien.training.curves import curves_png
from mien.training.export import PARITY_FACES, Parity, can_export, export_run
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

    bundle: Path | None
    """The ONNX bundle; None where the active Keras backend cannot export."""
    parity: Parity | None
    """Proof that the bundle agrees with Keras."""

    @property
    def best(self) -> dict[str, float]:
        """Row of the epoch that was kept."""
        return callbacks.best_row(self.history)


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
        resume: go on with the folder's training after its last whole epoch.
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
    run_folder.check_folder(folder, recipe, resume)
    parts = split_samples(samples, recipe)
    spec = input_spec(recipe)
    keras.utils.set_random_seed(recipe.seed)
    network = zoo.build(
        recipe.architecture, spec, len(samples.label_set), **recipe.architecture_options
    )
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
    # Nothing is written before everything that can be wrong with the recipe has been tried.
    run_folder.write_recipe(folder, recipe)
    run_folder.describe(folder, parts)
    first_epoch = run_folder.restore(model, folder)
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
                *callbacks.tensorboard(folder / run_folder.TENSORBOARD),
                history,
                callbacks.BestNetwork(folder / "best.keras", history, save_best),
                callbacks.Backup(folder / run_folder.BACKUP),
            ],
        )
    return _finish(folder, recipe, tuple(history.rows), parts[Split.VALIDATION])


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


def _finish(
    folder: Path, recipe: Recipe, history: tuple[dict[str, float], ...], validation: Samples
) -> Run:
    """Draw the curves and export the best network, proven on validation faces."""
    best_epoch = int(callbacks.best_row(history)["epoch"])
    with atomic_file(folder / "curves.png") as temporary:
        temporary.write_bytes(curves_png(history, best_epoch, recipe.name))
    if not can_export():
        return Run(folder, history, None, None)
    faces = [validation.images[index] for index in range(min(len(validation), PARITY_FACES))]
    return Run(folder, history, *export_run(folder, faces))


def input_spec(recipe: Recipe) -> InputSpec:
    """Input of the recipe's network.

    Raises:
        RecipeError: the zoo has no such network.
    """
    if recipe.architecture not in zoo.ARCHITECTURES:
        known = ", ".join(zoo.ARCHITECTURES)
        raise RecipeError(f"no architecture {recipe.architecture!r}; known: {known}")
    return zoo.ARCHITECTURES[recipe.architecture].default_input
