"""A service from its first byte to its last: the socket, the signals, and an orderly end.

uvicorn ends by the signal that it was sent, and closes connections whose requests it has not read
yet. Here the end is: refuse what is new, answer all that was accepted, exit code 0.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from mien.errors import ServeError
from mien.serving.app import build_app
from mien.serving.engine import load_engine
from mien.serving.memory import keep_little
from mien.serving.protocol import HttpConnection, LiveConnection
from mien.serving.service import Service
from mien.serving.settings import Settings
from mien.serving.shell import Shell

_BACKLOG = 1024
_ON_THEIR_WAY_S = 0.15
"""Requests that were sent before the end was known are read for so long."""
_SWITCH_S = 0.001
"""How long Python lets a thread run before another one gets its turn; its own 5 ms would let the
event loop wait for every thread that works on a picture."""

_log = logging.getLogger(__name__)


def serve(settings: Settings, on_line: Callable[[str], None]) -> int:
    """Run a service until it is told to end.

    Args:
        settings: what it is started with.
        on_line: told in a line what the person should know.

    Returns:
        Exit code: 0; 1 where something that was accepted could not be answered in time.

    Raises:
        ServeError: it cannot listen there.
        ModelError, WeightsError, DetectorError, MissingExtraError: as `load_engine`.
    """
    keep_little()
    sys.setswitchinterval(_SWITCH_S)
    _log_to(on_line)
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        service = Service(
            settings,
            lambda metrics: load_engine(
                settings.model,
                settings.detector,
                offline=settings.offline,
                metrics=metrics,
                on_fallback=on_line,
            ),
        )
        server = Server(service, build_app(service))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        port = listener.getsockname()[1]
        if not settings.is_local and settings.tls_cert is None:
            on_line("browsers give no camera to pages of this service, as it has no --tls-cert")
        server.on_started = lambda: on_line(
            f"serving at {settings.scheme}://{host}:{port}{settings.root_path}/, a page to open; "
            "Ctrl-C or SIGTERM ends it"
        )
        server.run(sockets=[listener])
    return server.exit_code


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address; nobody can connect before it listens.

    Raises:
        ServeError: the address is taken, or is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"cannot listen at {host}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.set_inheritable(False)
    except OSError as error:
        listener.close()
        raise ServeError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}; name another --port"
        ) from error
    return listener


def configure(service: Service, shell: Shell) -> uvicorn.Config:
    """uvicorn's configuration of a service.

    Raises:
        ServeError: the certificate or its key cannot be read.
    """
    settings = service.settings
    config = uvicorn.Config(
        shell,
        loop="asyncio",
        http=HttpConnection,
        ws=LiveConnection,
        ws_max_size=settings.limits.body_bytes,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        root_path=settings.root_path,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=max(1, round(settings.stop_s)),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    config.doorkeeper = service.doorkeeper  # type: ignore[attr-defined]
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ServeError(
            f"cannot use {settings.tls_cert} and {settings.tls_key}: {error.strerror or error}"
        ) from error
    return config


class Server(uvicorn.Server):
    """uvicorn's server with an orderly end.

    Args:
        service: what it serves.
        shell: its application.

    Raises:
        ServeError: as `configure`.
    """

    def __init__(self, service: Service, shell: Shell) -> None:
        super().__init__(configure(service, shell))
        self._service = service
        self._shell = shell
        self.exit_code = 0
        """What the process should end with."""
        self.on_started: Callable[[], None] = lambda: None
        """Called once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; see `uvicorn.Server`."""
        await super().startup(sockets)
        if self.started:
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Read what is on its way, refuse what is new, answer all else."""
        # What waits in the system's queue was sent in good faith.
        await asyncio.sleep(_ON_THEIR_WAY_S)
        self._service.is_ending = self._shell.is_ending = True
        await super().shutdown(sockets)
        if any(not task.done() for task in self.server_state.tasks):
            self.exit_code = 1
            _log.warning(
                "some requests were not answered within %g s", self._service.settings.stop_s
            )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM and Ctrl-C end the service in order, and the second one at once."""
        try:
            before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        except ValueError:  # only the main thread may say what signals do
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Lines(logging.Handler):
    """Log records as lines for a person, tracebacks in full."""

    def __init__(self, on_line: Callable[[str], None], level: int) -> None:
        super().__init__(level)
        self._on_line = on_line

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record."""
        self._on_line(record.getMessage())
        if record.exc_info and sys.stderr is not None:
            sys.stderr.write(logging.Formatter().formatException(record.exc_info) + "\n")


def _log_to(on_line: Callable[[str], None]) -> None:
    """Warnings of mien's, errors of all others: what clients send must not fill a disk."""
    for name, level in (("", logging.ERROR), ("mien", logging.WARNING)):
        log = logging.getLogger(name)
        log.propagate = False
        log.addHandler(_Lines(on_line, level))
