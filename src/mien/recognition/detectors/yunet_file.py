"""YuNet's pinned file, made to take pictures of any size, and to compute them with fewer steps.

`free_network` takes what the file says of sizes out of it: its input has 640 x 640 pixels, but its
layers do not care. That is two dimensions of the input, one of each output, and the shapes that
are stored for what lies between; all else is copied byte for byte.

`quick_network` joins what ends each of the three levels. There YuNet has four small heads (class,
object, box, landmarks), each a convolution over channels and one over places, which runtimes
compute with 16 channels, however few there are. All four together have 16: their weights one after
another are one head, with the same sums. A sixth of the time is saved (LOG.md).

What enters and what leaves is known by its hash, so nothing is ever run that was not tested.

Source of the field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import hashlib

from mien.errors import DetectorError
from mien.model.store import MODEL_FILES
from mien.recognition.detectors.protobuf import contents, edited, field, fields, number_field

FREE_SHA256 = "83fa5bd28b244d22061a94fcc44a02f60ecd1dc017005e8c0cf94bf605948f21"
"""Hash of what `free_network` returns."""

QUICK_SHA256 = "8a9aed7da9cf8e68408da32f43f1903efba3e1665eb982fed8d41947a38764e2"
"""Hash of what `quick_network` returns."""

STRIDES_PX = (8, 16, 32)
"""From one place to the next, per level."""

HEADS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Channels of each head, in the order in which `quick_network` gives them."""

N_CHANNELS = sum(HEADS.values())
"""Channels of all of them: 16."""

_GRAPH, _NODE, _INITIALIZER, _INPUT, _OUTPUT, _STORED_SHAPE = 7, 1, 5, 11, 12, 13
_TYPE, _TENSOR_TYPE, _SHAPE, _DIMENSION, _DIMENSION_SIZE, _DIMENSION_NAME = 2, 1, 2, 1, 1, 2
_TO_SHAPE = (_TYPE, _TENSOR_TYPE, _SHAPE)
"""From a value's description (ValueInfoProto) to its shape."""
_VALUE_NAME = 1
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _OPERATOR, _ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _INTEGER, _ATTRIBUTE_TYPE, _IS_INTEGER = 1, 3, 20, 2
_TENSOR_SIZE, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_CONTENT = 1, 2, 8, 9


def level_name(stride_px: int) -> str:
    """What `quick_network` calls the output of one level."""
    return f"level_{stride_px}"


def free_network(pinned: bytes) -> bytes:
    """The ONNX file of YuNet for pictures of any size.

    Its input ``input`` is float32 (1, 3, height, width) BGR, 0 to 255, with sides that are
    multiples of 32; its twelve outputs are as in the pinned file.

    Args:
        pinned: content of the file that `mien.model.store` knows as ``yunet``.

    Raises:
        DetectorError: it is another file.
    """
    if hashlib.sha256(pinned).hexdigest() != MODEL_FILES["yunet"].sha256:
        raise DetectorError("it is not the YuNet that mien knows")
    return _checked(edited(pinned, (_GRAPH,), _without_sizes), FREE_SHA256)


def quick_network(pinned: bytes) -> bytes:
    """As `free_network`, with one head for each level. Browsers can run it, too.

    For each of `STRIDES_PX` it has an output named by `level_name`, float32 (1, 16, height,
    width) in places of that stride: the channels of `HEADS`, the first two before their sigmoid.

    Args:
        pinned: as above.

    Raises:
        DetectorError: as above.
    """
    return _checked(edited(free_network(pinned), (_GRAPH,), _with_joined_heads), QUICK_SHA256)


def _checked(network: bytes, sha256: str) -> bytes:
    if hashlib.sha256(network).hexdigest() != sha256:
        raise DetectorError("this installation of mien is damaged: it cannot change YuNet's file")
    return network


def _without_sizes(graph: bytes) -> bytes:
    graph = b"".join(each.raw for each in fields(graph) if each.number != _STORED_SHAPE)
    graph = edited(
        graph, (_INPUT, *_TO_SHAPE), lambda shape: _open(shape, {2: b"height", 3: b"width"})
    )
    return edited(graph, (_OUTPUT, *_TO_SHAPE), lambda shape: _open(shape, {1: b""}))


def _open(shape: bytes, names: dict[int, bytes]) -> bytes:
    """A shape (TensorShapeProto) of which some dimensions, by position, have no size.

    Two dimensions of one name are equal; those without a name have nothing in common.
    """
    dimensions = contents(shape, _DIMENSION)
    for position, name in names.items():
        dimensions[position] = field(_DIMENSION_NAME, name) if name else b""
    return b"".join(field(_DIMENSION, dimension) for dimension in dimensions)


