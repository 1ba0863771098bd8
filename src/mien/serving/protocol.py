"""Connections: the deadline of a header, the number of connections, and who gives way.

uvicorn waits for ever for the rest of a header and counts requests rather than connections, so
its protocol classes are wrapped. Where all connections are taken, a newcomer takes the place of
the one that has kept the service waiting the longest; where all are being worked for, it may ask
how the service is, and is refused all else: a health check that fails because there is much to do
would have the service ended.
"""

import asyncio
from typing import Any, Protocol, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from mien.serving.metrics import Metrics
from mien.serving.problems import Problem, busy
from mien.serving.settings import Limits

CONNECTION_KEY = "mien.connection"
"""Key of a scope: the `Connection` of its request."""

_FRESH_S = 0.1
"""A connection of which nothing was heard for so long gives way, while its first header, a body or
the first message of a WebSocket is awaited."""
_PATIENCE_S = 1.0
"""One that is idle between requests, or has been sending a body, for so long gives way."""
_DRAIN_S = 2.0
"""How long the rest of a body is read after its answer."""
_DRAIN_BYTES = 32_000_000
"""And how much of it: closed at once, many clients would not see the answer."""
_SPARE = 8
"""Connections beyond the limit, for those who only ask how the service is."""
_LINGER_S = 1.0
"""How long a refused connection stays half open, for the same reason."""


class Connection(Protocol):
    """A connection, as others see it."""

    @property
    def is_gone(self) -> bool:
        """Whether the client hung up."""
        ...

    def client_is_slow(self) -> None:
        """The service waits for the client from now on."""
        ...

    def client_is_ready(self) -> None:
        """The service does not wait for the client any more."""
        ...

    def is_yielding(self, now_s: float) -> bool:
        """Whether it has kept the service waiting for long enough to give way."""
        ...

    def abort(self) -> None:
        """Close it without a word."""
        ...

    def was_refused(self, retry_after_s: int) -> bool:
        """A request is refused; whether one was before, and this one comes too early."""
        ...


