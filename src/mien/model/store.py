"""Model files: where they lie, how they are checked, how they get here. The only client of the
network.

A file in the cache counts only while its SHA-256 is the pinned one, so a broken copy is never
loaded: it is as if it were not there, and fetching replaces it. Files come by `fetch`, which is
patient, or by `fetch_quickly`, which is for things that work without: it gives up within seconds
and then leaves the network alone for a while. Hashing, temporary files and retries are pooch's.
"""

import hashlib
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit

from mien.cache_root import cache_root
from mien.errors import OutputError, WeightsError
from mien.files import atomic_file

RETRY_AFTER_S = 600.0
"""How long `fetch_quickly` leaves the network alone after it failed, in seconds."""

_CONNECT_S = 1.5
_PATIENT_CONNECT_S = 10.0
_READ_S = 10.0
_RETRIES = 2
_PACKAGED = Path(__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One model file that mien knows by name."""

    name: str
    """What it is called on the command line."""
    kind: Literal["classifier", "detector"]
    """What it does."""
    file_name: str
    """Name of the file in the cache or the package."""
    licence: str
    """Terms of the file."""
    packaged: bool = False
    """It is part of the installed package, and its card's golden outputs are its check."""
    urls: tuple[str, ...] = ()
    """Where it can be fetched, tried in order; empty for a packaged file."""
    sha256: str = ""
    """Hash of the file; empty for a packaged file."""
    size_bytes: int = 0
    """Size of the file; 0 for a packaged file."""


def _packaged(name: str) -> ModelFile:
    """A classifier of mien's own, trained on FER-2013."""
    licence = "MIT; trained on FER-2013, which was gathered for research"
    return ModelFile(name, "classifier", f"{name}.onnx", licence, packaged=True)


_FILES = (
    _packaged("mien-small"),
    _packaged("mien-small-int8"),
    _packaged("mien-tiny"),
    _packaged("mien-large"),
    _packaged("mien-small-ferplus"),
    _packaged("mien-small-joint"),
    ModelFile(
        name="yunet",
        kind="detector",
        file_name="face_detection_yunet_2023mar.onnx",
        licence="MIT",
        # Git LFS media address: the raw one answers with a pointer of 131 bytes.
        urls=(
            "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
            "face_detection_yunet/face_detection_yunet_2023mar.onnx",
        ),
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        size_bytes=232_589,
    ),
)

MODEL_FILES = MappingProxyType({file.name: file for file in _FILES})
"""Every model file by name."""


def find(name: str) -> Path | None:
    """Where a model file lies on this machine; the network is not touched.

    Args:
        name: a name in `MODEL_FILES`.

    Returns:
        The path of a complete file, or None where there is none.

    Raises:
        WeightsError: no model file has that name.
    """
    file = _file_of(name)
    path = _path_of(file)
    if file.packaged:
        return path if path.is_file() else None
    with suppress(OSError):
        if path.stat().st_size == file.size_bytes and _sha256(path) == file.sha256:
            return path
    return None


def fetch(name: str, *, from_file: Path | None = None) -> Path:
    """Put a model file into the cache, from its address or from a local copy.

    A file that is already there is not fetched again.

    Args:
        name: a name in `MODEL_FILES`.
        from_file: a local copy to take instead of the network.

    Returns:
        The path in the cache.

    Raises:
        WeightsError: no model file has that name, the copy is missing or another file, the
            network or the disk fails; the cache is unchanged.
    """
    file = _file_of(name)
    found = find(name)
    if file.packaged:
        if found is None:
            raise WeightsError(
                f"{name} should be part of the installed package, but {_path_of(file)} is "
                "missing; install mien again"
            )
        if from_file is not None:
            raise WeightsError(f"{name} comes with the package; name a file with --model instead")
        return found
    if from_file is not None:
        return _take_copy(file, from_file)
    return found or _download(file, connect_s=_PATIENT_CONNECT_S, retries=_RETRIES)


def fetch_quickly(name: str) -> Path:
    """As `fetch`, but gives up within seconds, and does not try again for `RETRY_AFTER_S`.

    Raises:
        WeightsError: as `fetch`; also where a try failed a short while ago.
    """
    file = _file_of(name)
    found = find(name)
    if found is not None or file.packaged:
        return fetch(name)
    failed = _path_of(file).with_suffix(".failed")
    with suppress(OSError):
        if 0 <= time.time() - failed.stat().st_mtime < RETRY_AFTER_S:
            raise WeightsError(f"{name} could not be fetched a short while ago")
    try:
        if not _answers(file.urls[0]):
            raise WeightsError(f"{urlsplit(file.urls[0]).hostname} does not answer")
        return _download(file, connect_s=_CONNECT_S, retries=0)
    except WeightsError:
        with suppress(OSError):
            failed.parent.mkdir(parents=True, exist_ok=True)
            failed.touch()
        raise


def _file_of(name: str) -> ModelFile:
    if name not in MODEL_FILES:
        known = ", ".join(MODEL_FILES)
        raise WeightsError(f"no model file is called {name}; known: {known}")
    return MODEL_FILES[name]


def _path_of(file: ModelFile) -> Path:
    folder = _PACKAGED if file.packaged else cache_root() / "models"
    return folder / file.file_name


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _take_copy(file: ModelFile, copy: Path) -> Path:
    try:
        content = copy.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {copy}: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        pointer = content.startswith(b"version https://git-lfs")
        what = "a Git LFS pointer, not the file" if pointer else f"{len(content):,} bytes"
        raise WeightsError(
            f"{copy} is not {file.file_name} ({what}; expected {file.size_bytes:,} bytes, "
            f"SHA-256 {file.sha256[:12]}...); get it from {file.urls[0]}"
        )
    path = _path_of(file)
    try:
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)
    except OutputError as error:
        raise WeightsError(str(error)) from error
    return path


