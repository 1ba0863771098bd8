"""The command `mien` as people run it: a process with an exit code, stdout and stderr."""

import os
import signal
import subprocess
import sys
from pathlib import Path

_RUN = "from mien.cli.app import main; main()"


def mien(
    *arguments: object, cwd: Path, path: Path | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in a folder, whose ``cache`` it uses; ``path`` goes first in
    the search for modules."""
    environment = {**os.environ, "MIEN_CACHE": str(cwd / "cache"), "COLUMNS": "200"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    environment.pop("FORCE_COLOR", None)
    return subprocess.run(
        [sys.executable, "-c", _RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=timeout_s,
        check=False,
    )


def start_mien(
    *arguments: object, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a command that runs on until it is stopped, as from a terminal."""
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "MIEN_CACHE": str(cwd / "cache"), **(environment or {})},
        # What runs in the background ignores Ctrl-C, and so does what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def assert_fails_on_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 1, nothing on stdout, and one line on stderr with these words."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mien: ")
    for word in words:
        assert word in lines[0]
