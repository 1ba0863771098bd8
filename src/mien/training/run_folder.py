"""The files of a training, and how one is opened, described and resumed.

recipe.json       every field of the recipe
data.json         labels, rows and hash of each split, and of faces without labels
environment.json  versions, processor, commit
history.csv       one row per epoch
pretrained.json   where weights came from that the network started with, if any did
start.keras       the network that the training started with, if it keeps a share of it
augmentation.png  some pictures of the first batch, before and after the random changes
teachers.json     which networks it learned from, and teachers.npy, what they said, if any did
faces.png         some validation faces, on which exports are proven
best.keras        float32 network of the best epoch so far
best_ferplus.keras  the same with the head that learned FER+ votes, if there is one
checkpoints/      the network of every epoch, if the recipe asks for them
backup/           weights, optimiser and position after the last whole epoch
tensorboard/      the same curves for TensorBoard
calibration.json  at the end: the temperature, and how it was fitted
curves.png        at the end: loss and accuracy by epoch
model.onnx        at the end: the bundle
ferplus.onnx      at the end: that of best_ferplus.keras
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras

from mien import provenance
from mien.broken_text import from_json
from mien.data.unlabelled import Unlabelled
from mien.errors import TrainingError
from mien.files import write_text
from mien.former_names import renamed
from mien.samples import Samples, Split
from mien.training.backup import Position, latest_backup
from mien.training.recipe import Recipe

BACKUP = "backup"
"""Folder of the backup."""

TENSORBOARD = "tensorboard"
"""Folder of TensorBoard's event files."""

CHECKPOINTS = "checkpoints"
"""Folder of the networks of every epoch."""

RECIPE = "recipe.json"
"""Name of the file with the recipe's fields."""

BEST = "best.keras"
"""Name of the best network; the one place where it is spelled."""

BEST_FERPLUS = "best_ferplus.keras"
"""Name of the same network with FER+'s eight classes."""

UNLABELLED = "unlabelled"
"""Key of ``data.json`` and of the card: number, credit and sources of the faces without labels."""

START = "start.keras"
"""Name of the network that a training started with, where it keeps a share of it."""

PRETRAINED = "pretrained.json"
"""Name of the file that says where the first weights came from."""

DEVICES = "devices"
"""Key of ``environment.json``: how many devices a training is spread over; absent where it is
not."""

LAYOUT = "layout"
"""Key of ``data.json`` and of the card: in words, where the rows were and how they were split."""


def check_folder(folder: Path, recipe: Recipe, resume: bool) -> None:
    """Check that a run may be written here; nothing is written.

    Raises:
        TrainingError: the folder has something else, or a run of another recipe.
    """
    stored = folder / RECIPE
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not resume:
        raise TrainingError(
            f"{folder} is not empty; go on with its training by --resume, or name another folder"
        )
    if resume and not stored.exists():
        raise TrainingError(f"{folder} holds no training to go on with; leave out --resume")
    if stored.exists():
        here = recipe.as_dict()
        # Fields that a run of an earlier version does not have are as they were then: at rest.
        there = _filled(
            Recipe("", "").as_dict(), renamed(from_json(stored.read_text(encoding="utf-8")))
        )
        if recipe.split.validation_fraction is None:
            # The data decide; a training looks again when it has read them.
            here["split"] = there["split"]
        other = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        if other:
            name = other[0]
            raise TrainingError(
                f"{stored} is another recipe: {name} is {json.dumps(there.get(name))} there and "
                f"{json.dumps(here.get(name))} here; resume with the same recipe and options, "
                "or name another folder"
            )


def _filled(at_rest: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Stored fields, and at rest those that are not there, in groups of fields, too."""
    filled = {**at_rest, **stored}
    for name, group in at_rest.items():
        if isinstance(group, dict) and isinstance(filled[name], dict):
            filled[name] = _filled(group, filled[name])
    return filled


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write ``recipe.json``.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_text(folder / RECIPE, json.dumps(recipe.as_dict(), indent=1) + "\n")


def describe(
    folder: Path,
    parts: Mapping[Split, Samples],
    unlabelled: Unlabelled | None = None,
    credit: str = "",
    devices: int | None = None,
) -> None:
    """Write ``data.json``, what the run sees, and ``environment.json``.

    Args:
        folder: the run folder.
        parts: the rows of each split.
        unlabelled: faces without labels, if any train.
        credit: who made those, and their licence.
        devices: that the training is spread over; None where it is not spread.

    Raises:
        TrainingError: a resumed run would see other data than it started with, or other batches.
        OutputError: the folder cannot be written.
    """
    label_keys = parts[Split.TRAIN].label_set.keys
    data: dict[str, Any] = {
        "source": Path(parts[Split.TRAIN].source).name,
        LAYOUT: parts[Split.TRAIN].layout,
        "labels": list(label_keys),
        **{split.value: {"n": len(part), "sha256": part.sha256()} for split, part in parts.items()},
    }
    if unlabelled is not None:
        sources = [asdict(source) for source in unlabelled.sources]
        data[UNLABELLED] = {"n": len(unlabelled), "credit": credit, "sources": sources}
    stored = folder / "data.json"
    # The words may be another version's.
    if stored.exists() and from_json(stored.read_text("utf-8")) | {LAYOUT: data[LAYOUT]} != data:
        raise TrainingError(
            f"the data differ from those that {folder} was started with; resume with the same"
        )
    _check_batches(folder, devices)
    write_text(stored, json.dumps(data, indent=1) + "\n")
    environment: dict[str, Any] = provenance.environment()
    environment |= {"backend": keras.backend.backend()}
    if devices is not None:
        environment[DEVICES] = devices
    write_text(folder / "environment.json", json.dumps(environment, indent=1) + "\n")


def _check_batches(folder: Path, devices: int | None) -> None:
    """Batches are made otherwise where a training is spread, whatever the number of devices."""
    try:
        environment = from_json((folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # a new run, or a file that says nothing of use
    if (DEVICES in environment) != (devices is not None):
        began, remedy = (
            ("with", "resume with it, too; any number will do")
            if DEVICES in environment
            else ("without", "resume without it")
        )
        raise TrainingError(f"the run {folder} began {began} --devices; {remedy}")


def write_pretrained(folder: Path, source: Mapping[str, str]) -> None:
    """Write ``pretrained.json``: where the first weights came from.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_text(folder / PRETRAINED, json.dumps(dict(source), indent=1) + "\n")


def read_pretrained(folder: Path) -> dict[str, str]:
    """Where a run's first weights came from; nothing where they were random.

    Raises:
        TrainingError: the file is damaged.
    """
    path = folder / PRETRAINED
    if not path.is_file():
        return {}
    try:
        stored = from_json(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in stored.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise TrainingError(f"{path} is damaged; start again in another folder") from error


def position(folder: Path) -> tuple[Path | None, Position]:
    """How far the training in a folder has come; what a killed process left half-written goes.

    Returns:
        The backup that holds the state, None at the very beginning; and the position.

    Raises:
        TrainingError: the backup is damaged.
    """
    backup_folder = folder / BACKUP
    _sweep(folder)
    _sweep(backup_folder)
    return latest_backup(backup_folder) or (None, Position())


def _sweep(folder: Path) -> None:
    for unfinished in (".epoch_*", ".best*.keras.*", ".history.csv.*"):
        for path in folder.glob(unfinished):
            path.unlink()
