"""What the architecture stored in a Keras file would build, judged before anything is built.

A Keras file holds a network as JSON: classes by name, with their arguments. Some of those run
code, or read other files, as soon as the network is built or used: a Lambda layer holds Python
bytecode. So the JSON is read first, and only layers that Keras itself ships and that do nothing
but arithmetic are let through. What older Keras wrote is put in today's words here too.

Keras's own safe mode is switched on as well, but it was not enough by itself: it has been got
round through the modules and functions that a file may name (CVE-2025-1550, CVE-2025-8747,
CVE-2025-9905).
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import keras

from mien.errors import ModelError

LARGEST_SIZE = 65_536
"""Largest number of units, filters or pixels that a layer may ask for."""

MOST_OBJECTS = 100_000
"""Most layers, initialisers and so on in one file."""

_RUNS_CODE = frozenset(
    ("Lambda", "__lambda__", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper")
)
_READS_FILES = frozenset(("StringLookup", "IntegerLookup", "TextVectorization"))
_VALUES = frozenset(("__tensor__", "__keras_tensor__", "__numpy__", "__tuple__", "__ellipsis__"))
_MODELS = frozenset(("Functional", "Model", "Sequential"))
_OWN_MODULE = "mien.zoo."
_SIZES = frozenset(
    (
        *("units", "filters", "nb_filter", "input_dim", "output_dim", "depth_multiplier"),
        *("kernel_size", "pool_size", "strides", "size", "padding", "num_heads", "key_dim"),
        *("batch_shape", "batch_input_shape", "input_shape", "n"),
    )
)


def check_config(config: Any, name: str) -> None:
    """Refuse an architecture that holds anything but Keras's own arithmetic.

    Args:
        config: the architecture, parsed from JSON and modernised.
        name: what the file is called in messages.

    Raises:
        ModelError: it runs code, reads files, has layers that Keras does not know, or is larger
            than any sensible network.
    """
    for number, part in enumerate(_objects(config)):
        if number > MOST_OBJECTS:
            raise ModelError(f"{name} describes a network of more than {MOST_OBJECTS:,} parts")
        _check_object(part, name)


def modernised(config: Any) -> Any:
    """A copy of an architecture in the words of today's Keras, computing in float32.

    It renames what Keras 1 and 2 called otherwise and leaves out arguments that Keras 3 refuses,
    where they have their only possible value. Everything else stays as it is.
    """
    if isinstance(config, list):
        return [modernised(value) for value in config]
    if not isinstance(config, dict):
        return config
    # How a network was compiled is not needed to use it, and may name the author's functions.
    renewed = {k: modernised(value) for k, value in config.items() if k != "compile_config"}
    arguments = renewed.get("config")
    if renewed.get("class_name") == "Sequential" and isinstance(arguments, list):
        # Keras 1 and early Keras 2: the layers themselves.
        renewed["config"] = arguments = {"name": "sequential", "layers": arguments}
    if isinstance(arguments, dict) and isinstance(renewed.get("class_name"), str):
        renewed["class_name"], renewed["config"] = _modern_layer(renewed["class_name"], arguments)
    return renewed


def _modern_layer(kind: str, old: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class and arguments of one layer."""
    new = dict(old)
    if "dtype" in new and kind not in ("DTypePolicy", "Policy"):
        # Half precision of the training; the stored weights are float32.
        new["dtype"] = "float32"
    axis = new.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        new["axis"] = axis[0]
    if kind == "InputLayer" and "batch_input_shape" in new:
        new["batch_shape"] = new.pop("batch_input_shape")
    if kind in ("DepthwiseConv2D", "SeparableConv2D", "SeparableConvolution2D", "Conv2DTranspose"):
        if new.get("groups") == 1:
            del new["groups"]
        if kind.startswith("Separable"):
            for part in ("initializer", "regularizer", "constraint"):
                new.pop(f"kernel_{part}", None)
    if kind in _MODELS and isinstance(new.get("layers"), list):
        shapes = [_take_input_shape(layer) for layer in new["layers"]]
        if kind == "Sequential" and shapes and shapes[0] is not None:
            start = {"class_name": "InputLayer", "config": {"batch_shape": shapes[0]}}
            new["layers"] = [start | _module_of(new["layers"][0]), *new["layers"]]
    if kind in ("Model", "Functional"):
        kind = "Functional"
        for end in ("input_layers", "output_layers"):
            # A single one is no list in Keras 3, which would give lists of one tensor.
            if isinstance(new.get(end), list) and len(new[end]) == 1:
                new[end] = new[end][0]
    return _modern_keras_1(kind, new)


