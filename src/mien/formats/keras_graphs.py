"""How layers are joined in a stored network: the notations of Keras 1 and 2 -> that of Keras 3.

Keras 2 wrote a call of a layer as a list ``[name, call, output, arguments]`` for each tensor it
takes, allowed names with slashes, and counted the calls of a network inside of the network from
1. Arithmetic between layers (``x / 255``) became layers that call a function of TensorFlow by its
name; those that are arithmetic alone are put as operations of today's Keras.
"""

from collections.abc import Mapping
from typing import Any

from mien.errors import ModelError

_NETWORKS = frozenset(("Functional", "Model", "Sequential"))
_OPERATIONS = frozenset(("TFOpLambda", "SlicingOpLambda"))


def is_network(kind: str) -> bool:
    """Whether a class is a network made of layers."""
    return kind in _NETWORKS


def plain_name(name: str) -> str:
    """A name of a layer that Keras 3 accepts."""
    return name.replace("/", "_")


def modern_graph(arguments: dict[str, Any], name: str) -> None:
    """Rewrite how the layers of a functional network are joined.

    Args:
        arguments: those of the network; its layers are modern already. Changed in place.
        name: what the file is called in messages.

    Raises:
        ModelError: a layer that acts in training only is called as in training, or an operation
            is none of today's Keras.
    """
    layers = [layer for layer in arguments["layers"] if isinstance(layer, dict)]
    networks = {str(layer.get("name")) for layer in layers if is_network(str(layer["class_name"]))}
    sequences = {str(layer.get("name")) for layer in layers if layer["class_name"] == "Sequential"}
    written_by_keras_2 = False
    for layer in layers:
        nodes = layer.get("inbound_nodes")
        if not isinstance(nodes, list):
            continue
        calls = [node for node in nodes if isinstance(node, list) and node]
        written_by_keras_2 |= bool(calls)
        if calls:
            layer["inbound_nodes"] = [_call(node, networks) for node in calls]
            _refuse_training(layer, name)
        if layer["class_name"] in _OPERATIONS:
            _become_operation(layer, name)
        _forget_training(layer)
    for end in ("input_layers", "output_layers"):
        ends = arguments.get(end)
        if not isinstance(ends, list):
            continue
        if len(ends) == 1:
            # A single one is no list in Keras 3, which would give lists of one tensor.
            ends = arguments[end] = ends[0]
        for place in [ends] if _is_place(ends) else filter(_is_place, ends):
            place[0] = plain_name(place[0])
            if written_by_keras_2 and place[0] in sequences:
                # Keras 3 still counts so for other networks, but not for these.
                place[1] = max(place[1] - 1, 0)


def _is_place(value: Any) -> bool:
    """Whether a value names a tensor: layer, call, output, and maybe arguments."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def _call(node: list[Any], networks: set[str]) -> dict[str, Any]:
    """One call of a layer as Keras 3 writes it."""
    places = [node] if isinstance(node[0], str) else node
    tensors = [_tensor(place, networks) for place in places]
    last = places[-1]
    named = last[3] if len(last) == 4 and isinstance(last[3], dict) else {}
    return {
        "args": tensors if len(tensors) == 1 else [tensors],
        "kwargs": {
            key: _tensor(value, networks) if _is_place(value) else value
            for key, value in named.items()
        },
    }


def _tensor(place: Any, networks: set[str]) -> Any:
    if not _is_place(place):
        return place
    layer, call, output = place[:3]
    if layer == "_CONSTANT_VALUE":
        return output
    layer = plain_name(layer)
    # Keras 2 counted the making of a network as its first call.
    call = max(call - 1, 0) if layer in networks else call
    history = {"shape": [None], "dtype": "float32", "keras_history": [layer, call, output]}
    return {"class_name": "__keras_tensor__", "config": history}


def _refuse_training(layer: Mapping[str, Any], name: str) -> None:
    """Refuse a network of Keras 2 that is as in training whenever it is used."""
    told = [node["kwargs"].get("training") for node in layer["inbound_nodes"]]
    if True in told and _minds_training(layer):
        raise ModelError(
            f"{name} calls its layer {layer.get('name')!r} with training=True, so that its outputs "
            "are random or depend on other faces; save the network again without that"
        )


def _forget_training(layer: Mapping[str, Any]) -> None:
    """Leave out that a call was one of training: Keras 3 notes that of layers whose default it is,
    and `predict` does not heed it."""
    for node in layer.get("inbound_nodes", ()):
        given = node.get("kwargs") if isinstance(node, dict) else None
        if not isinstance(given, dict):
            continue
        if layer["class_name"] == "Identity":
            given.clear()  # what the layer in whose place it stands was told
        elif given.get("training") is True:
            del given["training"]


def _minds_training(layer: Mapping[str, Any]) -> bool:
    """Whether a layer, or one inside of it, did something else in training."""
    if layer["class_name"] in ("Identity", "BatchNormalization"):
        return True
    inside = layer["config"].get("layers") if isinstance(layer.get("config"), dict) else None
    return isinstance(inside, list) and any(map(_minds_training, inside))


def _become_operation(layer: dict[str, Any], name: str) -> None:
    """Turn a call of a function of TensorFlow into one of today's Keras."""
    function = str(layer["config"].get("function"))
    for node in layer.get("inbound_nodes", ()):
        made = _operation(function, node["args"], node["kwargs"])
        if made is None:
            raise ModelError(
                f"{name} computes TensorFlow's {function} between its layers, in "
                f"{layer.get('name')!r}, for which mien knows no layer of Keras; save the network "
                "again with layers only"
            )
        module, kind, settings, operands = made
        node["args"], node["kwargs"] = operands, {}
        layer["module"], layer["class_name"] = module, kind
        layer["registered_name"] = None if module == "keras.layers" else kind
        layer["config"] = {"name": layer["name"], **settings}
        layer.pop("build_config", None)


