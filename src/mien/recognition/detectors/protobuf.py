"""Messages of protobuf, taken apart and put together: as much as `yunet_file` needs.

Every function takes and gives the bytes of a message. The `onnx` package could do it, but it is
for trainings, and detection is for everybody.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_VARINT, _EIGHT_BYTES, _LENGTH_PREFIXED, _FOUR_BYTES = 0, 1, 2, 5
"""Ways in which a field is written."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message."""

    number: int
    """What the message's definition calls it by."""
    raw: bytes
    """All of it, as it is written."""
    content: bytes
    """Text, bytes or message of a field with a length; empty for numbers."""


def fields(message: bytes) -> Iterator[Field]:
    """The fields of a message, in their order.

    Raises:
        ValueError: it is no message.
    """
    start = 0
    while start < len(message):
        tag, at = read_number(message, start)
        number, kind = tag >> 3, tag & 7
        body = at
        if kind == _VARINT:
            _, at = read_number(message, at)
        elif kind == _LENGTH_PREFIXED:
            length, body = read_number(message, at)
            at = body + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"expected a protobuf message, got a field of kind {kind}")
        if at > len(message):
            raise ValueError("expected a protobuf message, got a part of one")
        content = message[body:at] if kind == _LENGTH_PREFIXED else b""
        yield Field(number, message[start:at], content)
        start = at


def contents(message: bytes, number: int) -> list[bytes]:
    """What the fields of one number hold, in their order; they have a length each.

    Raises:
        ValueError: as `fields`.
    """
    return [each.content for each in fields(message) if each.number == number]


def edited(message: bytes, path: tuple[int, ...], edit: Callable[[bytes], bytes]) -> bytes:
    """A message in which every inner message at the path of field numbers was edited.

    Raises:
        ValueError: as `fields`.
    """
    number, *rest = path
    return b"".join(
        field(number, edited(each.content, tuple(rest), edit) if rest else edit(each.content))
        if each.number == number
        else each.raw
        for each in fields(message)
    )


def field(number: int, content: bytes) -> bytes:
    """A field with a length, as it is written."""
    tag = written_number(number << 3 | _LENGTH_PREFIXED)
    return tag + written_number(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field that holds a whole number from 0 on, as it is written."""
    return written_number(number << 3 | _VARINT) + written_number(value)


def read_number(message: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends: seven bits a byte, the lowest first.

    Raises:
        ValueError: it does not end.
    """
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("expected a protobuf message, got a number without an end")


def written_number(value: int) -> bytes:
    """A number as `read_number` reads it."""
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
