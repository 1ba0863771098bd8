"""Recipe + labelled faces -> run folder.

A training that was interrupted in any way resumes to the same result: what a batch holds and
what every random layer draws is a function of the seed and the epoch, and all other state is in
the run folder (see `run_folder`).
"""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from mien import zoo
from mien.data.augmentation import augmentation_layers, damage_layers
from mien.data.batches import Batches, own_errors
from mien.data.splits import resolved
from mien.data.unlabelled import Unlabelled
from mien.errors import RecipeError, TrainingError
from mien.files import atomic_file
from mien.formats.bundle import Parity, can_export
from mien.samples import Samples, Split
from mien.training import callbacks, objective, run_folder
from mien.training.backup import Backup, load_backup
from mien.training.batch_picture import COLUMNS, batch_png
from mien.training.calibration import RunTemperature, calibrate_run
from mien.training.curves import curves_png
from mien.training.devices import check_devices, spread
from mien.training.export import export_ferplus, export_run
from mien.training.inputs import batches_of, input_spec, some_faces, split_samples
from mien.training.live_teachers import live_teachers
from mien.training.metrics import epoch_metrics
from mien.training.monitors import Checkpoint, EveryEpoch
from mien.training.monitors import stoppers as stoppers_of
from mien.training.optimizer import optimizer
from mien.training.phases import Phase, freeze
from mien.training.pretrained import load_pretrained
from mien.training.proof_faces import read_proof_faces, write_proof_faces
from mien.training.recipe import Recipe
from mien.training.teachers import consult, write_teachers, write_teaching
from mien.training.trainable import (
    EXPRESSION,
    FERPLUS_HEAD,
    copy_weights,
    ferplus_network,
    trainable_copy,
)
from mien.training.views import views_of

Progress = Callable[[dict[str, float]], None]
"""Called after each epoch with its row of the history."""


@dataclass(frozen=True, slots=True)
class Run:
    """A training that has ended."""

    folder: Path
    """The run folder."""
    history: tuple[dict[str, float], ...]
    """One row per epoch: epoch, phase, loss, accuracy, precision, recall, f1, the same with
    ``val_``, and learning_rate."""

    bundle: Path | None
    """The ONNX bundle; None where the active Keras backend cannot export."""
    parity: Parity | None
    """Proof that the bundle agrees with Keras."""
    temperature: RunTemperature
    """The network's temperature, and how it was fitted, or why it was not."""

    monitor: str = Checkpoint().monitor
    """Number by which the best epoch was chosen."""

    @property
    def best(self) -> dict[str, float]:
        """Row of the epoch that was kept."""
        return callbacks.best_row(self.history, self.monitor)