def _download(file: ModelFile, *, connect_s: float, retries: int) -> Path:
    failures = []
    for url in file.urls:
        try:
            return _download_from(url, file, connect_s, retries)
        except (OSError, ValueError) as error:
            failures.append(_reason(error, url))
    raise WeightsError(
        f"cannot fetch {file.name}: {'; '.join(failures)}; or get {file.file_name} elsewhere "
        f"and run: mien fetch {file.name} --from FILE"
    )


def _download_from(url: str, file: ModelFile, connect_s: float, retries: int) -> Path:
    import pooch  # slow to load, and seldom needed

    pooch.get_logger().setLevel("WARNING")
    path = _path_of(file)
    cache = pooch.create(
        path=path.parent,
        base_url="",
        registry={file.file_name: f"sha256:{file.sha256}"},
        urls={file.file_name: url},
        retry_if_failed=retries,
    )
    downloader = pooch.HTTPDownloader(timeout=(connect_s, _READ_S))
    return Path(cache.fetch(file.file_name, downloader=downloader))


def _reason(error: OSError | ValueError, url: str) -> str:
    """Why a download failed, on one line, with what to do."""
    import requests  # pooch's own client, loaded with it

    host = urlsplit(url).hostname
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{host} answered {error.response.status_code}; update mien"
    if isinstance(error, requests.RequestException):
        return f"no complete answer from {host} ({type(error).__name__}); check the network"
    if isinstance(error, ValueError):
        return f"{host} sent another file than the pinned one (wrong SHA-256)"
    return f"cannot write to {cache_root() / 'models'}: {error.strerror or error}"


def _answers(url: str) -> bool:
    """Whether a connection opens in time. Name look-ups know no limit of time: hence a thread."""
    if urllib.request.getproxies():
        return True  # then the proxy connects, and its own limit holds
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    opened = threading.Event()

    def connect() -> None:
        with (
            suppress(OSError),
            socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S),
        ):
            opened.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_S)
    return opened.is_set()
