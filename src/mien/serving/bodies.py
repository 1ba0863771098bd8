"""The body of a request, piece by piece, within its limits: raw, or one of multipart fields.

Starlette's form parser was rejected: it holds files on disk, reads a body to its end before it
counts anything, and knows no deadline.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mien.serving.admission import Ticket
from mien.serving.problems import Problem, busy

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Sink = Callable[[bytes], None]

MULTIPART = "multipart/form-data"

_LONGEST_NAME = 200


class ClientGoneError(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """A request's Content-Type."""

    name: str
    """Lower case, without parameters; empty where there is none."""
    boundary: bytes
    """Of multipart bodies; empty where there is none."""


def media_type(headers: Mapping[str, str]) -> MediaType:
    """What a request says that its body is."""
    name, options = parse_options_header(headers.get("content-type", ""))
    return MediaType(name.decode("latin-1").strip().lower(), options.get(b"boundary", b""))


def announced_bytes(headers: Mapping[str, str], limit_bytes: int) -> int | None:
    """Length of a body, as its header tells; None where it does not.

    Raises:
        Problem: 413, more than the limit.
    """
    text = headers.get("content-length", "")
    if not text.isascii() or not text.isdigit():
        return None
    length = int(text)
    if length > limit_bytes:
        raise too_large(limit_bytes)
    return length


def too_large(limit_bytes: int) -> Problem:
    """A body is larger than the limit."""
    return Problem(
        413,
        "body-too-large",
        f"the body has more than the limit of {limit_bytes:,} bytes",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much may come, and for how long."""

    limit_bytes: int
    """Bytes at most."""
    within_s: float
    """Time for all of it."""
    rate_bytes_s: float | None = None
    """What comes as fast as this may take longer; None: nothing may."""


async def receive_body(
    receive: Receive,
    take: Sink,
    allowance: Allowance,
    *,
    ticket: Ticket | None = None,
    flush: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Pass a body on, piece by piece.

    Args:
        receive: the request's, as in ASGI.
        take: called with each piece.
        allowance: what is allowed.
        ticket: the request's place, which may be given to another one meanwhile.
        flush: awaited after each piece, before the next one is asked for.

    Raises:
        Problem: 413, 408, or 503 where the place was given away; and what `take` raises.
        ClientGoneError: the client hung up.
    """
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    n_bytes = 0
    try:
        async with asyncio.timeout(allowance.within_s) as timeout:
            if ticket is not None:
                ticket.timeout = timeout
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                piece = message.get("body", b"")
                n_bytes += len(piece)
                if n_bytes > allowance.limit_bytes:
                    raise too_large(allowance.limit_bytes)
                if ticket is not None:
                    ticket.took(len(piece))
                if piece:
                    take(piece)
                    if flush is not None:
                        await flush()
                if not message.get("more_body", False):
                    return
                if allowance.rate_bytes_s is not None:
                    earned_s = n_bytes / allowance.rate_bytes_s
                    timeout.reschedule(begin_s + allowance.within_s + earned_s)
    except TimeoutError:
        if ticket is not None and ticket.is_displaced:
            raise busy("the body came slowly and others were waiting; send it again", 1) from None
        raise Problem(
            408,
            "body-too-slow",
            f"the body was not complete within {allowance.within_s:g} s",
            headers={"connection": "close"},
        ) from None
    finally:
        if ticket is not None:
            ticket.timeout = None


@dataclass(slots=True)
class Part:
    """One file of a request."""

    name: str
    """What the client calls it, without folders; empty where it does not say."""
    content: bytearray = field(default_factory=bytearray)
    """Its bytes so far."""


class Form:
    """Parses a multipart body as it comes.

    Args:
        boundary: as the header tells it.
        open_part: called with the name of a field and of its file; gives what takes its bytes.

    Raises:
        Problem: 400, the boundary is none.
    """

    def __init__(self, boundary: bytes, open_part: Callable[[str, str], Sink]) -> None:
        if not boundary:
            raise Problem(400, "bad-form", "the Content-Type of a form needs a boundary")
        self._open_part = open_part
        self._sink: Sink | None = None
        self._header: list[bytes] = [b"", b""]
        self._disposition = b""
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._field,
                    "on_header_value": self._value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_end": self._ends,
                },
            )
        except FormParserError as error:
            raise _bad_form(error) from error

    def take(self, piece: bytes) -> None:
        """Parse one more piece.

        Raises:
            Problem: 400, it is no form; and what ``open_part`` and the sinks raise.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _bad_form(error) from error

    def finish(self) -> None:
        """The body is complete.

        Raises:
            Problem: 400, it broke off.
        """
        if not self._is_complete:
            raise Problem(400, "bad-form", "the form breaks off before its last boundary")

    def _part_begins(self) -> None:
        self._disposition, self._sink = b"", None

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _header_ends(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise Problem(400, "bad-form", "a part of the form does not say which field it is")
        self._sink = self._open_part(
            options[b"name"].decode("utf-8", "replace"),
            plain_name(options.get(b"filename", b"").decode("utf-8", "replace")),
        )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._sink is not None:
            self._sink(data[start:end])

    def _ends(self) -> None:
        self._is_complete = True


def plain_name(name: str) -> str:
    """A file's name as the client tells it, without folders and unprintable letters; it is only
    ever repeated in answers, and never a path here."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME]


def unknown_field(name: str, known: str) -> Problem:
    """A form has a field that means nothing."""
    return Problem(
        422,
        "unknown-field",
        f"the form has a field {name[:_LONGEST_NAME]!r}; the only one that is known is {known!r}",
    )


def not_supported(wanted: str, got: str) -> Problem:
    """A body is of a media type that the route does not take."""
    return Problem(
        415,
        "media-type",
        f"expected a body of {wanted} or {MULTIPART}, got {got[:100] or 'no Content-Type'}",
        headers={"accept-post": f"{wanted}, {MULTIPART}"},
    )


def _bad_form(error: Exception) -> Problem:
    return Problem(400, "bad-form", f"the body is not a form: {str(error)[:_LONGEST_NAME]}")
