"""Images per second of a training: ours against Keras's `fit` on ready arrays, in one run.

    python benchmark/training_throughput.py RECIPE [--rows 8192] [--rounds 3]

Both train the same network in the same precision with the same optimiser and losses. The
baseline has its arrays ready in memory and no augmentation; ours decodes nothing either
but shuffles, augments, keeps the history, validates nothing, and comes through
`mien.data.batches`. The rounds alternate; the median rate of the steps after the first ten
counts. The pictures are noise: their content does not change the time.
"""

import argparse
import dataclasses
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from mien import zoo
from mien.data.augmentation import Augmentation
from mien.data.batches import Batches
from mien.labels import FER2013
from mien.samples import Samples
from mien.training import callbacks, objective
from mien.training.inputs import input_spec
from mien.training.metrics import epoch_metrics
from mien.training.optimizer import optimizer
from mien.training.recipe import Recipe, load_recipe
from mien.training.trainable import trainable_copy


class StepTimes(keras.callbacks.Callback):
    """Seconds of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note the step."""
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now


def samples(rows: int) -> Samples:
    """Noise with labels and votes."""
    random = np.random.default_rng(0)
    return Samples(
        images=random.integers(0, 256, (rows, 48, 48), dtype=np.uint8),
        labels=random.integers(0, 7, rows),
        splits=np.full(rows, "train"),
        label_set=FER2013,
        names=[str(row) for row in range(rows)],
        source="noise",
        votes=random.integers(0, 5, (rows, 10)),
    )


def compiled(recipe: Recipe, steps: int) -> keras.Model:
    """The training model of a recipe."""
    network = zoo.build(recipe.architecture, input_spec(recipe), 7, **recipe.architecture_options)
    model, _ = trainable_copy(network, recipe)
    model.compile(
        optimizer=optimizer(recipe, recipe.plan[0], steps),
        loss=objective.losses(recipe),
        loss_weights=objective.loss_weights(recipe),
        metrics={"expression": epoch_metrics()},
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--rows", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    recipe = load_recipe(arguments.recipe)
    data, spec = samples(arguments.rows), input_spec(recipe)
    targets, weights = objective.targets(data, recipe)
    batches = Batches(data, spec, targets, weights, batch_size=recipe.batch_size, seed=recipe.seed)
    ours = compiled(recipe, batches.steps_per_epoch)
    plain = dataclasses.replace(recipe, augmentation=Augmentation())
    baseline = compiled(plain, batches.steps_per_epoch)
    arrays = data.images[..., np.newaxis]

    def our_round(clock: StepTimes) -> None:
        ours.fit(
            batches,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,
            verbose=0,
            callbacks=[callbacks.EpochSeeds(recipe.seed), callbacks.StopOnNaN(), clock],
        )

    def baseline_round(clock: StepTimes) -> None:
        baseline.fit(
            arrays,
            dict(targets),
            sample_weight=dict(weights),
            batch_size=recipe.batch_size,
            verbose=0,
            callbacks=[clock],
        )

    rates: dict[str, list[float]] = {"ours": [], "baseline": []}
    for index in range(arguments.rounds + 1):
        for name, fit in (("baseline", baseline_round), ("ours", our_round)):
            clock = StepTimes()
            fit(clock)
            if index:  # the first round compiles
                rates[name].append(recipe.batch_size / statistics.median(clock.seconds[10:-1]))
    for name, values in rates.items():
        print(f"{name:9s} {statistics.median(values):7.0f} images/s  {[round(v) for v in values]}")
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["baseline"])
    print(f"ratio     {ratio:7.3f}")


if __name__ == "__main__":
    main()