_BINARY = {
    "add": "Add",
    "bias_add": "Add",
    "subtract": "Subtract",
    "sub": "Subtract",
    "multiply": "Multiply",
    "mul": "Multiply",
    "truediv": "TrueDivide",
    "divide": "TrueDivide",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "pow": "Power",
}
_UNARY = {"negative": "Negative", "abs": "Absolute", "sqrt": "Sqrt", "square": "Square"}
_ACTIVATIONS = (
    *("relu", "relu6", "elu", "selu", "silu", "swish", "gelu", "leaky_relu", "softmax"),
    *("sigmoid", "tanh", "softplus", "softsign"),
)
_REDUCTIONS = {"reduce_mean": "Mean", "reduce_sum": "Sum", "reduce_max": "Max"}
_NEXT_OPERAND = ("y", "bias", "value")

_Operation = tuple[str, str, dict[str, Any], list[Any]]


def _operation(function: str, args: list[Any], given: Mapping[str, Any]) -> _Operation | None:
    """Module, class, settings and operands of what computes a function of TensorFlow."""
    word = function.split(".")[-1]
    settings = {key: value for key, value in given.items() if key != "name" and value is not None}
    if word in _BINARY:
        settings.pop("data_format", None)  # of bias_add: NHWC
        second = [settings.pop(key) for key in _NEXT_OPERAND if key in settings]
        operands = [_constant(value) for value in (*args, *second)]
        if len(operands) == 2 and not settings:
            return "keras.src.ops.numpy", _BINARY[word], {}, operands
    elif word in _UNARY and not settings:
        return "keras.src.ops.numpy", _UNARY[word], {}, args
    elif word in _ACTIVATIONS and settings in ({}, {"axis": -1}):
        return "keras.layers", "Activation", {"activation": word}, args
    elif word in _REDUCTIONS and settings.keys() <= {"axis", "keepdims"}:
        return "keras.src.ops.numpy", _REDUCTIONS[word], settings, args
    elif word in ("cast", "identity", "stop_gradient"):
        return "keras.layers", "Identity", {}, args
    elif word == "clip_by_value" and settings.keys() == {"clip_value_min", "clip_value_max"}:
        ends = {"x_min": settings["clip_value_min"], "x_max": settings["clip_value_max"]}
        return "keras.src.ops.numpy", "Clip", ends, args
    elif word == "concat" and settings.keys() == {"axis"}:
        return "keras.layers", "Concatenate", settings, args
    elif word == "reshape" and isinstance(settings.get("shape"), list):
        return "keras.src.ops.numpy", "Reshape", {"newshape": settings["shape"]}, args
    elif word == "getitem" and _is_reversal(settings.get("slice_spec")):
        return "keras.src.ops.numpy", "Flip", {"axis": -1}, args
    return None


def _constant(value: Any) -> Any:
    """A list of numbers as an array."""
    if isinstance(value, list):
        return {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    return value


def _is_reversal(slices: Any) -> bool:
    """Whether ``x[..., ::-1]`` was written: red, green, blue -> blue, green, red."""
    whole = {"start": None, "stop": None, "step": None}
    return (
        isinstance(slices, list)
        and slices[:-1] == [{"class_name": "__ellipsis__"}]
        and slices[-1] == {**whole, "step": -1}
    )
