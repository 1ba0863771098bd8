"""What the architecture stored in a Keras file would build, judged before anything is built.

A Keras file holds a network as JSON: classes by name, with their arguments. Some of those run
code, or read other files, as soon as the network is built or used: a Lambda layer holds Python
bytecode. So the JSON is read first, and only layers that Keras itself ships and that do nothing
but arithmetic are let through. What older Keras wrote is put in today's words first (see
`keras_words`).

Keras's own safe mode is switched on as well, but it was not enough by itself: it has been got
round through the modules and functions that a file may name (CVE-2025-1550, CVE-2025-8747,
CVE-2025-9905).
"""

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import isfunction
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
_VALUES = frozenset(
    ("__tensor__", "__keras_tensor__", "__numpy__", "__tuple__", "__ellipsis__", "__slice__")
)
_MODELS = frozenset(("Functional", "Model", "Sequential"))
_OF_ALL = {"name", "trainable", "dtype"}
_OF_APPLICATIONS = {
    "LayerScale": ("keras.src.applications.convnext", {"init_values", "projection_dim"}),
    "CustomScaleLayer": ("keras.src.applications.inception_resnet_v2", {"scale"}),
}
"""Layers that Keras ships within its networks, with their module and arguments."""
_OWN_MODULE = "mien.zoo."
_ALSO_OPERATIONS = frozenset(
    ("Add", "Average", "Dot", "Maximum", "Minimum", "Multiply", "Reshape", "Subtract")
)
"""Layers that are called otherwise than the operations of the same name."""
_AUTHOR, _GONE = "the program that saved it", "an older Keras"
_OTHERS = {
    "function": f"TensorFlow or {_AUTHOR}",
    **dict.fromkeys(("LocallyConnected1D", "LocallyConnected2D", "CuDNNLSTM", "CuDNNGRU"), _GONE),
    **dict.fromkeys(("Merge", "MaxoutDense", "Highway", "TimeDistributedDense"), _GONE),
    **dict.fromkeys(("Deconvolution2D", "Convolution1D", "RandomFourierFeatures"), _GONE),
    "TensorFlowOpLayer": "TensorFlow 2.3 or older, for arithmetic between layers",
}
"""Where a class comes from that is not the author's own."""
_SIZES = frozenset(
    (
        *("units", "filters", "nb_filter", "input_dim", "output_dim", "depth_multiplier"),
        *("kernel_size", "pool_size", "strides", "size", "padding", "num_heads", "key_dim"),
        *("batch_shape", "batch_input_shape", "input_shape", "n"),
    )
)


def refuse_code(config: Any, name: str) -> None:
    """Refuse an architecture that holds code or reads other files, wherever that stands.

    For the words of any Keras: even what is left out later must not be there.

    Raises:
        ModelError: it runs code or reads files, or is larger than any sensible network.
    """
    for number, part in enumerate(_objects(config)):
        if number > MOST_OBJECTS:
            raise ModelError(f"{name} describes a network of more than {MOST_OBJECTS:,} parts")
        _refuse_code(part, name)


def check_config(config: Any, name: str) -> None:
    """Refuse an architecture that holds anything but Keras's own arithmetic.

    Args:
        config: the architecture, parsed from JSON and modernised.
        name: what the file is called in messages.

    Raises:
        ModelError: it runs code, reads files, has layers that Keras does not know, or is larger
            than any sensible network.
    """
    refuse_code(config, name)
    for part in _objects(config):
        _check_object(part, name)


def _objects(config: Any) -> Iterator[Mapping[str, Any]]:
    """Everything in an architecture that names a class, at any depth.

    How a network was compiled is left out of what is built.
    """
    rest = [config]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            rest.extend(value for key, value in part.items() if key != "compile_config")
        elif isinstance(part, list):
            rest.extend(part)


