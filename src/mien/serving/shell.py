"""Around every route: who may ask, the headers of every answer, counts, and what nobody expected.

Plain ASGI: Starlette's base class for this would make a task per request.
"""

import logging
from collections.abc import MutableMapping
from typing import Any

from mien.serving.access import LIVE_ROUTE, App, Gate, Scope, path_of
from mien.serving.bodies import ClientGoneError, Receive
from mien.serving.metrics import Metrics
from mien.serving.problems import Problem, Send, ending, internal
from mien.serving.protocol import CONNECTION_KEY, Doorkeeper

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Of every answer that does not say otherwise."""

HEALTH_ROUTES = ("/healthz", "/readyz", "/metrics")
"""What is told however much there is to do, and while the service ends."""

_log = logging.getLogger(__name__)


class Shell:
    """An ASGI application around another one.

    Args:
        app: the routes.
        gate: who may ask.
        doorkeeper: knows who came although all connections were taken.
        metrics: told of every answer.
    """

    def __init__(self, app: App, gate: Gate, doorkeeper: Doorkeeper, metrics: Metrics) -> None:
        self._app = app
        self._gate = gate
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self.is_ending = False
        """Whether only health is told, as the service ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or a handshake; see ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._gate.sharing(scope))
        try:
            await self._answer(scope, receive, answer)
        except ClientGoneError:
            return
        except Problem as problem:
            if not answer.is_begun:
                await problem.send_to(answer.send, scope["type"])
        except Exception:
            _log.exception("%s failed", _route(scope))
            if not answer.is_begun:
                await internal().send_to(answer.send, scope["type"])
        finally:
            if answer.status:
                self._metrics.answered(_route(scope), answer.status)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        self._gate.check(scope)
        path = path_of(scope)
        if scope["type"] == "websocket":
            if path != LIVE_ROUTE:
                raise Problem(404, "not-found", "there is nothing at this address")
        elif scope["method"] == "OPTIONS" and answer.is_shared:
            await answer.send({"type": "http.response.start", "status": 204, "headers": []})
            await answer.send({"type": "http.response.body", "body": b""})
            return
        if path not in HEALTH_ROUTES:
            if self.is_ending:
                raise ending()
            if (connection := scope.get(CONNECTION_KEY)) is not None:
                self._doorkeeper.check(connection)
        await self._app(scope, receive, answer.send)


class _Answer:
    """What goes out, with the headers of every answer."""

    def __init__(self, send: Send, sharing: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._sharing = sharing
        self.status = 0
        self.is_begun = False

    @property
    def is_shared(self) -> bool:
        return bool(self._sharing)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            self.is_begun = True
            self.status = message.get("status", 101)
            headers = list(message.get("headers", []))
            told = {name for name, _ in headers}
            headers += [pair for pair in HEADERS if pair[0] not in told]
            if self._sharing:
                headers = [pair for pair in headers if pair[0] != b"cross-origin-resource-policy"]
            message["headers"] = [*headers, *self._sharing]
        await self._send(message)


def _route(scope: Scope) -> str:
    """A route as metrics and logs call it; addresses that are none are all alike."""
    route = scope.get("route")
    path = getattr(route, "path", None) or (LIVE_ROUTE if scope["type"] == "websocket" else None)
    if path is None:
        return "other"
    return path if scope["type"] == "websocket" else f"{scope['method']} {path}"
