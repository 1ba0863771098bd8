"""The end of a classifier that another program trained: where its logits are.

Most end in a softmax, some in layers after it that change nothing (a cast to float32, a Reshape),
some in logits, a few in probabilities that no softmax gave, as the mean of two heads.
"""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

import keras

from mien.errors import ModelError

_PASSING = frozenset(
    ("Flatten", "Reshape", "Dropout", "Identity", "Cast", "Squeeze", "Rescaling", "Activation")
)
_LOGITS = frozenset(
    (*_PASSING, "Dense", "Conv2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "LogSoftmax")
)
_SMALLEST = 1e-30


class End(Enum):
    """What a network gave before anything was taken off."""

    SOFTMAX = auto()
    """Probabilities by a softmax, which is off now."""
    LOGITS = auto()
    """Logits, or what a softmax makes probabilities of just as well."""
    OTHER = auto()
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A network without its last softmax."""

    network: keras.Model
    """The network up to its logits, where they were found."""
    end: End
    """How it ended."""
    what: str
    """The layer or function that it ended in, for messages."""


def without_softmax(network: keras.Model) -> Ending:
    """Take the softmax off the end of a network.

    Args:
        network: one output; may be changed.
    """
    tensor, passed = network.outputs[0], []
    while _changes_nothing(layer := _maker(tensor)):
        passed.append(layer)
        tensor = _input(tensor)
    kind = type(layer).__name__
    if kind == "Softmax":
        return Ending(_rebuilt(network, _input(tensor), passed), End.SOFTMAX, "softmax")
    if isinstance(layer, keras.Model):
        inner = without_softmax(layer)
        if inner.network is layer:
            return Ending(network, inner.end, inner.what)
        rebuilt = _rebuilt(network, inner.network(_input(tensor)), passed)
        return Ending(rebuilt, inner.end, inner.what)
    function = _function(layer)
    if function == "softmax":
        layer.activation = keras.activations.linear
        return Ending(network, End.SOFTMAX, function)
    if function == "log_softmax" or (kind in _LOGITS and function in (None, "linear")):
        return Ending(network, End.LOGITS, kind)
    return Ending(network, End.OTHER, function or f"a {kind} layer")


def with_log(network: keras.Model) -> keras.Model:
    """The network with the logarithm of its probabilities, which a softmax turns into them."""
    probabilities = keras.ops.maximum(network.outputs[0], _SMALLEST)
    return keras.Model(network.inputs[0], keras.ops.log(probabilities), name=network.name)


def check_end(ending: Ending, path: Path) -> None:
    """Refuse an end that gives neither logits nor probabilities.

    Raises:
        ModelError: it is one.
    """
    if ending.end is End.OTHER:
        raise ModelError(
            f"{path} ends in {ending.what}; expected a softmax over the classes, or logits"
        )


def _changes_nothing(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind == "Rescaling":
        return bool(layer.scale == 1.0 and layer.offset == 0.0)
    return kind in _PASSING and _function(layer) in (None, "linear")


def _function(layer: Any) -> str | None:
    """Name of the activation of a layer."""
    activation = getattr(layer, "activation", None)
    return None if activation is None else getattr(activation, "__name__", str(activation))


def _maker(tensor: Any) -> Any:
    return tensor._keras_history.operation


def _input(tensor: Any) -> Any:
    """What the layer was given that made a tensor."""
    operation, node, _ = tensor._keras_history
    return operation._inbound_nodes[node].input_tensors[0]


def _rebuilt(network: keras.Model, tensor: Any, passed: list[Any]) -> keras.Model:
    """The network with other values before the layers that change nothing."""
    for layer in reversed(passed):
        tensor = layer(tensor)
    return keras.Model(network.inputs[0], tensor, name=network.name)
