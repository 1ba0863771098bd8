"""Run folder -> model bundle: its best network as ONNX, with the card that its files make."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from mien.broken_text import from_json
from mien.errors import TrainingError
from mien.formats.bundle import Parity, to_bundle
from mien.formats.keras_files import load_network
from mien.formats.onnx_cards import write_bundle
from mien.former_names import renamed
from mien.labels import FERPLUS
from mien.model.card import ModelCard
from mien.samples import Image
from mien.training import callbacks, run_folder
from mien.training.calibration import read_calibration
from mien.training.teachers import read_teachers

FERPLUS_BUNDLE = "ferplus.onnx"
"""Name of the bundle of the second head in a run folder."""


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
    path = run / run_folder.BEST
    if not path.is_file():
        raise TrainingError(
            f"{run} has no {run_folder.BEST}; train it first: mien train ... --out {run}"
        )
    network = load_network(path)
    bundle, parity = to_bundle(network, card_of_run(run, network), faces)
    return write_bundle(bundle, out or run / "model.onnx"), parity


def export_ferplus(run: Path, faces: Sequence[Image]) -> tuple[Path, Parity]:
    """Make ``ferplus.onnx``, the bundle of a training's second head; see `export_run`."""
    network = load_network(run / run_folder.BEST_FERPLUS)
    card = card_of_run(run, network, ferplus=True)
    bundle, parity = to_bundle(network, card, faces)
    return write_bundle(bundle, run / FERPLUS_BUNDLE), parity


def card_of_run(run: Path, network: keras.Model, *, ferplus: bool = False) -> ModelCard:
    """The card that a run folder's files make.

    Args:
        run: the run folder.
        network: the network that the card is for.
        ferplus: it is the one of the second head; its epoch was chosen by the first.

    Raises:
        TrainingError: a file is missing or damaged.
    """
    recipe, data, environment = (
        renamed(_read_json(run / name))
        for name in (run_folder.RECIPE, "data.json", "environment.json")
    )
    fitted = read_calibration(run)
    history = callbacks.read_history(run / "history.csv")
    if not history:
        raise TrainingError(f"{run}/history.csv has no epochs")
    try:
        card = _card(recipe, data, environment, history, network)
        origins = {
            "layout": data.get(run_folder.LAYOUT),
            "pretrained": run_folder.read_pretrained(run),
            "teachers": read_teachers(run),
        }
        known = {name: origin for name, origin in origins.items() if origin}
        card = replace(card, data={**card.data, **known})
        if ferplus:
            # The temperature was fitted for the first head.
            return replace(card, name=f"{card.name}-ferplus", labels=FERPLUS.keys)
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
        data={
            name: data[name]
            for name in ("train", "validation", run_folder.UNLABELLED)
            if name != run_folder.UNLABELLED or name in data
        },
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
        value = from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is missing or damaged; export needs a whole run") from error
    return dict(value)