def _with_joined_heads(graph: bytes) -> bytes:
    nodes, tensors = contents(graph, _NODE), contents(graph, _INITIALIZER)
    by_output = {contents(node, _NODE_OUTPUT)[0]: node for node in nodes}
    by_name = {contents(tensor, _TENSOR_NAME)[0]: tensor for tensor in tensors}
    any_output = contents(graph, _OUTPUT)[0]
    joined: list[bytes] = []
    outputs: list[bytes] = []
    replaced: set[bytes] = set()
    for stride_px in STRIDES_PX:
        name = level_name(stride_px).encode()
        heads = [_head(by_output, f"{kind}_{stride_px}".encode()) for kind in HEADS]
        replaced.update(node for head in heads for node in head)
        # All heads see the same; each ends with what it computes last.
        (value,) = {contents(head[-1], _NODE_INPUT)[0] for head in heads}
        over_channels, over_places = ([head[at] for head in heads] for at in (-1, -2))
        for pieces, output, n_groups in (
            (over_channels, name + b"_channels", 1),
            (over_places, name, N_CHANNELS),
        ):
            inputs = [value, output + b"_weights", output + b"_biases"]
            for position in (1, 2):
                parts = [by_name[contents(piece, _NODE_INPUT)[position]] for piece in pieces]
                by_name[inputs[position]] = _stacked(parts, inputs[position])
            joined.append(_convolution(pieces[0], inputs, output, n_groups))
            value = output
        outputs.append(_as_level(any_output, name))
    nodes = [node for node in nodes if node not in replaced] + joined
    used = {name for node in nodes for name in contents(node, _NODE_INPUT)}
    changed = {
        _NODE: nodes,
        _INITIALIZER: [tensor for name, tensor in by_name.items() if name in used],
        _OUTPUT: outputs,
    }
    written = [(each.number, each.raw) for each in fields(graph) if each.number not in changed]
    written += [(number, field(number, each)) for number in changed for each in changed[number]]
    return b"".join(raw for _, raw in sorted(written, key=lambda each: each[0]))


def _head(by_output: dict[bytes, bytes], output: bytes) -> list[bytes]:
    """The nodes of a head, from its output back to the convolution over channels."""
    found: list[bytes] = []
    while sum(contents(node, _OPERATOR) == [b"Conv"] for node in found) < 2:
        found.append(by_output[output])
        output = contents(found[-1], _NODE_INPUT)[0]
    return found


def _stacked(tensors: list[bytes], name: bytes) -> bytes:
    """Tensors (TensorProto) of float32 one after another along their first dimension."""
    sizes = [each.raw for each in fields(tensors[0]) if each.number == _TENSOR_SIZE]
    kind = [each.raw for each in fields(tensors[0]) if each.number == _TENSOR_TYPE]
    content = b"".join(contents(tensor, _TENSOR_CONTENT)[0] for tensor in tensors)
    return b"".join(
        [
            number_field(_TENSOR_SIZE, N_CHANNELS),
            *sizes[1:],
            *kind,
            field(_TENSOR_NAME, name),
            field(_TENSOR_CONTENT, content),
        ]
    )


def _convolution(node: bytes, inputs: list[bytes], output: bytes, n_groups: int) -> bytes:
    """A convolution like another one, with other weights and groups of channels."""
    attributes = {contents(each, _ATTRIBUTE_NAME)[0]: each for each in contents(node, _ATTRIBUTE)}
    attributes[b"group"] = (
        field(_ATTRIBUTE_NAME, b"group")
        + number_field(_INTEGER, n_groups)
        + number_field(_ATTRIBUTE_TYPE, _IS_INTEGER)
    )
    return b"".join(
        [
            *(field(_NODE_INPUT, name) for name in inputs),
            field(_NODE_OUTPUT, output),
            field(_NODE_NAME, output),
            field(_OPERATOR, b"Conv"),
            *(field(_ATTRIBUTE, attribute) for attribute in attributes.values()),
        ]
    )


def _as_level(value: bytes, name: bytes) -> bytes:
    """The description of a level's output (ValueInfoProto), from that of one head's."""
    sizes = (number_field(_DIMENSION_SIZE, 1), number_field(_DIMENSION_SIZE, N_CHANNELS), b"", b"")
    shape = b"".join(field(_DIMENSION, size) for size in sizes)
    value = edited(value, _TO_SHAPE, lambda _: shape)
    return edited(value, (_VALUE_NAME,), lambda _: name)
