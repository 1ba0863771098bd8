"""What older Keras wrote -> the words of today's Keras.

Keras 1 and 2, and the Keras inside of TensorFlow, called layers, arguments and functions
otherwise (`keras_layers`), joined layers in another notation (`keras_graphs`), and kept things
that only training needs in forms that Keras 3 refuses. Nothing is built here; what comes out is
judged by `keras_config` like any other architecture.
"""

from collections.abc import Mapping
from typing import Any

import keras

from mien.errors import ModelError
from mien.formats.keras_config import check_config, refuse_code
from mien.formats.keras_graphs import is_network, modern_graph, plain_name
from mien.formats.keras_layers import Origin, Reading, modern_layer

__all__ = ["Origin", "checked", "modernised"]


def checked(
    config: Any, origin: Origin, name: str, *, for_inference: bool = False
) -> dict[str, Any]:
    """An architecture in today's words that nothing is wrong with; see `modernised`.

    Raises:
        ModelError: as `modernised` and `check_config`, or it does not hold together.
    """
    refuse_code(config, name)
    try:
        config = modernised(config, origin, name, for_inference=for_inference)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelError(
            f"{name} is damaged: its architecture does not hold together; get a good copy"
        ) from error
    check_config(config, name)
    return dict(config)


def modernised(
    config: Any,
    origin: Origin | None = None,
    name: str = "the file",
    *,
    for_inference: bool = False,
) -> Any:
    """A copy of an architecture in the words of today's Keras, computing in float32.

    Args:
        config: the architecture, parsed from JSON.
        origin: which Keras wrote it; today's where None.
        name: what the file is called in messages.
        for_inference: layers that act in training only become ones that do nothing, and any
            number of pictures may be given at a time.

    Raises:
        ModelError: it computes what today's Keras cannot, or nobody can tell what it computed.
    """
    return _modern(config, Reading(origin or Origin(), name, for_inference))


def _modern(config: Any, reading: Reading) -> Any:
    if isinstance(config, list):
        return [_modern(value, reading) for value in config]
    if not isinstance(config, dict):
        return config
    # How a network was compiled is not needed to use it, and may name the author's functions.
    renewed = {k: _modern(value, reading) for k, value in config.items() if k != "compile_config"}
    arguments = renewed.get("config")
    if renewed.get("class_name") == "Sequential" and isinstance(arguments, list):
        # Keras 1 and early Keras 2: the layers themselves.
        renewed["config"] = arguments = {"name": "sequential", "layers": arguments}
    if isinstance(arguments, dict) and isinstance(renewed.get("class_name"), str):
        kind = renewed["class_name"]
        is_whole = is_network(kind) and isinstance(arguments.get("layers"), list)
        modern = _modern_network if is_whole else modern_layer
        renewed["class_name"], renewed["config"] = modern(kind, arguments, reading)
        if isinstance(renewed.get("name"), str):
            renewed["name"] = plain_name(renewed["name"])
        if reading.origin.is_old:
            renewed |= _home(renewed["class_name"], renewed.get("module"))
    return renewed


def _modern_network(kind: str, new: dict[str, Any], reading: Reading) -> tuple[str, dict[str, Any]]:
    """Class and arguments of a network, of layers that are modern already."""
    if isinstance(new.get("name"), str):
        new["name"] = plain_name(new["name"])
    kind = "Sequential" if kind == "Sequential" else "Functional"
    shapes = [_take_input_shape(layer) for layer in new["layers"]]
    if kind == "Sequential" and shapes and shapes[0] is not None:
        start = {"class_name": "InputLayer", "config": {"batch_shape": shapes[0]}}
        new["layers"] = [start | _module_of(new["layers"][0]), *new["layers"]]
    if reading.for_inference:
        _free_batch(new["layers"])
    if kind == "Functional":
        modern_graph(new, reading.name)
    return kind, new


def _take_input_shape(layer: Any) -> Any:
    """Remove the shape that Keras 1 and 2 kept in the first layer, and return it."""
    arguments = layer.get("config") if isinstance(layer, dict) else None
    return arguments.pop("batch_input_shape", None) if isinstance(arguments, dict) else None


def _module_of(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What makes an inserted layer of the same format as its neighbour."""
    return {"module": "keras.layers", "registered_name": None} if "module" in layer else {}


def _free_batch(layers: list[Any]) -> None:
    """Let inputs take any number of pictures."""
    for layer in layers:
        arguments = layer.get("config") if isinstance(layer, dict) else None
        if isinstance(arguments, dict) and layer.get("class_name") == "InputLayer":
            shape = arguments.get("batch_shape")
            if isinstance(shape, list) and shape:
                arguments["batch_shape"] = [None, *shape[1:]]


def _home(kind: str, module: Any) -> dict[str, Any]:
    """Where today's Keras has a class that Keras 2 had elsewhere, with `TF_USE_LEGACY_KERAS` in
    a package of another name."""
    if kind == "Functional":
        return {"module": "keras.src.models.functional", "registered_name": "Functional"}
    if kind == "Sequential":
        return {"module": "keras", "registered_name": None}
    if module is not None and module.split(".")[0] not in ("keras", "tf_keras", "tensorflow"):
        return {}
    for space in ("layers", "initializers", "regularizers", "constraints"):
        if hasattr(getattr(keras, space), kind) and space in (module or space):
            return {"module": f"keras.{space}", "registered_name": None}
    return {}