def train(
    recipe: Recipe,
    samples: Samples,
    folder: Path,
    *,
    teachers: Sequence[Path] = (),
    unlabelled: Unlabelled | None = None,
    resume: bool = False,
    devices: int | None = None,
    described: Callable[[Mapping[Split, Samples]], None] | None = None,
    progress: Progress | None = None,
    consulting: Callable[[int, int], None] | None = None,
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Run:
    """Train a network by a recipe.

    Args:
        recipe: what to do.
        samples: labelled faces; pictures of the test split are not used.
        folder: the run folder; must be new unless ``resume``.
        teachers: ``.onnx`` files of networks to learn from, where the recipe does; live ones may
            be ``.keras`` files, too.
        unlabelled: faces without labels, where the recipe learns from such.
        resume: go on with the folder's training after its last whole epoch.
        devices: spread every batch over so many devices (`training.devices`); None: do not.
        described: called with the rows of each split before anything is done with them.
        progress: called after each epoch.
        consulting: called with (faces done, faces in all) while teachers are asked.
        extra_callbacks: further Keras callbacks, e.g. a progress bar.

    Returns:
        The run.

    Raises:
        TrainingError: the folder has a run already, or another one than is to be resumed; a
            split is empty; the loss is not a number; there are fewer devices. The folder keeps
            the last good state.
        RecipeError: the recipe does not fit the zoo, the data, the teachers, the unlabelled
            faces or the devices.
        ModelError: a teacher's file is damaged.
        SourceError, DatasetError: a picture in a file is damaged, refused or gone; the folder
            keeps the state after the last whole epoch.
        OutputError: the folder cannot be written.
    """
    recipe.check_teachers(len(teachers))
    recipe = replace(recipe, split=resolved(samples, recipe.split))
    recipe.check_unlabelled(0 if unlabelled is None else len(unlabelled))
    run_folder.check_folder(folder, recipe, resume)
    parts = split_samples(samples, recipe)
    if devices is not None:
        check_devices(devices, recipe, len(parts[Split.TRAIN]), teachers)
    if described is not None:
        described(parts)
    with spread(devices):
        history = _fit(
            recipe,
            parts,
            folder,
            teachers,
            unlabelled,
            devices,
            progress,
            consulting,
            extra_callbacks,
        )
    return _finish(folder, recipe, history, parts[Split.VALIDATION])


def _fit(
    recipe: Recipe,
    parts: Mapping[Split, Samples],
    folder: Path,
    teachers: Sequence[Path],
    unlabelled: Unlabelled | None,
    devices: int | None,
    progress: Progress | None,
    consulting: Callable[[int, int], None] | None,
    extra_callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[dict[str, float], ...]:
    """All phases, from where the folder's run stands to the last one; gives its history."""
    backup, position = run_folder.position(folder)
    rows = parts[Split.TRAIN]
    spec = input_spec(recipe)
    keras.utils.set_random_seed(recipe.seed)
    network = zoo.build(
        recipe.architecture, spec, len(rows.label_set), **recipe.architecture_options
    )
    head = zoo.ARCHITECTURES[recipe.architecture].head or "logits"
    for phase in recipe.plan:
        freeze(network, phase, head)  # finds unknown layers before anything is done
    source: Mapping[str, str] = {}
    if not position.epochs:
        source = load_pretrained(
            network,
            recipe.architecture,
            recipe.pretrained,
            faces=lambda: some_faces(rows, spec),
        )
        _check_start(recipe, source)
    elif recipe.start_share:
        _load_start(network, folder)
    start_weights = network.get_weights() if recipe.start_share else []
    live, who = (
        live_teachers(teachers, rows, spec, folder, recipe) if recipe.is_live else (None, ())
    )
    model, trainable = trainable_copy(network, recipe, live)
    views = views_of(rows, spec, recipe)
    teaching = None
    if teachers and live is None:
        teaching = consult(teachers, rows, folder, views, consulting, mirror=recipe.teacher_mirror)
    train_batches, validation_batches = batches_of(
        parts, spec, recipe, teaching, views, unlabelled, devices
    )
    # Nothing is written before everything that can be wrong with the recipe has been tried.
    run_folder.write_recipe(folder, recipe)
    run_folder.describe(folder, parts, unlabelled, recipe.unlabelled_credit, devices)
    if teaching is not None:
        write_teaching(folder, teaching)
    elif live is not None:
        write_teachers(folder, who)
    if source:
        run_folder.write_pretrained(folder, source)
    write_proof_faces(folder, parts[Split.VALIDATION], spec.channels)
    if not position.epochs:
        _draw_batch(folder, recipe, train_batches)
        if recipe.start_share:
            with atomic_file(folder / run_folder.START) as temporary:
                network.save(temporary)

    kept = callbacks.KeptWeights(
        averaged=recipe.ema_momentum is not None,
        blended=trainable if recipe.start_share else None,
        start=start_weights,
        share=recipe.start_share,
    )

    def update_network() -> None:
        with kept.in_place():
            copy_weights(trainable, network)

    def save_best(path: Path) -> None:
        update_network()
        if recipe.ferplus_weight:
            # First: a process killed between the two repeats the epoch and writes both.
            with kept.in_place():
                head_weights = model.get_layer(FERPLUS_HEAD).get_weights()
            with atomic_file(folder / run_folder.BEST_FERPLUS) as temporary:
                ferplus_network(network, head_weights).save(temporary)
        network.save(path)

    history = callbacks.History(folder / "history.csv", position.epochs, progress)
    monitor = recipe.checkpoint.monitor
    for index, phase in enumerate(recipe.plan):
        if index < position.phase or (index == position.phase and position.phase_ended):
            continue
        start = position.at_phase(index)
        freeze(trainable, phase, head)
        _compile(model, recipe, phase, train_batches.steps_per_epoch)
        if start.phase_epochs and backup:
            load_backup(model, backup)
        elif index:
            network.load_weights(folder / run_folder.BEST)
            trainable.set_weights(network.get_weights())
        train_batches.first_epoch = start.epochs
        history.phase = index + 1
        stoppers = stoppers_of(recipe.early_stopping, recipe.reduce_on_plateau)
        phase_epochs = phase.epochs or recipe.epochs
        keeper = Backup(folder / run_folder.BACKUP, start, phase_epochs, stoppers)
        every_epoch = (
            [EveryEpoch(folder / run_folder.CHECKPOINTS, network, update_network)]
            if recipe.checkpoint.every_epoch
            else []
        )
        with own_errors(train_batches, validation_batches):
            model.fit(
                train_batches,
                validation_data=validation_batches,
                initial_epoch=start.epochs,
                epochs=start.epochs + phase_epochs - start.phase_epochs,
                steps_per_epoch=train_batches.steps_per_epoch,
                shuffle=False,
                verbose=0,
                callbacks=[
                    callbacks.PlainNames(),
                    callbacks.EpochSeeds(recipe.seed),
                    callbacks.StopOnNaN(),
                    kept,
                    *extra_callbacks,
                    *(
                        callbacks.tensorboard(folder / run_folder.TENSORBOARD)
                        if recipe.tensorboard
                        else []
                    ),
                    *stoppers,
                    history,
                    callbacks.BestNetwork(folder / run_folder.BEST, history, monitor, save_best),
                    *every_epoch,
                    keeper,
                ],
            )
        position = keeper.position
    return tuple(history.rows)


def _check_start(recipe: Recipe, source: Mapping[str, str]) -> None:
    if recipe.start_share and source.get("layers") != "all":
        there = "has no pretrained file" if not source else "starts with a new head"
        raise RecipeError(
            f"recipe {recipe.name} keeps a share of the weights at its start, but {there}; name a "
            "file of the whole network (--pretrained FILE), or --set start_share=0"
        )


def _load_start(network: keras.Model, folder: Path) -> None:
    """Put the weights of the start into a new network, for a training that goes on."""
    path = folder / run_folder.START
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(
            f"{path} is damaged or missing; start again in another folder"
        ) from error


def _compile(model: keras.Model, recipe: Recipe, phase: Phase, steps_per_epoch: int) -> None:
    model.compile(
        optimizer=optimizer(recipe, phase, steps_per_epoch),
        loss=objective.losses(recipe),
        loss_weights=objective.loss_weights(recipe),
        metrics={EXPRESSION: epoch_metrics()},
        # XLA on a CPU is slower than oneDNN's kernels; JAX has nothing else.
        jit_compile=keras.backend.backend() == "jax",
    )


def _draw_batch(folder: Path, recipe: Recipe, batches: Batches) -> None:
    """Write ``augmentation.png`` of the first batch."""
    before = batches.pictures(0)[:COLUMNS]
    after = keras.ops.cast(batches[0][0][:COLUMNS], "float32")
    drawn, seed = recipe.drawn_augmentation, recipe.seed
    for layer in (*augmentation_layers(drawn, seed), *damage_layers(drawn, seed)):
        after = layer(after, training=True)
    png = batch_png(before, keras.ops.convert_to_numpy(after), recipe.name)
    with atomic_file(folder / "augmentation.png") as temporary:
        temporary.write_bytes(png)


def _finish(
    folder: Path, recipe: Recipe, history: tuple[dict[str, float], ...], validation: Samples
) -> Run:
    """Draw the curves, fit the temperature and export the best network, proven on faces."""
    best_epoch = int(callbacks.best_row(history, recipe.checkpoint.monitor)["epoch"])
    with atomic_file(folder / "curves.png") as temporary:
        temporary.write_bytes(curves_png(history, best_epoch, recipe.name))
    monitor = recipe.checkpoint.monitor
    temperature = calibrate_run(folder, validation)
    if not can_export():
        return Run(folder, history, None, None, temperature, monitor)
    faces = read_proof_faces(folder)
    exported = export_run(folder, faces)
    if (folder / run_folder.BEST_FERPLUS).is_file():
        export_ferplus(folder, faces)
    return Run(folder, history, *exported, temperature, monitor)