class Doorkeeper:
    """Counts the connections of a service; in the event loop only.

    Args:
        limits: how many there may be, and how long a header may take.
        metrics: told of refusals.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits = limits
        """What is allowed."""
        self._metrics = metrics
        self._connections: dict[Connection, None] = {}
        self._spare: set[Connection] = set()

    @property
    def n_connections(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    def admit(self, connection: Connection, now_s: float) -> Problem | None:
        """Let a new connection in.

        Returns:
            None; or what it is told before it is closed.
        """
        if len(self._connections) >= self.limits.connections:
            slow = next((one for one in self._connections if one.is_yielding(now_s)), None)
            if slow is not None:
                self.leave(slow)
                slow.abort()
            elif len(self._connections) >= self.limits.connections + _SPARE:
                return self._refusal()
        self._connections[connection] = None
        if len(self._connections) - len(self._spare) > self.limits.connections:
            self._spare.add(connection)
        return None

    def check(self, connection: Connection) -> None:
        """A connection asks for more than how the service is.

        Raises:
            Problem: 503, it is one of those that are beyond the limit.
        """
        if connection not in self._spare:
            return
        if len(self._connections) - len(self._spare) >= self.limits.connections:
            raise self._refusal()
        self._spare.discard(connection)

    def _refusal(self) -> Problem:
        self._metrics.refused("connection")
        return busy("all connections are taken", 1, headers={"connection": "close"})

    def leave(self, connection: Connection) -> None:
        """A connection ended."""
        self._connections.pop(connection, None)
        self._spare.discard(connection)

    def replace(self, before: Connection, after: Connection) -> None:
        """A connection became a WebSocket."""
        if before in self._spare:
            self._spare.add(after)
        self.leave(before)
        self._connections[after] = None


class _Waiting:
    """Since when the service waits for a client; part of both kinds of connection."""

    _since_s: float | None = None
    _heard_s = 0.0
    _is_between = False
    _back_s = 0.0
    loop: asyncio.AbstractEventLoop

    def is_yielding(self, now_s: float) -> bool:
        """See `Connection`."""
        if self._since_s is None:
            return False
        is_silent = not self._is_between and now_s - self._heard_s > _FRESH_S
        return is_silent or now_s - self._since_s > _PATIENCE_S

    def client_is_slow(self) -> None:
        """See `Connection`."""
        self._since_s = self._heard_s = self.loop.time()

    def client_is_ready(self) -> None:
        """See `Connection`."""
        self._since_s = None

    def was_refused(self, retry_after_s: int) -> bool:
        """See `Connection`."""
        now_s = self.loop.time()
        is_early = now_s < self._back_s
        self._back_s = now_s + retry_after_s
        return is_early


class HttpConnection(_Waiting, H11Protocol):
    """A connection with HTTP requests, one after the other."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: Any, _loop: Any = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._doorkeeper: Doorkeeper = config.doorkeeper  # type: ignore[attr-defined]
        self._header_timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._drained = 0
        self._is_refused = False
        self._is_upgraded = False

    @property
    def is_gone(self) -> bool:
        """See `Connection`."""
        return bool(self.transport.is_closing())

    def abort(self) -> None:
        """See `Connection`."""
        self.transport.abort()

    def connection_made(self, transport: Any) -> None:
        """A client came; see `asyncio.Protocol`."""
        super().connection_made(transport)
        refusal = self._doorkeeper.admit(self, self.loop.time())
        if refusal is not None:
            self._is_refused = True
            self.transport.write(refusal.as_http())
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._header_timer = self.loop.call_later(_LINGER_S, self.abort)
            return
        self.client_is_slow()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended; see `asyncio.Protocol`."""
        self._doorkeeper.leave(self)
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; see `asyncio.Protocol`."""
        if self._is_refused:
            return
        if self._drain_timer is not None:
            self._drained += len(data)
            if self._drained > _DRAIN_BYTES:
                self.transport.close()
                return
        self._heard_s = self.loop.time()
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        """Requests are parsed; see `H11Protocol`."""
        before = self.scope
        super().handle_events()
        if self.scope is not before:
            # The task of the request has not begun: it runs after this call.
            cast(dict[str, Any], self.scope)[CONNECTION_KEY] = self
            self.client_is_ready()

    def on_response_complete(self) -> None:
        """An answer is out; see `H11Protocol`."""
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP; see `H11Protocol`."""
        if self.cycle is not None and self.cycle.response_started:
            self.transport.close()
            return
        self._end_with(Problem(400, "bad-request", "what was sent is not an HTTP/1.1 request"))

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The connection becomes a WebSocket; see `H11Protocol`."""
        self._is_upgraded = True  # and is none of this object's business any more
        self._stop_timers()
        self._unset_keepalive_if_required()
        super().handle_websocket_upgrade(event)

    def shutdown(self) -> None:
        """The service ends; see `H11Protocol`."""
        if self._is_refused or self.transport.is_closing():
            return
        if self.conn.our_state is h11.ERROR:
            self.transport.close()
            return
        super().shutdown()

    def _watch(self) -> None:
        """Start and stop the deadlines by what is awaited of the client."""
        if self._is_upgraded:
            return
        state, is_closing = self.conn.their_state, self.transport.is_closing()
        is_answered = self.cycle is None or self.cycle.response_complete
        self._is_between = state is h11.IDLE and self.cycle is not None
        if state in (h11.IDLE, h11.SEND_BODY) and not is_closing:
            if self._since_s is None:
                self.client_is_slow()
        else:
            self.client_is_ready()
        is_awaited = state is h11.IDLE and not is_closing
        if is_awaited and self._header_timer is None and self.timeout_keep_alive_task is None:
            limit_s = self._doorkeeper.limits.header_s
            self._header_timer = self.loop.call_later(limit_s, self._header_is_late)
        elif not is_awaited and self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
        is_draining = state is h11.SEND_BODY and is_answered and not is_closing
        if is_draining and self._drain_timer is None:
            self._drain_timer = self.loop.call_later(_DRAIN_S, self.abort)
        elif not is_draining and self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer, self._drained = None, 0

    def _header_is_late(self) -> None:
        self._header_timer = None
        limit_s = self._doorkeeper.limits.header_s
        self._end_with(
            Problem(408, "header-too-slow", f"the header was not complete within {limit_s:g} s")
        )

    def _end_with(self, problem: Problem) -> None:
        if not self.transport.is_closing():
            self.transport.write(problem.as_http())
            self.transport.close()

    def _stop_timers(self) -> None:
        for timer in (self._header_timer, self._drain_timer):
            if timer is not None:
                timer.cancel()
        self._header_timer = self._drain_timer = None


class LiveConnection(_Waiting, WebSocketsSansIOProtocol):
    """A WebSocket."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: Any, _loop: Any = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._doorkeeper: Doorkeeper = config.doorkeeper  # type: ignore[attr-defined]
        # Who never spoke need not answer the last word either.
        self.close_timeout = _LINGER_S

    @property
    def is_gone(self) -> bool:
        """See `Connection`."""
        return bool(self.transport.is_closing())

    def abort(self) -> None:
        """See `Connection`."""
        self.transport.abort()

    def connection_made(self, transport: Any) -> None:
        """The handshake begins; see `asyncio.Protocol`."""
        super().connection_made(transport)
        self._doorkeeper.replace(transport.get_protocol(), self)
        self.client_is_slow()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended; see `asyncio.Protocol`."""
        self._doorkeeper.leave(self)
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        """The application takes over; see `WebSocketsSansIOProtocol`."""
        cast(dict[str, Any], self.scope)[CONNECTION_KEY] = self
        await super().run_asgi()
