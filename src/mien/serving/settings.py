"""What a service is started with: addresses, secrets and limits, checked before anything loads."""

import ipaddress
import math
from dataclasses import dataclass, field
from pathlib import Path

from mien.errors import ServeError

MEGABYTE = 1_000_000
"""Bytes, as the flags count them."""
SHORTEST_TOKEN = 16
"""Characters of a token at least."""
ENVIRONMENT = "MIEN_SERVE_"
"""Beginning of the environment variables; every flag has one."""
TOKEN_VARIABLE = f"{ENVIRONMENT}TOKEN"
"""Environment variable that may hold the token itself."""

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client, and all of them together, may ask for.

    Raises:
        ValueError: a limit below 1.
    """

    body_bytes: int = 20 * MEGABYTE
    """Largest body with pictures."""
    video_bytes: int = 500 * MEGABYTE
    """Largest video."""
    picture_pixels: int = 25_000_000
    """Width times height of a picture or frame, by its header."""
    pictures: int = 32
    """Pictures of one request."""
    video_frames: int = 20_000
    """Frames of one video."""
    video_s: float = 30 * 60.0
    """Time that the work on one video takes at most."""
    video_cpu_s: float = 60 * 60.0
    """Processor time of the same."""
    video_memory_bytes: int = 2_000 * MEGABYTE
    """Memory of the process that works on it, beside what its libraries take."""
    waiting_videos: int = 4
    """Videos that wait while one is worked on."""
    kept_videos: int = 16
    """Videos whose results are kept; beyond them the oldest one goes."""
    kept_s: float = 15 * 60.0
    """How long results of a video are kept after its end."""
    connections: int = 64
    """Open connections."""
    live: int = 8
    """Live connections."""
    header_s: float = 10.0
    """Time for a request's header, and for the first message of a live connection."""
    body_s: float = 60.0
    """Time for a body with pictures, and between two frames of a live connection."""
    video_rate_bytes_s: float = 256_000.0
    """A video may take longer than ``body_s`` as long as it comes as fast as this."""
    waiting_bytes: int = 256 * MEGABYTE
    """Bodies with pictures that are held in memory at a time, all together."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            least = 0 if name == "waiting_videos" else 1e-3 if name.endswith("_s") else 1
            if not least <= value < math.inf:
                raise ValueError(f"expected a {name} of at least {least}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a service is started with.

    Raises:
        ValueError: an address without a token that others than this machine can reach, half of a
            certificate, or a value that means nothing.
    """

    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 7890
    """Port to listen at; 0: any that is free."""
    model: str = "default"
    """As in `mien.workflows.models.open_model`."""
    detector: str = "auto"
    """As in `mien.recognition.recognizer.Recognizer`."""
    offline: bool = False
    """Never fetch model files."""
    threads: int = 2
    """Pictures that are worked on at the same time."""
    queue: int = 64
    """Requests with pictures that are held at a time; further ones are refused."""
    token: str | None = field(default=None, repr=False)
    """What clients must show."""
    no_auth: bool = False
    """Listen at any address without a token."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the service is called, beside this machine's own."""
    allowed_origins: tuple[str, ...] = ()
    """Pages elsewhere that may use it, as ``https://example.org``."""
    tls_cert: Path | None = None
    """Certificate; with `tls_key`."""
    tls_key: Path | None = None
    """Its key."""
    root_path: str = ""
    """Prefix that a proxy takes off before it passes a request on, as ``/faces``."""
    folder: Path | None = None
    """Where the folders of running services lie; the system's temporary folder where None."""
    stop_s: float = 30.0
    """Time for what was accepted to be answered, once the service is to end."""
    limits: Limits = field(default_factory=Limits)
    """What clients may ask for."""

    def __post_init__(self) -> None:
        if not self.is_local and self.token is None and not self.no_auth:
            raise ValueError(
                f"{self.host} can be reached by others: name a --token-file, set "
                f"{TOKEN_VARIABLE}, or say --no-auth"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("--tls-cert and --tls-key belong together")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"expected a port from 0 to 65535, got {self.port}")
        if self.threads < 1 or self.queue < 1:
            raise ValueError("expected at least one thread and a queue of at least 1")
        if self.root_path and not (
            self.root_path.startswith("/") and not self.root_path.endswith("/")
        ):
            raise ValueError(f"expected a root path as /faces, got {self.root_path}")
        for origin in self.allowed_origins:
            scheme, _, rest = origin.partition("://")
            if scheme not in ("http", "https") or not rest or "/" in rest:
                raise ValueError(f"expected an origin as https://example.org, got {origin}")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.tls_cert is not None else "http"


def whole_units(value: float, unit: int) -> int:
    """How many things a number of units are, as bytes of megabytes, to the nearest one.

    Raises:
        ValueError: it is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {value}")
    return round(value * unit)


def is_loopback(host: str) -> bool:
    """Whether a name or address always means this machine."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path | None, value: str | None) -> str | None:
    """The token from a file, or from what an environment variable held.

    Args:
        path: a file that holds the token and nothing else but white space.
        value: the token itself; counts where there is no file.

    Raises:
        ServeError: the file cannot be read, or the token is too short or not plain text.
    """
    where = TOKEN_VARIABLE if path is None else str(path)
    if path is not None:
        try:
            value = path.read_text(encoding="ascii")
        except OSError as error:
            raise ServeError(
                f"cannot read the token file {path}: {error.strerror or error}"
            ) from error
        except UnicodeDecodeError as error:
            raise ServeError(f"the token in {path} is not plain ASCII; make another") from error
    if value is None:
        return None
    token = value.strip()
    if len(token) < SHORTEST_TOKEN or not all("!" <= letter <= "~" for letter in token):
        raise ServeError(
            f"the token in {where} is not one: it needs at least {SHORTEST_TOKEN} characters of "
            "ASCII without spaces; make one with: openssl rand -hex 32"
        )
    return token
