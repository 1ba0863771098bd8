"""What a peer's process does with what `peers.py` asks: a line of JSON in, a line of JSON out.

Answers go to a file descriptor of their own, because libraries print what they like. Runs under
the peer's own Python, so it needs numpy alone.

    {"do": "photo", "file": F, "height": h, "width": w}         one picture, uint8 RGB
    {"do": "faces", "file": F, "n": n, "side": s, "batch": b, "out": O}   grey tiles, uint8
    {"do": "facts"}                                             names of the classes, sizes
"""

import importlib.metadata
import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Peer:
    """A library that is loaded."""

    labels: Sequence[str]
    """Its own names of the classes, in the order of its outputs."""
    classify: Callable[[np.ndarray], np.ndarray]
    """Grey tiles, uint8 (n, side, side), to probabilities (n, classes)."""
    recognize: Callable[[np.ndarray], list[str]]
    """A picture, uint8 (H, W, 3) RGB, to its own name of what each face shows."""
    requires: Sequence[str]
    """Distributions that have to be installed for it."""
    own_bytes: int
    """Size of its own files, where they are not those of an installed distribution."""
    runs_on: str
    """What computes, with its version."""


def serve(load: Callable[[], Peer], answers: int) -> None:
    """Load the peer and answer until nobody asks any more.

    Args:
        load: makes the peer ready; the clock of the first answer runs meanwhile.
        answers: the file descriptor.
    """
    peer = load()
    with os.fdopen(answers, "w", encoding="utf-8") as channel:
        for line in sys.stdin:
            channel.write(json.dumps(_answer(peer, json.loads(line))) + "\n")
            channel.flush()


def _answer(peer: Peer, asked: dict[str, Any]) -> dict[str, Any]:
    if asked["do"] == "photo":
        pixels = np.fromfile(asked["file"], np.uint8)
        picture = pixels.reshape(asked["height"], asked["width"], 3)
        started, worked = time.perf_counter(), time.process_time()
        found = peer.recognize(picture)
        return {"faces": found, **_since(started, worked)}
    if asked["do"] == "faces":
        return _faces(peer, asked)
    installed, missing = installed_bytes(peer.requires)
    return {
        "labels": list(peer.labels),
        "runs_on": peer.runs_on,
        "installed_bytes": installed + peer.own_bytes,
        "missing": missing,
        # Kilobytes on Linux.
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def _faces(peer: Peer, asked: dict[str, Any]) -> dict[str, Any]:
    side, batch = asked["side"], asked["batch"]
    tiles = np.fromfile(asked["file"], np.uint8).reshape(asked["n"], side, side)
    rows, wall_ms, cpu_ms = [], [], []
    for start in range(0, len(tiles), batch):
        started, worked = time.perf_counter(), time.process_time()
        rows.append(np.asarray(peer.classify(tiles[start : start + batch]), np.float32))
        taken = _since(started, worked)
        wall_ms.append(taken["wall_ms"])
        cpu_ms.append(taken["cpu_ms"])
    np.concatenate(rows).astype("<f4").tofile(asked["out"])
    return {"wall_ms": wall_ms, "cpu_ms": cpu_ms}


def _since(started: float, worked: float) -> dict[str, float]:
    return {
        "wall_ms": 1e3 * (time.perf_counter() - started),
        "cpu_ms": 1e3 * (time.process_time() - worked),
    }


STAND_INS = {
    "tensorflow": "tensorflow-cpu",
    "opencv-contrib-python": "opencv-python-headless",
    "opencv-python": "opencv-python-headless",
}
"""Smaller distributions that do the same; they are counted where they are there instead."""


def installed_bytes(requires: Sequence[str]) -> tuple[int, list[str]]:
    """Size on disk of distributions and of all that they need, without extras.

    Args:
        requires: names of distributions.

    Returns:
        Bytes by the lists of files that they were installed with, and the names of what is
        declared but not installed.
    """
    waiting, seen, total, missing = list(requires), set[str](), 0, []
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in STAND_INS:
                waiting.append(STAND_INS[name])
            else:
                missing.append(name)
            continue
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            total += path.stat().st_size if path.is_file() else 0
        for requirement in found.requires or ():
            _, _, marker = requirement.partition(";")
            # Extras are not asked for, and other systems' needs are not met here.
            if "extra" in marker or "win32" in marker or "Windows" in marker:
                continue
            named = _NAME.match(requirement)
            if named:
                waiting.append(named[0])
    return total, sorted(missing)


def folder_bytes(folder: Path) -> int:
    """Size of the files of a folder, without Python's caches."""
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return sum(path.stat().st_size for path in files if path.is_file())
