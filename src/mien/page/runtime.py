"""ONNX Runtime Web: the three files with which browsers run networks.

They are a dependency and no part of the repository: `make page` puts them into the package
before a wheel is built, `mien fetch page` into the cache. A file counts only while its SHA-256 is
the pinned one. The WebAssembly is stored with gzip and unpacked by the page itself, so that any
static host will do: 3.7 MB in place of 14.
"""

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from mien.cache_root import cache_root
from mien.errors import OutputError, WeightsError
from mien.files import atomic_file

NAME = "page"
"""What `mien fetch` calls the files."""
PACKAGE = "onnxruntime-web"
"""Their package in npm's registry."""
MODULE_NAME = "ort.wasm.min.mjs"
"""The module that the page imports."""
GLUE_NAME = "ort-wasm-simd-threaded.mjs"
"""What it imports itself."""
WASM_NAME = "ort-wasm-simd-threaded.wasm.gz"
"""The WebAssembly, as it is stored and sent."""

SHA256: Mapping[str, str] = MappingProxyType(
    {
        MODULE_NAME: "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
        GLUE_NAME: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
        WASM_NAME: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    }
)
"""Hash of each file of version 1.30.0; of the WebAssembly, as it is unpacked."""

REMEDY = "get them with: mien fetch page"
"""What to do where the files are not there."""

FOLDER = Path(__file__).parent
"""Of this package, with ``package.json``."""
PACKAGED = FOLDER / "vendor"
"""Where `make page` puts the files."""

_LARGEST_BYTES = 20_000_000
_NPM_S = 600.0


def find() -> dict[str, bytes] | None:
    """The files' contents, by name; None where they are not all on this machine.

    Those of the package come before those of the cache; the network is not touched.
    """
    for folder in (PACKAGED, _cached()):
        found = {}
        for name in SHA256:
            with suppress(OSError, EOFError, ValueError, zlib.error):
                content = (folder / name).read_bytes()
                if _digest(name, content) == SHA256[name]:
                    found[name] = content
        if len(found) == len(SHA256):
            return found
    return None


def fetch(from_file: Path | None = None) -> Path:
    """Put the files into the cache: by npm, or from a copy of their package.

    Args:
        from_file: the package as a ``.tgz`` file, or a folder that holds the three files.

    Returns:
        The folder that they lie in.

    Raises:
        WeightsError: npm is not there or fails, the copy is another one, or the disk fails; the
            cache is as it was.
    """
    if from_file is not None:
        return put(from_file, _cached())
    if find() is not None:
        return PACKAGED if (PACKAGED / WASM_NAME).is_file() else _cached()
    npm = shutil.which("npm")
    if npm is None:
        raise WeightsError(
            f"npm is not on this machine; install Node.js, or get the file of {PACKAGE} "
            f"{_version()} from npm's registry elsewhere and run: mien fetch page --from FILE.tgz"
        )
    with tempfile.TemporaryDirectory(prefix="mien-page-") as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"{PACKAGE}@{_version()}"]
        try:
            done = subprocess.run(  # noqa: S603 -- a fixed command
                command, cwd=folder, capture_output=True, text=True, timeout=_NPM_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WeightsError(f"npm does not run ({type(error).__name__})") from error
        packed = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            why = (done.stderr.strip().splitlines() or ["no reason told"])[0][:120]
            raise WeightsError(
                f"npm could not fetch {PACKAGE} ({why}); check the network, or run: "
                "mien fetch page --from FILE.tgz"
            )
        return put(packed[0], _cached())


def put(source: Path, folder: Path) -> Path:
    """Put the files of a copy of their package into a folder.

    Args:
        source: as ``from_file`` of `fetch`.
        folder: where they go.

    Returns:
        The folder.

    Raises:
        WeightsError: the copy is another one, or the disk fails; what was there is as it was.
    """
    contents = _in_folder(source) if source.is_dir() else _in_archive(source)
    for name, expected in SHA256.items():
        content = contents.get(_name_in_package(name))
        if content is None or hashlib.sha256(content).hexdigest() != expected:
            what = "has no" if content is None else "holds another"
            raise WeightsError(
                f"{source} {what} {_name_in_package(name)}; expected {PACKAGE} {_version()}, as "
                f"`npm pack {PACKAGE}@{_version()}` gives it"
            )
    try:
        for name in SHA256:
            content = contents[_name_in_package(name)]
            with atomic_file(folder / name) as temporary:
                is_packed = name != _name_in_package(name)
                temporary.write_bytes(gzip.compress(content, 9, mtime=0) if is_packed else content)
    except OutputError as error:
        raise WeightsError(str(error)) from error
    return folder


def _in_folder(folder: Path) -> dict[str, bytes]:
    names = [_name_in_package(name) for name in SHA256]
    try:
        return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    except OSError as error:
        raise WeightsError(f"cannot read {folder}: {error.strerror or error}") from error


def _in_archive(path: Path) -> dict[str, bytes]:
    """The wanted files of an archive; nothing of it is written anywhere."""
    wanted = {f"package/dist/{_name_in_package(name)}" for name in SHA256}
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name in wanted and member.isfile() and member.size <= _LARGEST_BYTES:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        found[member.name.rpartition("/")[2]] = stream.read()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise WeightsError(f"{path} is no .tgz file, or it is damaged") from error
    return found


def _name_in_package(name: str) -> str:
    return name.removesuffix(".gz")


def _digest(name: str, content: bytes) -> str:
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            content = stream.read(_LARGEST_BYTES)
    return hashlib.sha256(content).hexdigest()


def _version() -> str:
    """As in package.json, the one place of it."""
    content = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    return str(content["dependencies"][PACKAGE])


def _cached() -> Path:
    return cache_root() / "page"
