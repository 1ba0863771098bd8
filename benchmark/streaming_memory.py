"""Peak memory of a training on a folder of pictures: 4,000 of them beside 400,000.

    python benchmark/streaming_memory.py [--counts 4000 400000] [--side 224] [--steps 60]

The folders hold a few distinct JPEG files, linked again and again under other names, so that
400,000 pictures take no room on the disk; mien cannot know that. For each count a process of its
own does what ``mien train`` does with the rows (reads the folder, splits it, hashes every file,
makes targets and batches), trains a small network by Keras's ``fit`` for some steps of two
epochs, and validates it for as many. Printed are the seconds of each stage, the peak of the
resident memory up to its end, and how much more the larger folder takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DISTINCT = 64
"""Distinct pictures; file systems limit the links to one."""
BATCH_SIZE = 64


def make_folder(folder: Path, count: int, side_px: int) -> None:
    """Write train/CLASS/*.jpg: faces-like noise in a few versions, linked ``count`` times."""
    import numpy as np
    import PIL.Image

    from mien.labels import FER2013

    random = np.random.default_rng(0)
    originals = []
    (folder / "originals").mkdir(parents=True)
    for index in range(DISTINCT):
        coarse = random.integers(0, 256, (28, 28, 3), dtype=np.uint8)
        picture = PIL.Image.fromarray(coarse).resize((side_px, side_px))
        originals.append(folder / "originals" / f"{index}.jpg")
        picture.save(originals[-1], quality=90)
    for key in FER2013.keys:
        (folder / "set" / "train" / key).mkdir(parents=True)
    for index in range(count):
        key = FER2013.keys[index % len(FER2013)]
        os.link(
            originals[index % DISTINCT], folder / "set" / "train" / key / f"face_{index:07d}.jpg"
        )


def child(folder: Path, side_px: int, steps: int) -> None:
    """Do what a training does and print seconds and peak memory as JSON."""
    import keras

    from mien.data import read_samples
    from mien.data.batches import Batches
    from mien.data.splits import SplitPlan, assign
    from mien.preprocessing import InputSpec
    from mien.samples import Split
    from mien.training import objective
    from mien.training.recipe import Recipe

    seconds, clock = {}, time.perf_counter()
    megabytes = {"libraries": resident_mb()}

    def done(stage: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[stage], clock = now - clock, now
        megabytes[stage] = resident_mb()

    recipe = Recipe("streaming", "compact_cnn", split=SplitPlan(validation_fraction=0.1))
    samples = read_samples(folder / "set")
    done("read")
    assigned = assign(samples, recipe.split)
    parts = {split: assigned.of(split) for split in (Split.TRAIN, Split.VALIDATION)}
    done("split")
    for part in parts.values():
        part.sha256()
    done("hash")
    spec = InputSpec(side_px, side_px, 3)
    batches = {
        split: Batches(
            part,
            spec,
            *objective.targets(part, recipe),
            batch_size=BATCH_SIZE,
            seed=1 if split is Split.TRAIN else None,
        )
        for split, part in parts.items()
    }
    inputs = keras.Input(spec.shape)
    x = keras.layers.Conv2D(8, 8, strides=8, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, {"expression": keras.layers.Dense(7)(x)})
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    model.fit(
        batches[Split.TRAIN],
        validation_data=batches[Split.VALIDATION],
        validation_steps=min(steps, batches[Split.VALIDATION].steps_per_epoch),
        epochs=2,
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
    )
    done("fit")
    print(json.dumps({"rows": len(samples), "seconds": seconds, "megabytes": megabytes}))


def resident_mb() -> float:
    """Peak of this process's resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Make the folders, measure each in its own process and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs=2, default=(4_000, 400_000))
    parser.add_argument("--side", type=int, default=224, metavar="PX")
    parser.add_argument("--steps", type=int, default=60, help="of each of the two epochs")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.side, arguments.steps)
        return
    peaks = []
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as folder:
            make_folder(Path(folder), count, arguments.side)
            command = [sys.executable, __file__, "--child", folder]
            command += ["--side", str(arguments.side), "--steps", str(arguments.steps)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        measured = json.loads(done.stdout.splitlines()[-1])
        peaks.append(measured["megabytes"]["fit"])
        print(f"{measured['rows']:,} pictures of {arguments.side} px: peak {peaks[-1]:,.0f} MB")
        for stage, value in measured["seconds"].items():
            print(
                f"    {stage:9} {value:7.1f} s, peak so far {measured['megabytes'][stage]:,.0f} MB"
            )
    print(f"the larger folder takes {peaks[1] - peaks[0]:+,.0f} MB")


if __name__ == "__main__":
    main()
