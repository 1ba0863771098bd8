"""`runs/shipped.sh --smoke`: every stage, killed in between, then everything skipped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs the train extra")

from mien.recognition.classifier import Classifier

ROOT = Path(__file__).parent.parent
FILES = (
    *("mien-small", "mien-small-int8", "mien-tiny", "mien-large"),
    *("mien-small-ferplus", "mien-small-joint"),
)


def start(folder: Path, backend: str) -> subprocess.Popen[str]:
    """The script, with the mien and the Python of these tests."""
    command = folder.parent / "mien"
    command.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from mien.cli.app import main; main()" "$@"\n'
    )
    command.chmod(0o755)
    environment = {
        **os.environ,
        **{"FOLDER": str(folder), "MIEN": str(command), "PYTHON": sys.executable},
        **{"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        "GPU": "yes" if backend == "jax" else "no",
    }
    return subprocess.Popen(
        ["bash", ROOT / "runs" / "shipped.sh", "--smoke"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, output[-3000:]
    return output


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_script_makes_every_file_and_goes_on_after_a_kill(backend: str, tmp_path: Path):
    if backend == "jax":
        pytest.importorskip("jax", reason="needs JAX")
    folder = tmp_path / "out"
    process = start(folder, backend)
    first = folder / ("large_1" if backend == "jax" else "slim")
    for _ in range(6000):
        if (first / "recipe.json").exists():
            break
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()  # which closes the pipe, too
    assert not (folder / "done" / first.name).exists()
    output = finish(start(folder, backend))
    for name in FILES:
        assert Classifier(folder / f"{name}.onnx").card.name == name
        assert name in output
    assert Classifier(folder / "mien-small.onnx").card.data["unlabelled"]["n"] == 60
    stages = {path.name for path in (folder / "done").iterdir()}
    again = finish(start(folder, backend))
    assert again.count("done before") == len(stages)
