"""Jobs that die in every way: pictures that end their process, and rows of data sets to compare."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow.parquet

from picture_factory import gradient

ENDS_ITS_PROCESS, NEVER_ENDS = b"ends-its-process", b"never-ends"
"""What is written behind a JPEG, which viewers do not mind, for `PLUG_IN` to heed."""
WAITS = (b"waits-for-0", b"waits-for-1")
"""The same: such a picture is read when `let_go` says so."""
FILLS_THE_DISK = b"fills-the-disk"
"""The same: from such a picture on, no file gets beyond 2500 bytes, until `let_go` says so."""

PLUG_IN = f"""
import os, resource, time
import PIL.Image

_open = PIL.Image.open
_here = os.path.dirname(__file__)

def open(file, *arguments, **options):
    content = file.read()
    file.seek(0)
    if content.endswith({ENDS_ITS_PROCESS!r}):
        os.kill(os.getpid(), 9)
    if content.endswith({NEVER_ENDS!r}):
        time.sleep(3600)
    if content.endswith({WAITS!r}):
        while not os.path.exists(os.path.join(_here, content[-1:].decode())):
            time.sleep(0.01)
    if content.endswith({FILLS_THE_DISK!r}) and not os.path.exists(os.path.join(_here, "0")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (2500, resource.RLIM_INFINITY))
    return _open(file, *arguments, **options)

PIL.Image.open = open
"""
"""A ``sitecustomize.py``: Python runs it first in every process that finds it."""

PATIENCE_S = 120.0
"""How long anything may take on a machine that has much else to do."""


def write_pictures(folder: Path, count: int, *, marks: dict[int, bytes] | None = None) -> Path:
    """Small JPEG files that differ, in two folders; some with a mark behind them."""
    for number in range(count):
        pixels = gradient(40 + number % 7, 60)
        pixels[..., 2] = number % 256
        stream = io.BytesIO()
        PIL.Image.fromarray(pixels).save(stream, "JPEG")
        path = folder / ("a" if number % 2 else "b") / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stream.getvalue() + (marks or {}).get(number, b""))
    return folder


def plug_in(folder: Path) -> dict[str, str]:
    """An environment in which marks are heeded."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(PLUG_IN, encoding="utf-8")
    known = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    return {"PYTHONPATH": os.pathsep.join([str(folder), *known])}


def marks_to_wait(count: int) -> dict[int, bytes]:
    """Marks of `count` pictures: the first shards of 20 are done at once, then come those that wait
    for the first sign, then those that wait for the second one."""
    order = [*range(1, count, 2), *range(0, count, 2)]
    return {number: WAITS[place >= count // 2] for place, number in enumerate(order) if place >= 60}


def let_go(folder: Path, sign: int = 0) -> None:
    """Let pictures go on that wait, in processes with the plug-in of this folder."""
    (folder / str(sign)).touch()


def table(dataset: Path, name: str) -> list[dict[str, Any]]:
    """All rows of a table of a data set, in an order of their own."""
    files = sorted((dataset / name).glob("bucket=*/part-*.parquet"))
    found = []
    for path in files:
        with pyarrow.parquet.ParquetFile(path) as file:
            found += file.read().to_pylist()
    return sorted(found, key=lambda row: (row["source"], row.get("frame", 0), row.get("face", 0)))


def wait_for(what: Callable[[], object]) -> None:
    """Wait until something is so."""
    end_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end_s, "it took too long"
        time.sleep(0.02)


def children(process: int) -> list[int]:
    """Processes that a process started, and theirs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == process:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def is_running(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def start(arguments: list[object], folder: Path, more: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command that is ended by its number."""
    return subprocess.Popen(
        [sys.executable, "-c", "from mien.cli.app import main; main()", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "MIEN_CACHE": str(folder / "cache"), "COLUMNS": "200", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What runs in the background ignores Ctrl-C, and so does what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
