"""What went wrong, as every answer says it: problem details (RFC 9457)."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

PROBLEM_JSON = "application/problem+json"
"""Media type of problem details. Source: RFC 9457, section 3."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Problem(Exception):
    """A request, or one picture of it, cannot be answered; raised and sent.

    Args:
        status: HTTP status.
        kind: short name, for programs; the end of ``type``.
        detail: what is wrong and what to do, for people.
        headers: of the answer.
        members: further members of the JSON.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def as_dict(self) -> dict[str, Any]:
        """The problem as JSON-ready values."""
        return {
            "type": f"urn:mien:problem:{self.kind}",
            "title": _phrase(self.status),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def as_json(self) -> bytes:
        """The problem as JSON."""
        return json.dumps(self.as_dict(), ensure_ascii=False).encode("utf-8", "replace")

    def as_response(self) -> Response:
        """The problem as an answer."""
        return Response(self.as_json(), self.status, self.headers, PROBLEM_JSON)

    def as_http(self) -> bytes:
        """The problem as the bytes of a whole answer, after which the connection ends."""
        body = self.as_json()
        headers = {
            **self.headers,
            "content-type": PROBLEM_JSON,
            "content-length": str(len(body)),
            "connection": "close",
            "cache-control": "no-store",
        }
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def send_to(self, send: Send, scope_type: str) -> None:
        """Answer a request, or the handshake of a WebSocket, with it."""
        body = self.as_json()
        kind = "http.response" if scope_type == "http" else "websocket.http.response"
        headers = {
            **self.headers,
            "content-type": PROBLEM_JSON,
            "content-length": str(len(body)),
        }
        await send(
            {
                "type": f"{kind}.start",
                "status": self.status,
                "headers": [
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in headers.items()
                ],
            }
        )
        await send({"type": f"{kind}.body", "body": body})


def busy(detail: str, retry_after_s: int, *, headers: Mapping[str, str] | None = None) -> Problem:
    """There is no room now."""
    told = {"retry-after": str(retry_after_s), **(headers or {})}
    return Problem(503, "busy", detail, headers=told)


def ending() -> Problem:
    """The service is about to end."""
    return Problem(
        503,
        "ending",
        "the service is ending and accepts nothing more",
        headers={"retry-after": "5", "connection": "close"},
    )


def internal() -> Problem:
    """Nobody expected this."""
    return Problem(500, "internal", "the service failed; its log says how")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Problem"
