"""What `jax_process` is asked to do; runs where Keras is on JAX.

Imports Keras inside its functions: this module is also loaded where Keras is on TensorFlow.
"""

from pathlib import Path

import numpy as np


def answers_and_a_step(name: str, saved: Path, faces: np.ndarray) -> np.ndarray:
    """Load a network of the zoo and train it for a step.

    Args:
        name: of the architecture.
        saved: its ``.keras`` file.
        faces: uint8 (n, h, w, c), at most 7.

    Returns:
        Its logits before the step, float32 (n, 7).
    """
    import keras

    from mien import zoo
    from mien.data.augmentation import Augmentation
    from mien.training.recipe import Recipe
    from mien.training.trainable import trainable_copy

    head = zoo.ARCHITECTURES[name].head
    network = keras.models.load_model(saved, safe_mode=True)
    logits = network.predict(faces.astype("float32"), verbose=0)
    recipe = Recipe("r", name, augmentation=Augmentation(rotation_deg=10, horizontal_flip=True))
    model, trainable = trainable_copy(network, recipe)
    names = [layer.name for layer in trainable.layers]
    for layer in trainable.layers[: names.index(head) if head else 0]:
        layer.trainable = False  # a backbone takes a minute to compile
    model.compile("sgd", {"expression": keras.losses.CategoricalCrossentropy(from_logits=True)})
    before = [weights.copy() for weights in trainable.get_weights()]
    model.fit(faces, {"expression": np.eye(7, dtype="float32")[: len(faces)]}, verbose=0)
    after = trainable.get_weights()
    changed = [bool((a != b).any()) for a, b in zip(before, after, strict=True)]
    assert changed[-1] and changed[0] == (head is None)
    return logits


def train_break_off_and_resume(folder: Path) -> None:
    """Train into ``folder/whole``, with a temperature, and in two goes into
    ``folder/broken_off``."""
    from mien.samples import Split
    from mien.training.calibration import calibrate_run
    from mien.training.run import train
    from test_training import RECIPE, StopAt, blurred_samples, tiny_samples

    whole = train(RECIPE, tiny_samples(), folder / "whole")
    assert whole.bundle is None
    fitted = calibrate_run(folder / "whole", blurred_samples().of(Split.VALIDATION))
    assert fitted.calibration is not None
    broken_off = folder / "broken_off"
    try:
        train(RECIPE, tiny_samples(), broken_off, extra_callbacks=[StopAt(1, 1)])
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("it was not broken off")
    resumed = train(RECIPE, tiny_samples(), broken_off, resume=True)
    assert resumed.history == whole.history


def train_on_devices(
    folder: Path, whole: dict[str, int | None], first: int = 0, then: int = 0
) -> dict[str, list[dict[str, float]]]:
    """Train on the same 64 rows, four whole batches, on some devices.

    Args:
        folder: where the runs go, by their names.
        whole: devices of each training that runs through.
        first, then: devices of one that is broken off in its third epoch and resumed, if any.

    Returns:
        The history of each; that of the last one as "resumed".
    """
    from dataclasses import replace

    from mien.training.run import train
    from test_training import RECIPE, StopAt, tiny_samples

    recipe = replace(RECIPE, tensorboard=False)
    samples = tiny_samples(96)
    found = {
        name: train(recipe, samples, folder / name, devices=devices)
        for name, devices in whole.items()
    }
    if first:
        run = folder / "resumed"
        try:
            train(recipe, samples, run, devices=first, extra_callbacks=[StopAt(2, 1)])
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("it was not broken off")
        found["resumed"] = train(recipe, samples, run, devices=then, resume=True)
    return {name: list(run.history) for name, run in found.items()}


def refusals_of_devices(folder: Path) -> dict[str, str]:
    """What is said where a training cannot be spread as it is asked for; ``folder/one`` is one."""
    import json
    import shutil
    from dataclasses import replace

    from mien.errors import MienError
    from mien.training.run import train
    from test_training import RECIPE, tiny_samples

    asked = {
        "none": (RECIPE, 0),
        "too many": (RECIPE, 5),
        "indivisible": (replace(RECIPE, batch_size=18), 4),
        "too few rows": (replace(RECIPE, batch_size=1024), 4),
    }
    live = replace(RECIPE, teaching="live", teacher_weight=0.5, ferplus_weight=0)
    asked["outside"] = (live, 4)
    said = {}
    for name, (recipe, devices) in asked.items():
        teachers = [Path("teacher.onnx")] if recipe is live else []
        try:
            train(recipe, tiny_samples(), folder / "new", devices=devices, teachers=teachers)
        except MienError as error:
            said[name] = str(error)
    other = shutil.copytree(folder / "one", folder / "other")
    environment = json.loads((other / "environment.json").read_text())
    (other / "environment.json").write_text(
        json.dumps({name: value for name, value in environment.items() if name != "devices"})
    )
    for name, number in (("one", None), ("other", 2)):
        recipe = replace(RECIPE, tensorboard=False)
        try:
            train(recipe, tiny_samples(96), folder / name, devices=number, resume=True)
        except MienError as error:
            said[f"resume {name}"] = str(error)
    assert not (folder / "new").exists()
    return said


def damaged(images: np.ndarray) -> np.ndarray:
    """What `RandomDamage` makes of pictures, all of them changed."""
    import keras

    from mien.data.damage import RandomDamage

    return np.asarray(keras.ops.convert_to_numpy(RandomDamage(1.0, 1)(images, training=True)))
