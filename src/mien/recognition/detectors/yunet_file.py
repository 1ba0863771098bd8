"""YuNet's pinned file, made to take pictures of any size.

The file says that its input has 640 x 640 pixels, but its layers do not care. Freeing it takes two
dimensions of the input, one of each output, and the shapes that are stored for what lies between:
those fields of the protobuf message are written anew here, and all others are copied byte for
byte. The `onnx` package could do it, but it is for trainings, and this is for everybody. What
enters and what leaves is known by its hash, so nothing is ever run that was not tested.

Source of the field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mien.errors import DetectorError
from mien.model.store import MODEL_FILES

FREE_SHA256 = "83fa5bd28b244d22061a94fcc44a02f60ecd1dc017005e8c0cf94bf605948f21"
"""Hash of what `free_network` returns."""

_GRAPH, _INPUT, _OUTPUT, _STORED_SHAPE = 7, 11, 12, 13
_TYPE, _TENSOR_TYPE, _SHAPE, _DIMENSION, _DIMENSION_NAME = 2, 1, 2, 1, 2
_TO_SHAPE = (_TYPE, _TENSOR_TYPE, _SHAPE)
"""From a value's description (ValueInfoProto) to its shape."""

_VARINT, _EIGHT_BYTES, _LENGTH_PREFIXED, _FOUR_BYTES = 0, 1, 2, 5
"""Ways in which protobuf writes a field: https://protobuf.dev/programming-guides/encoding/"""


def free_network(pinned: bytes) -> bytes:
    """The ONNX file of YuNet for pictures of any size.

    Its input ``input`` is float32 (1, 3, height, width) BGR, 0 to 255, with sides that are
    multiples of 32; its twelve outputs are as in the pinned file. Browsers can run it, too.

    Args:
        pinned: content of the file that `mien.model.store` knows as ``yunet``.

    Raises:
        DetectorError: it is another file.
    """
    if hashlib.sha256(pinned).hexdigest() != MODEL_FILES["yunet"].sha256:
        raise DetectorError("it is not the YuNet that mien knows")
    network = _edited(pinned, (_GRAPH,), _without_sizes)
    if hashlib.sha256(network).hexdigest() != FREE_SHA256:
        raise DetectorError("this installation of mien is damaged: it cannot free YuNet's input")
    return network


def _without_sizes(graph: bytes) -> bytes:
    graph = b"".join(field.raw for field in _fields(graph) if field.number != _STORED_SHAPE)
    graph = _edited(
        graph, (_INPUT, *_TO_SHAPE), lambda shape: _open(shape, {2: b"height", 3: b"width"})
    )
    return _edited(graph, (_OUTPUT, *_TO_SHAPE), lambda shape: _open(shape, {1: b""}))


def _open(shape: bytes, names: dict[int, bytes]) -> bytes:
    """A shape (TensorShapeProto) of which some dimensions, by position, have no size.

    Two dimensions of one name are equal; those without a name have nothing in common.
    """
    dimensions = [field.content for field in _fields(shape)]
    for position, name in names.items():
        dimensions[position] = _field(_DIMENSION_NAME, name) if name else b""
    return b"".join(_field(_DIMENSION, dimension) for dimension in dimensions)


def _edited(message: bytes, path: tuple[int, ...], edit: Callable[[bytes], bytes]) -> bytes:
    """A message in which every inner message at the path of field numbers was edited."""
    number, *rest = path
    return b"".join(
        _field(number, _edited(field.content, tuple(rest), edit) if rest else edit(field.content))
        if field.number == number
        else field.raw
        for field in _fields(message)
    )


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    raw: bytes
    """The whole field."""
    content: bytes
    """Text, bytes or message of a field with a length; empty for numbers."""


def _fields(message: bytes) -> Iterator[_Field]:
    """The fields of a message, in their order.

    Raises:
        ValueError: it is no message.
    """
    start = 0
    while start < len(message):
        tag, at = _varint(message, start)
        number, kind = tag >> 3, tag & 7
        body = at
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _LENGTH_PREFIXED:
            length, body = _varint(message, at)
            at = body + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"expected a protobuf message, got a field of kind {kind}")
        if at > len(message):
            raise ValueError("expected a protobuf message, got a part of one")
        content = message[body:at] if kind == _LENGTH_PREFIXED else b""
        yield _Field(number, message[start:at], content)
        start = at


def _field(number: int, content: bytes) -> bytes:
    """A field with a length."""
    tag = _as_varint(number << 3 | _LENGTH_PREFIXED)
    return tag + _as_varint(len(content)) + content


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends: seven bits a byte, the lowest first."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("expected a protobuf message, got a number without an end")


def _as_varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
