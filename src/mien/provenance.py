"""Which code and which machine made a number."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import mien

_LIBRARIES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "onnxruntime", "onnx")


@cache
def commit() -> str:
    """Commit of the mien that runs, ``+changes`` where its checkout was edited.

    Outside a git checkout it is the version, e.g. ``mien 0.1.0``.
    """
    folder = Path(__file__).resolve().parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        # The package may be installed inside another project's checkout: then git says nothing.
        if not _git(folder, "ls-files", "--", "provenance.py"):
            raise OSError
        return head + ("+changes" if _git(folder, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return f"mien {mien.__version__}"


def environment() -> dict[str, str]:
    """Versions of what computes, the processor and the commit."""
    versions = {"mien": mien.__version__, "commit": commit(), "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions | {"platform": platform.platform(), "processor": _processor()}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]  # a fixed command: nothing from outside
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()
