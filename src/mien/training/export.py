"""Run folder -> model bundle: its best network as ONNX, with the card that its files make."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from mien.errors import TrainingError
from mien.formats.bundle import Parity, to_bundle
from mien.formats.keras_files import load_network
from mien.formats.sealed import write_bundle
from mien.model_card import ModelCard
from mien.samples import Image
from mien.training import callbacks
from mien.training.calibration import read_calibration


def export_run(run: Path, faces: Sequence[Image], out: Path | None = None) -> tuple[Path, Parity]:
    """Make the model bundle of a training.

    Args:
        run: the run folder; its ``best.keras`` is exported.
        faces: real faces to prove parity on, uint8 (H, W) or (H, W, 3) each.
        out: where the bundle goes; ``model.onnx`` of the run folder where None.

    Returns:
        The path of the bundle, and the proof.

    Raises:
        TrainingError: the folder has no trained network.
        ModelError: best.keras is damaged, the active backend cannot export, or the network has
            no ONNX form.
        ParityError: the exported network disagrees; nothing was written.
        OutputError: the bundle cannot be written; an older one is still there.
    """
    path = run / "best.keras"
    if not path.is_file():
        raise TrainingError(f"{run} has no best.keras; train it first: mien train ... --out {run}")
    network = load_network(path)
    bundle, parity = to_bundle(network, card_of_run(run, network), faces)
    return write_bundle(bundle, out or run / "model.onnx"), parity


def card_of_run(run: Path, network: keras.Model) -> ModelCard:
    """The card that a run folder's files make.

    Raises:
        TrainingError: a file is missing or damaged.
    """
    recipe, data, environment = (
        _read_json(run / name) for name in ("recipe.json", "data.json", "environment.json")
    )
    fitted = read_calibration(run)
    history = callbacks.read_history(run / "history.csv")
    if not history:
        raise TrainingError(f"{run}/history.csv has no epochs")
    try:
        card = _card(recipe, data, environment, history, network)
        return card.calibrated(fitted.temperature, fitted.calibration)
    except KeyError as error:
        raise TrainingError(
            f"{run} lacks {error} in its files: they are damaged or of another version of mien"
        ) from error


def _card(
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    environment: Mapping[str, Any],
    history: Sequence[dict[str, float]],
    network: keras.Model,
) -> ModelCard:
    # Trainings before there was a choice kept the best accuracy.
    monitor = recipe.get("checkpoint", {}).get("monitor", "val_accuracy")
    best = callbacks.best_row(history, monitor)
    return ModelCard(
        name=recipe["name"],
        architecture=recipe["architecture"],
        labels=tuple(data["labels"]),
        input_shape=tuple(network.input_shape[1:]),
        framing=recipe["framing"],
        recipe=recipe,
        data={split: data[split] for split in ("train", "validation")},
        chosen={
            "epoch": int(best["epoch"]),
            "of_epochs": len(history),
            "metric": monitor,
            "split": "validation",
            "value": best[monitor],
        },
        licence=recipe["licence"],
        commit=environment["commit"],
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is missing or damaged; export needs a whole run") from error
    return dict(value)
