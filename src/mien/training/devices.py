"""One training on several devices of a machine: each holds the network and takes a part of every
batch (Keras's data parallelism on JAX).

The gradient is that of the whole batch, batch normalisation takes its statistics over the whole
batch, and what random layers draw does not depend on the number of devices, so the losses are
those of one device up to the order in which sums are added. For that every batch must divide by
the number of devices: training leaves out what is left of an epoch after the last whole batch
(other rows in each epoch), and validation is filled with rows that weigh nothing
(`data.batches.Batches`). Both do not depend on the number, so a run may go on with another one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

from mien.errors import RecipeError, TrainingError
from mien.training.live_teachers import KERAS_SUFFIX
from mien.training.recipe import Recipe


def check_devices(devices: int, recipe: Recipe, rows: int, teachers: Sequence[Path] = ()) -> None:
    """Check that a training can be spread.

    Args:
        devices: how many.
        recipe: the batch size, and whether teachers are live.
        rows: that train.
        teachers: files of the teachers.

    Raises:
        TrainingError: Keras is on another backend, or has fewer devices; fewer rows than a batch.
        RecipeError: the batches do not divide by the number, or a live teacher runs outside of
            the graph.
    """
    if devices < 1:
        raise TrainingError(f"a training needs at least 1 device, not {devices}")
    backend = keras.backend.backend()
    if backend != "jax":
        raise TrainingError(
            f"several devices need Keras on JAX, and it is on {backend}; set KERAS_BACKEND=jax "
            "before Keras is loaded"
        )
    found = keras.distribution.list_devices()
    if len(found) < devices:
        raise TrainingError(
            f"{devices} devices are asked for, and JAX has {len(found)} ({found[0]}); to try it "
            f"on a processor: XLA_FLAGS=--xla_force_host_platform_device_count={devices}"
        )
    if recipe.batch_size % devices:
        raise RecipeError(
            f"recipe {recipe.name}: batches of {recipe.batch_size} do not divide by {devices} "
            f"devices; set --batch-size {-(-recipe.batch_size // devices) * devices}"
        )
    outside = [path.name for path in teachers if path.suffix != KERAS_SUFFIX]
    if recipe.is_live and outside and devices > 1:
        # Tried: the call out of the graph and the devices' common sum wait for each other.
        raise RecipeError(
            f"the live teacher {outside[0]} runs outside of the devices; name a Keras file such "
            "as RUN/best.keras, or train on one device"
        )
    if rows < recipe.batch_size:
        raise TrainingError(
            f"{rows} rows train, fewer than one batch of {recipe.batch_size}, and on several "
            "devices every batch is whole; set a smaller --batch-size"
        )


@contextmanager
def spread(devices: int | None) -> Iterator[None]:
    """Let everything that Keras builds and trains in the block use so many devices.

    Args:
        devices: as `check_devices` has checked; None for Keras's own way.
    """
    if devices is None:
        yield
        return
    before = keras.distribution.distribution()
    chosen = keras.distribution.list_devices()[:devices]
    keras.distribution.set_distribution(
        # One process reads all rows: nothing has to be divided among machines.
        keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
    )
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)