def _take_input_shape(layer: Any) -> Any:
    """Remove the shape that Keras 1 and 2 kept in the first layer, and return it."""
    arguments = layer.get("config") if isinstance(layer, dict) else None
    return arguments.pop("batch_input_shape", None) if isinstance(arguments, dict) else None


def _module_of(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What makes an inserted layer of the same format as its neighbour."""
    return {"module": "keras.layers", "registered_name": None} if "module" in layer else {}


_KERAS_1_NAMES = {
    "nb_filter": "filters",
    "subsample": "strides",
    "border_mode": "padding",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "p": "rate",
    "output_dim": "units",
}


def _modern_keras_1(kind: str, new: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """As Keras 1 called it; what it calls as Keras 3 does passes unchanged."""
    kind = {"Convolution2D": "Conv2D", "SeparableConvolution2D": "SeparableConv2D"}.get(kind, kind)
    if "nb_row" in new and "nb_col" in new:
        new["kernel_size"] = [new.pop("nb_row"), new.pop("nb_col")]
    order = new.pop("dim_ordering", None)
    if order is not None:
        new["data_format"] = {"tf": "channels_last", "th": "channels_first"}.get(order, order)
    if kind not in ("Conv2D", "SeparableConv2D", "Dense", "Dropout") and "border_mode" not in new:
        names = {}
    else:
        names = {old: today for old, today in _KERAS_1_NAMES.items() if today not in new}
    for old, today in names.items():
        if old in new:
            new[today] = new.pop(old)
    if kind == "BatchNormalization" and new.get("mode") == 0:
        del new["mode"]
        for old, today in (("gamma_init", "gamma_initializer"), ("beta_init", "beta_initializer")):
            if old in new:
                new[today] = new.pop(old)
    if kind == "Dense" and "units" in new:
        new.pop("input_dim", None)
    return kind, new


def _objects(config: Any) -> Iterator[Mapping[str, Any]]:
    """Everything in an architecture that names a class, at any depth."""
    rest = [config]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            rest.extend(part.values())
        elif isinstance(part, list):
            rest.extend(part)


def _check_object(part: Mapping[str, Any], name: str) -> None:
    kind, module = str(part["class_name"]), part.get("module")
    arguments = part.get("config")
    called = arguments.get("name") if isinstance(arguments, dict) else None
    what = f"{kind} layer {called!r}" if isinstance(called, str) else f"{kind} layer"
    if kind in _RUNS_CODE:
        raise ModelError(
            f"{name} holds a {what}, which runs code from the file, so it is not opened; "
            "build the network with stock layers, e.g. Rescaling, and save it again"
        )
    if kind in _READS_FILES:
        raise ModelError(f"{name} holds a {what}, which may read other files, so it is not opened")
    if kind == "function" or not _is_stock(kind, module):
        used = f"the function {arguments!r}" if kind == "function" else f"a {what}"
        raise ModelError(
            f"{name} needs {used}, which is not part of Keras {keras.__version__} but of the "
            "program that saved it; save the network again with stock layers only"
        )
    if isinstance(arguments, dict):
        for key in _SIZES & arguments.keys():
            if _largest(arguments[key]) > LARGEST_SIZE:
                raise ModelError(
                    f"{name} holds a {what} whose {key} is above {LARGEST_SIZE:,}, "
                    "so it is not built"
                )


def _is_stock(kind: str, module: Any) -> bool:
    if module is None or module == "builtins":
        return kind in _stock_names() or kind in _VALUES
    if not isinstance(module, str):
        return False
    if module.startswith(_OWN_MODULE):
        return True
    if module.startswith(("keras.src.ops.", "keras.ops.")):
        return kind.isidentifier()
    return module.split(".")[0] == "keras" and kind in _stock_names()


@cache
def _stock_names() -> frozenset[str]:
    """Classes that a network may be made of."""
    spaces: tuple[ModuleType, ...] = (
        keras.layers,
        keras.initializers,
        keras.regularizers,
        keras.constraints,
        keras.dtype_policies,
    )
    return _MODELS | {
        name for space in spaces for name, value in vars(space).items() if isinstance(value, type)
    }


def _largest(value: Any) -> float:
    """The largest number in a value or in its lists."""
    if isinstance(value, list):
        return max(map(_largest, value), default=0)
    return value if isinstance(value, int | float) else 0
