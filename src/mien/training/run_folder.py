"""The files of a training, and how one is opened, described and resumed.

recipe.json       every field of the recipe
data.json         labels, and rows and hash of each split
environment.json  versions, processor, commit
history.csv       one row per epoch
best.keras        float32 network of the best epoch so far
backup/           weights and optimiser after the last whole epoch
tensorboard/      the same curves for TensorBoard
curves.png        at the end: loss and accuracy by epoch
model.onnx        at the end: the bundle
"""

import json
from collections.abc import Mapping
from pathlib import Path

import keras

from mien import provenance
from mien.errors import TrainingError
from mien.files import write_text
from mien.samples import Samples, Split
from mien.training import callbacks
from mien.training.recipe import Recipe

BACKUP = "backup"
"""Folder of the backup."""

TENSORBOARD = "tensorboard"
"""Folder of TensorBoard's event files."""


def check_folder(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Check that a run may be written here; nothing is written.

    Raises:
        TrainingError: the folder has something else, or a run of another recipe.
    """
    stored = folder / "recipe.json"
    if folder.is_dir() and any(folder.iterdir()) and not resume:
        raise TrainingError(
            f"{folder} is not empty; go on with its training by --resume, or name another folder"
        )
    if resume and not stored.exists():
        raise TrainingError(f"{folder} holds no training to go on with; leave out --resume")
    if stored.exists():
        there, here = json.loads(stored.read_text(encoding="utf-8")), recipe.as_dict()
        other = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        if other:
            name = other[0]
            raise TrainingError(
                f"{stored} is another recipe: {name} is {there.get(name)} there and "
                f"{here.get(name)} here; resume with the same, or name another folder"
            )


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write ``recipe.json``.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_text(folder / "recipe.json", json.dumps(recipe.as_dict(), indent=1) + "\n")


def describe(folder: Path, parts: Mapping[Split, Samples]) -> None:
    """Write ``data.json``, what the run sees, and ``environment.json``.

    Raises:
        TrainingError: a resumed run would see other data than it started with.
        OutputError: the folder cannot be written.
    """
    label_keys = parts[Split.TRAIN].label_set.keys
    data = {
        "source": Path(parts[Split.TRAIN].source).name,
        "labels": list(label_keys),
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


def restore(model: keras.Model, folder: Path) -> int:
    """Load the latest backup into a compiled model.

    Returns:
        The number of epochs that are done; 0 where there is no backup.

    Raises:
        TrainingError: the backup is damaged.
    """
    backup_folder = folder / BACKUP
    callbacks.sweep(folder)
    callbacks.sweep(backup_folder)
    backup = callbacks.latest_backup(backup_folder)
    if backup is None:
        return 0
    path, epochs_done = backup
    callbacks.load_backup(model, path)
    return epochs_done
