"""Any file or folder that holds a Keras network -> the network under mien's contract, and its card.

Where the card comes from, first match: the card inside a file that mien wrote; the run folder
around a ``best.keras``; what a person says of the file.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from mien import zoo
from mien.errors import ModelError, RecipeError
from mien.formats.bundle import logits_of
from mien.formats.foreign import FRAMING, adopt, label_keys
from mien.formats.keras_files import (
    holds_weights_alone,
    load_network,
    load_pair,
    load_weights,
    read_card_text,
)
from mien.formats.keras_pairs import DESCRIPTION_SUFFIX, weights_of
from mien.formats.reading import Reading
from mien.model.card import GOLDEN_TOLERANCE, ModelCard, golden_inputs
from mien.model.network import softmax
from mien.preprocessing import InputSpec
from mien.training.export import card_of_run
from mien.training.run_folder import BEST, BEST_FERPLUS, RECIPE


@dataclass(frozen=True, slots=True)
class OpenNetwork:
    """A network that is ready to be used or exported."""

    path: Path
    """The Keras file that it came from."""
    network: keras.Model
    """float32 (n, h, w, c) in 0..255 -> logits (n, classes)."""
    card: ModelCard
    """What is known of it."""


def open_network(source: Path, reading: Reading | None = None) -> OpenNetwork:
    """Open a Keras network for use.

    Args:
        source: a Keras file, a description (.json) beside its weights, or the folder of a training.
        reading: what a person says of a file that has no card.

    Returns:
        The network and its card.

    Raises:
        ModelError: there is no network, the file is damaged or unsafe (see `load_network`), or
            something that must be known of it was not said or contradicts it.
        TrainingError: a file of the run folder is missing or damaged.
    """
    reading = reading or Reading()
    path = source / BEST if source.is_dir() else source
    if source.is_dir() and not path.is_file():
        raise ModelError(f"{source} has no {BEST}; train it first: mien train ... --out {source}")
    if path.suffix.lower() == DESCRIPTION_SUFFIX:
        return _pair(path, reading)
    text = read_card_text(path)
    if text is not None:
        return OpenNetwork(path, *_own(path, text, reading))
    if holds_weights_alone(path):
        return OpenNetwork(path, *_weights(path, reading))
    if reading.architecture is not None:
        raise ModelError(f"{path} holds a whole network; leave out --architecture")
    if (path.parent / RECIPE).is_file() and path.name in (BEST, BEST_FERPLUS):
        network = load_network(path)
        _refuse(reading, path, f"{path.parent} says what they are")
        card = card_of_run(path.parent, network, ferplus=path.name == BEST_FERPLUS)
        return OpenNetwork(path, network, card)
    return OpenNetwork(path, *adopt(load_network(path, for_inference=True), path, reading))


def _pair(description: Path, reading: Reading) -> OpenNetwork:
    """A network whose weights lie beside its description."""
    weights = weights_of(description)
    if reading.architecture is not None:
        raise ModelError(f"{description} says its architecture; leave out --architecture")
    network = load_pair(description, weights, for_inference=True)
    network, card = adopt(network, description, reading)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    told = {"weights": weights.name, "weights_sha256": digest}
    return OpenNetwork(weights, network, replace(card, recipe={**card.recipe, **told}))


def _own(path: Path, text: str, reading: Reading) -> tuple[keras.Model, ModelCard]:
    """A network that mien saved, checked against the card that it carries."""
    _refuse(reading, path, "it carries its card")
    try:
        card = ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}; get a good copy or export it again") from error
    if holds_weights_alone(path):
        if card.architecture not in zoo.ARCHITECTURES:
            raise ModelError(
                f"{path} holds the weights of {card.architecture}, which mien does not have; "
                "export the whole network"
            )
        options = dict(card.recipe.get("architecture_options", {}))
        network = _build(card.architecture, card.input, len(card.labels), path, **options)
        load_weights(path, network)
    else:
        network = load_network(path)
    shapes = tuple(network.input_shape[1:]), network.output_shape[-1]
    if shapes != (card.input_shape, len(card.labels)):
        raise ModelError(f"{path} contradicts its card: its network is {shapes[0]} -> {shapes[1]}")
    probabilities = softmax(logits_of(network, golden_inputs(card.input).astype(np.float32)))
    if not (
        len(card.golden) == len(probabilities)
        and np.abs(probabilities - np.array(card.golden)).max() <= GOLDEN_TOLERANCE[card.precision]
    ):
        raise ModelError(
            f"{path} does not give the probabilities that its card expects; "
            "get a good copy or export it again"
        )
    return network, card


def _weights(path: Path, reading: Reading) -> tuple[keras.Model, ModelCard]:
    """A network of the zoo with the weights of a file."""
    known = ", ".join(zoo.ARCHITECTURES)
    if reading.architecture is None:
        raise ModelError(
            f"{path} holds weights without their architecture; open the {DESCRIPTION_SUFFIX} that "
            f"describes it, or name it with --architecture: {known}"
        )
    if reading.architecture not in zoo.ARCHITECTURES:
        raise ModelError(f"no architecture {reading.architecture!r}; known: {known}")
    if reading.labels is None:
        raise ModelError(f"{path} does not say its classes; name them in order with --labels")
    if reading.scaling not in (None, "0..255"):
        raise ModelError(f"{reading.architecture} scales its input itself; leave out --scaling")
    labels = label_keys(reading.labels, str(path))
    spec = zoo.ARCHITECTURES[reading.architecture].default_input
    if reading.side_px is not None:
        spec = InputSpec(reading.side_px, reading.side_px, spec.channels)
    network = _build(reading.architecture, spec, len(labels), path)
    load_weights(path, network)
    card = ModelCard(path.stem, reading.architecture, labels, spec.shape, framing=FRAMING)
    return network, card


def _build(
    architecture: str, spec: InputSpec, classes: int, path: Path, **options: object
) -> keras.Model:
    try:
        return zoo.build(architecture, spec, classes, **options)
    except (RecipeError, ValueError) as error:
        raise ModelError(f"{path} does not fit: {error}") from error


def _refuse(reading: Reading, path: Path, why: str) -> None:
    if not reading.is_empty:
        raise ModelError(
            f"leave out --labels, --scaling, --architecture and --input-size for {path}: {why}"
        )
