"""The command `mien` as people run it: an exit code, stdout and stderr.

Most tests run it inside this process, which saves a second for each command and ten where it
loads Keras. What only a process of its own shows (signals, closed streams, what C libraries
print, what an import costs) is tested by `mien_process` and `start_mien`.
"""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mien.cli import console
from mien.cli.app import main

_RUN = "from mien.cli.app import main; main()"
_COLUMNS = 200


def mien(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end inside this process, in a folder, whose ``cache`` it uses.

    An error that the command does not turn into an exit code is raised as it is.
    """
    words = ["mien", *map(str, arguments)]
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setenv("MIEN_CACHE", str(cwd / "cache"))
        patch.setenv("COLUMNS", str(_COLUMNS))
        patch.delenv("FORCE_COLOR", raising=False)
        patch.setattr(console.output, "width", _COLUMNS)
        patch.setattr(sys, "argv", words)
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as ended:
            main()
    stdout, stderr = (_text(stream) for stream in streams)
    code = ended.value.code
    assert code is None or isinstance(code, int), code
    return subprocess.CompletedProcess(words, code or 0, stdout, stderr)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def mien_process(
    *arguments: object,
    cwd: Path,
    path: Path | None = None,
    environment: dict[str, str] | None = None,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as a process of its own; ``path`` goes first in the search for
    modules."""
    return subprocess.run(
        [sys.executable, "-c", _RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=_environment(cwd, path, environment),
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


def _environment(cwd: Path, path: Path | None, more: dict[str, str] | None) -> dict[str, str]:
    environment = {**os.environ, "MIEN_CACHE": str(cwd / "cache"), "COLUMNS": str(_COLUMNS)}
    environment.pop("FORCE_COLOR", None)
    if path is not None:
        known = [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []
        environment["PYTHONPATH"] = os.pathsep.join([str(path), *known])
    return {**environment, **(more or {})}


def assert_fails_on_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 1, nothing on stdout, and one line on stderr with these words."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mien: ")
    for word in words:
        assert word in lines[0]
