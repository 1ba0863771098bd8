"""Images per second of a training from class folders: Keras's ImageDataGenerator against mien.

    python benchmark/input_pipeline.py FOLDER [--architecture compact_cnn] [--rounds 5]

FOLDER holds class folders of pictures, e.g. FER-2013's train/. The baseline is the published
pipeline: ``ImageDataGenerator(rescale, rotation_range=10, zoom_range=0.1, horizontal_flip)``,
``flow_from_directory`` at 48 x 48 in grey, ``model.fit``; the class still lies in Keras 3 under
``keras.src.legacy`` and needs SciPy. Ours reads the same folder by `read_samples`, decodes and
shuffles in `mien.data.batches`, and trains the network behind the same changes as
layers. Network, optimiser, loss and batch size are the same; both are measured in float32 and
in mixed_bfloat16, in the same run, round by round in turn, and the median of the rounds counts.
The first round compiles and is not counted. Ours decodes the pictures of a small set only once,
which is timed on its own; the rounds are what every later epoch costs. Printed are images per
second, and images per second of processor time, which hardly depends on what else the machine
does.
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from mien import zoo
from mien.data import read_samples
from mien.data.augmentation import Augmentation
from mien.data.batches import Batches
from mien.labels import FER2013
from mien.preprocessing import InputSpec
from mien.training import callbacks, objective
from mien.training.recipe import Recipe
from mien.training.trainable import trainable_copy

SPEC = InputSpec(48, 48, 1)
AUGMENTATION = Augmentation(horizontal_flip=True, rotation_deg=10.0, zoom=0.1)
PRECISIONS = ("float32", "mixed_bfloat16")


class Clock(keras.callbacks.Callback):
    """Images per second, by the wall and by the processor, of the steps after the first few."""

    SKIPPED = 3

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._ends: list[tuple[float, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note the times."""
        self._ends.append((time.perf_counter(), time.process_time()))

    @property
    def rates(self) -> tuple[float, float]:
        """Images per second, and per second of processor time."""
        ends = self._ends[self.SKIPPED :]
        images = self._batch_size * (len(ends) - 1)
        wall, processor = (last - first for first, last in zip(ends[0], ends[-1], strict=True))
        return images / wall, images / processor


class Baseline:
    """The published pipeline."""

    def __init__(self, folder: Path, architecture: str, precision: str, batch_size: int) -> None:
        generator = ImageDataGenerator(
            rescale=1 / 255, rotation_range=10, zoom_range=0.1, horizontal_flip=True
        )
        self._flow = generator.flow_from_directory(
            str(folder),
            target_size=(48, 48),
            color_mode="grayscale",
            batch_size=batch_size,
            class_mode="categorical",
            seed=42,
        )
        network = zoo.build(architecture, SPEC, len(FER2013))
        policy = keras.mixed_precision.DTypePolicy(precision)

        def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
            config = layer.get_config()
            if not isinstance(layer, keras.layers.InputLayer) and layer.name != "logits":
                config["dtype"] = policy
            return type(layer).from_config(config)

        self._model = keras.models.clone_model(network, clone_function=convert)
        self._model.compile(
            optimizer=keras.optimizers.Adam(),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )

    def fit(self, steps: int, clock: Clock) -> None:
        """Train for some steps."""
        self._model.fit(self._flow, steps_per_epoch=steps, verbose=0, callbacks=[clock])


class Ours:
    """The same by mien."""

    def __init__(self, folder: Path, architecture: str, precision: str, batch_size: int) -> None:
        recipe = Recipe(
            "benchmark",
            architecture,
            augmentation=AUGMENTATION,
            batch_size=batch_size,
            optimizer="adam",
            learning_rate=1e-3,
            schedule="constant",
            precision=precision,  # type: ignore[arg-type]
        )
        samples = read_samples(folder)
        self._seed = recipe.seed
        self._batches = Batches(
            samples,
            SPEC,
            *objective.targets(samples, recipe),
            batch_size=batch_size,
            seed=recipe.seed,
        )
        network = zoo.build(architecture, SPEC, len(FER2013))
        self._model, _ = trainable_copy(network, recipe)
        self._model.compile(
            optimizer=keras.optimizers.Adam(),
            loss=objective.losses(recipe),
            metrics={"expression": [keras.metrics.CategoricalAccuracy(name="accuracy")]},
            jit_compile=keras.backend.backend() == "jax",
        )
        self._epoch = 0
        start = time.process_time()
        for step in range(self._batches.steps_per_epoch):
            self._batches[step]
        self.decoding_s = time.process_time() - start
        """Processor time of decoding all pictures once."""

    def fit(self, steps: int, clock: Clock) -> None:
        """Train for some steps of the next epoch."""
        self._batches.first_epoch = self._epoch
        self._epoch += 1
        self._model.fit(
            self._batches,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[callbacks.EpochSeeds(self._seed), callbacks.StopOnNaN(), clock],
        )


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of class folders")
    parser.add_argument("--architecture", default="compact_cnn", help="a name in mien's zoo")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5, help="counted ones")
    parser.add_argument("--steps", type=int, help="per round; the whole folder where not given")
    arguments = parser.parse_args()

    keras.utils.set_random_seed(1)
    pipelines: dict[str, Any] = {}
    for precision in PRECISIONS:
        options = (arguments.folder, arguments.architecture, precision, arguments.batch_size)
        pipelines[f"ImageDataGenerator, {precision}"] = Baseline(*options)
        pipelines[f"mien, {precision}"] = Ours(*options)
    rows = len(read_samples(arguments.folder))
    steps = arguments.steps or rows // arguments.batch_size
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
    for index in range(arguments.rounds + 1):
        for name, pipeline in pipelines.items():
            clock = Clock(arguments.batch_size)
            pipeline.fit(steps, clock)
            if index:
                rates[name].append(clock.rates)
    decoding_s = next(p.decoding_s for p in pipelines.values() if isinstance(p, Ours))
    print(f"{arguments.architecture}, {rows:,} pictures, batches of {arguments.batch_size}")
    print(f"mien decodes all pictures once in {decoding_s:.1f} s of processor time")
    reference: tuple[float, float] | None = None
    for name, values in rates.items():
        wall, processor = (statistics.median(column) for column in zip(*values, strict=True))
        reference = reference or (wall, processor)
        print(
            f"{name:36} {wall:6.0f} images/s ({wall / reference[0]:.2f} x), "
            f"{processor:6.0f} per s of processor time ({processor / reference[1]:.2f} x); "
            f"rounds {[round(w) for w, _ in values]}, {[round(p) for _, p in values]}"
        )


if __name__ == "__main__":
    main()
