"""Run folder -> model bundle: Keras to ONNX, with the card inside and parity proven.

The one place that knows how Keras becomes ONNX: `keras.Model.export`, which goes through
tf2onnx, so it needs the TensorFlow backend. Nothing is written unless the bundle, loaded as a
user's program loads it, gives the probabilities that Keras gives, on golden inputs and on real
faces.
"""

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, ParityError, TrainingError, needs_extra
from mien.files import atomic_file
from mien.model_card import METADATA_KEY, ModelCard, golden_inputs
from mien.preprocessing import to_network_input
from mien.recognition.classifier import Classifier, softmax
from mien.samples import Image
from mien.seal import SEAL_KEY, UNSEALED, seal
from mien.training import callbacks
from mien.training.keras_files import load_network

PARITY_TOLERANCE = 1e-4
"""Largest allowed difference of a probability between Keras and ONNX Runtime on real faces."""

PARITY_FACES = 256
"""How many real faces are compared."""

_OPSET = 17


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the two networks are apart."""

    faces: int
    """Real faces that were compared."""
    largest_difference: float
    """Largest difference of any probability."""


def can_export() -> bool:
    """Whether the active Keras backend can export to ONNX."""
    return str(keras.backend.backend()) == "tensorflow"


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


def to_bundle(
    network: keras.Model, card: ModelCard, faces: Sequence[Image]
) -> tuple[bytes, Parity]:
    """Convert a network to ONNX with its card inside, and prove that both agree.

    Args:
        network: float32 (n, h, w, c) in 0..255 -> logits (n, classes).
        card: the card; its golden outputs are filled in here.
        faces: real faces, at least one; only the first `PARITY_FACES` are used.

    Returns:
        The bundle and the proof.

    Raises:
        ModelError: no faces were given, the active backend cannot export, or the network has no
            ONNX form.
        ParityError: the largest difference of probabilities exceeds `PARITY_TOLERANCE`.
    """
    if not len(faces):
        raise ModelError("an export is proven on real faces, and none were given")
    card = with_golden(network, card)
    bundle = with_card(_to_onnx(network), card)
    inputs = to_network_input(faces[:PARITY_FACES], card.input)
    try:
        exported = Classifier(bundle).logits(inputs)
    except ModelError as error:
        raise ParityError(f"the exported network cannot be used: {error}") from error
    return bundle, compared(exported, logits_of(network, inputs))


def compared(exported: NDArray[np.float32], original: NDArray[np.float32]) -> Parity:
    """Compare the logits (n, classes) that an exported network and its original give.

    Raises:
        ParityError: the largest difference of probabilities exceeds `PARITY_TOLERANCE`.
    """
    largest = float(np.abs(softmax(exported) - softmax(original)).max())
    if not largest <= PARITY_TOLERANCE:
        raise ParityError(
            f"the exported network's probabilities differ by up to {largest:.1e} on real faces, "
            f"more than {PARITY_TOLERANCE:.0e}; nothing was written"
        )
    return Parity(len(original), largest)


def with_golden(network: keras.Model, card: ModelCard) -> ModelCard:
    """A card with what the network gives for the golden inputs."""
    golden = softmax(logits_of(network, golden_inputs(card.input).astype(np.float32)))
    return replace(card, golden=tuple(tuple(round(p, 7) for p in row) for row in golden.tolist()))


def write_bundle(bundle: bytes, out: Path) -> Path:
    """Write a bundle atomically.

    Raises:
        OutputError: the file cannot be written; an older one is still there.
    """
    with atomic_file(out) as temporary:
        temporary.write_bytes(bundle)
    return out


def with_card(bundle: bytes, card: ModelCard) -> bytes:
    """A copy of an ONNX file with another card, sealed; the graph stays as it is."""
    with needs_extra("train"):
        import onnx
    model = onnx.load_model_from_string(bundle)
    del model.metadata_props[:]
    for key, value in ((METADATA_KEY, card.to_json()), (SEAL_KEY, UNSEALED)):
        model.metadata_props.add(key=key, value=value)
    return seal(model.SerializeToString(deterministic=True))


def card_of_run(run: Path, network: keras.Model) -> ModelCard:
    """The card that a run folder's files make.

    Raises:
        TrainingError: a file is missing or damaged.
    """
    recipe, data, environment = (
        _read_json(run / name) for name in ("recipe.json", "data.json", "environment.json")
    )
    history = callbacks.read_history(run / "history.csv")
    if not history:
        raise TrainingError(f"{run}/history.csv has no epochs")
    try:
        return _card(recipe, data, environment, history, network)
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


def _to_onnx(network: keras.Model) -> bytes:
    if not can_export():
        raise ModelError(
            f"the {keras.backend.backend()} backend does not export to ONNX; "
            "run: KERAS_BACKEND=tensorflow mien export RUN --data SRC"
        )
    with needs_extra("train"):
        import tensorflow  # noqa: F401
        import tf2onnx  # noqa: F401
    network(np.zeros((1, *network.input_shape[1:]), np.float32))  # export wants a called network
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx's, about NumPy 2
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        path = os.path.join(folder, "network.onnx")
        try:
            network.export(path, format="onnx", opset_version=_OPSET, verbose=False)
        except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{network.name} has no ONNX form: {reason}") from error
        return Path(path).read_bytes()


def logits_of(network: keras.Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a Keras network gives: float32 (n, h, w, c) in 0..255 -> float32 (n, classes)."""
    return np.asarray(keras.ops.convert_to_numpy(network(inputs, training=False)), np.float32)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is missing or damaged; export needs a whole run") from error
    return dict(value)