def _refuse_code(part: Mapping[str, Any], name: str) -> None:
    kind = str(part["class_name"])
    if kind in _RUNS_CODE:
        raise ModelError(
            f"{name} holds {_with_article(_called(part))}, which runs code from the file, so it is "
            "not opened; build the network with stock layers, e.g. Rescaling, and save it again"
        )
    if kind in _READS_FILES:
        raise ModelError(
            f"{name} holds {_with_article(_called(part))}, which may read other files, so it is "
            "not opened"
        )


def _called(part: Mapping[str, Any]) -> str:
    kind, arguments = str(part["class_name"]), part.get("config")
    called = arguments.get("name") if isinstance(arguments, dict) else None
    return f"{kind} layer {called!r}" if isinstance(called, str) else f"{kind} layer"


def _with_article(noun: str) -> str:
    return f"{'an' if noun.startswith(tuple('AEIO')) else 'a'} {noun}"


def _check_object(part: Mapping[str, Any], name: str) -> None:
    kind, arguments = str(part["class_name"]), part.get("config")
    what = _called(part)
    if _is_operation(part):
        raise ModelError(
            f"{name} computes {kind} between its layers, which an HDF5 file of Keras 3 cannot "
            "hold; save the network as .keras"
        )
    if kind == "function" or not _is_stock(kind, part.get("module"), arguments):
        used = f"the function {arguments!r}" if kind == "function" else _with_article(what)
        raise ModelError(
            f"{name} needs {used}, which is not part of Keras {keras.__version__} but of "
            f"{_OTHERS.get(kind, _AUTHOR)}; "
            "save the network again with stock layers only"
        )
    for key in ("activation", "recurrent_activation"):
        function = arguments.get(key) if isinstance(arguments, dict) else None
        if isinstance(function, str) and function not in activation_names():
            raise ModelError(
                f"{name} needs the activation {function!r} in its {what}, which is not part of "
                f"Keras {keras.__version__}; save the network again with stock activations"
            )
    if isinstance(arguments, dict):
        for key in _SIZES & arguments.keys():
            if _largest(arguments[key]) > LARGEST_SIZE:
                raise ModelError(
                    f"{name} holds {_with_article(what)} whose {key} is above {LARGEST_SIZE:,}, "
                    "so it is not built"
                )


def _is_operation(part: Mapping[str, Any]) -> bool:
    """Whether a part of a graph is an operation of Keras 3 whose module HDF5 files leave out.

    Layers always say whether they are trainable, and operations never.
    """
    kind, arguments = str(part["class_name"]), part.get("config")
    return (
        isinstance(part.get("inbound_nodes"), list)
        and part.get("module") is None
        and isinstance(arguments, dict)
        and "trainable" not in arguments
        and (kind in _ALSO_OPERATIONS or kind not in _stock_names())
        and kind.lower() in _operation_names()
    )


def _is_stock(kind: str, module: Any, arguments: Any) -> bool:
    if kind in _OF_APPLICATIONS:
        home, known = _OF_APPLICATIONS[kind]
        is_own = isinstance(arguments, dict) and arguments.keys() <= known | _OF_ALL
        return is_own and module in (None, home)
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
def layers_of_applications() -> dict[str, type]:
    """Layers that Keras ships within its networks, by name, as a loader wants them."""
    return {
        kind: getattr(importlib.import_module(home), kind)
        for kind, (home, _) in _OF_APPLICATIONS.items()
    }


@cache
def activation_names() -> frozenset[str]:
    """Functions that a layer may name as its activation."""
    functions = (name for name, value in vars(keras.activations).items() if isfunction(value))
    return frozenset(functions) - {"get", "serialize", "deserialize"}


@cache
def _operation_names() -> frozenset[str]:
    """Operations that Keras ships, as ``truedivide``."""
    spaces: tuple[ModuleType, ...] = (
        keras.ops,
        keras.ops.image,
        keras.ops.linalg,
        keras.ops.nn,
        keras.ops.numpy,
    )
    names = (name for space in spaces for name, value in vars(space).items() if isfunction(value))
    return frozenset(name.replace("_", "") for name in names)


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
