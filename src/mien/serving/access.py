"""Who may ask: the name by which the service is called, the page that asks, and the token.

A page elsewhere can make a browser send requests here, with a name that it lets point to this
machine (DNS rebinding) or straight to its address. So the Host of every request must be known,
and the Origin of those that do something must be the service's own page or an allowed one.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mien.page.files import FOLDER_NAME, MODEL_PATH, NUMBERS_PATH
from mien.serving.bodies import Receive
from mien.serving.problems import Problem, Send
from mien.serving.settings import Settings, is_loopback

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_ROUTES = ("/", "/healthz", "/readyz", "/docs", "/openapi.json")
"""What is answered without a token: nothing of it is secret."""
PAGE_FOLDER = f"/{FOLDER_NAME}/"
"""The files of the page, which need none either, but for those of the model."""
MODEL_ROUTES = (f"/{MODEL_PATH}", f"/{NUMBERS_PATH}")
"""The model, and what is said of it."""
LIVE_ROUTE = "/v1/live"
"""The WebSocket; its token may come in the first message, as browsers can set no header."""

_CHANGING = ("POST", "DELETE", "PUT", "PATCH")
_PREFLIGHT = (
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"600"),
)


class Gate:
    """Decides who may ask.

    Args:
        settings: the token, and the names that are allowed.
    """

    def __init__(self, settings: Settings) -> None:
        self._token = None if settings.token is None else _digest(settings.token)
        self._hosts = {host.lower().rstrip(".") for host in settings.allowed_hosts}
        if not _is_address(settings.host):
            self._hosts.add(settings.host.lower())
        self._origins = {origin.lower() for origin in settings.allowed_origins}

    def knows(self, token: str | None) -> bool:
        """Whether a token is the service's; always so where it has none."""
        if self._token is None:
            return True
        return token is not None and hmac.compare_digest(_digest(token), self._token)

    def check(self, scope: Scope) -> None:
        """Check a request or a handshake, all but the body.

        Raises:
            Problem: 421, 403 or 401.
        """
        headers = _headers(scope, b"host", b"origin", b"authorization")
        host = headers[b"host"]
        if len(host) != 1 or not self._is_own(host[0], scope):
            raise Problem(
                421,
                "unknown-host",
                "the service is not called by that name; add it with --allow-host",
            )
        is_live = scope["type"] == "websocket"
        if headers[b"origin"] and (is_live or scope["method"] in _CHANGING):
            origins = headers[b"origin"]
            if len(origins) != 1 or not self._is_allowed(origins[0], host[0]):
                raise Problem(
                    403, "foreign-origin", "this page may not do that; add it with --allow-origin"
                )
        path = path_of(scope)
        if path in OPEN_ROUTES or (path.startswith(PAGE_FOLDER) and path not in MODEL_ROUTES):
            return
        if not is_live and scope["method"] == "OPTIONS":
            return
        shown = headers[b"authorization"]
        if is_live and path == LIVE_ROUTE and not shown:
            return
        token = _bearer(shown[0]) if len(shown) == 1 else None
        if not self.knows(token):
            raise Problem(
                401,
                "no-token",
                "show the token in the header Authorization, as: Bearer TOKEN",
                headers={"www-authenticate": "Bearer"},
            )

    def sharing(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Headers that let an allowed page elsewhere read the answer; none for others."""
        origins = _headers(scope, b"origin")[b"origin"]
        if len(origins) != 1 or origins[0].lower() not in self._origins:
            return []
        shared = [
            (b"access-control-allow-origin", origins[0].encode("latin-1")),
            (b"access-control-expose-headers", b"location, retry-after"),
            (b"vary", b"origin"),
        ]
        return [*shared, *_PREFLIGHT] if scope.get("method") == "OPTIONS" else shared

    def _is_own(self, host: str, scope: Scope) -> bool:
        name = _name_of(host)
        if name is None:
            return False
        if is_loopback(name) or name in self._hosts:
            return True
        # An address cannot be rebound; this one is where the client reached this machine.
        server = scope.get("server")
        return server is not None and _same_address(name, str(server[0]))

    def _is_allowed(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        if origin in self._origins:
            return True
        scheme, _, netloc = origin.partition("://")
        if scheme not in ("http", "https"):
            return False
        return _with_port(netloc, scheme) in (
            _with_port(host.lower(), "http"),
            _with_port(host.lower(), "https"),
        )


def path_of(scope: Scope) -> str:
    """Path of a request without the prefix of a proxy."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _headers(scope: Scope, *names: bytes) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {name: [] for name in names}
    for name, value in scope["headers"]:
        if name in found:
            found[name].append(value.decode("latin-1"))
    return found


def _bearer(header: str) -> str | None:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _name_of(host: str) -> str | None:
    """Name or address in a Host header, without the port; None where it is malformed."""
    if host.startswith("["):
        address, bracket, rest = host[1:].partition("]")
        return address if bracket and (not rest or rest.startswith(":")) else None
    name, _, port = host.partition(":")
    return name.lower().rstrip(".") if not port or port.isdigit() else None


def _with_port(netloc: str, scheme: str) -> str:
    bare = netloc.rsplit("]", 1)[-1]
    return netloc if ":" in bare else f"{netloc}:{443 if scheme == 'https' else 80}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_address(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False
