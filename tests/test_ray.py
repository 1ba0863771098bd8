"""The engine Ray: on this machine, and on a cluster of two nodes that die."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs the extra ray")
pytest.importorskip("pyarrow", reason="data sets need the extra table")

import dataset_factory as factory
from command_line import mien as run_mien
from dataset_factory import ENDS_ITS_PROCESS, FILLS_THE_DISK, table
from onnx_factory import write_model

pytestmark = pytest.mark.slow

N = 240
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-test-0123456789abcdef0123456789"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Cluster:
    """Nodes on this machine, each with one processor."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets have short names
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {
            **os.environ,
            **TOKEN,
            **environment,
            "RAY_USAGE_STATS_ENABLED": "0",
            # How soon a node that is gone is missed: 15 s with what Ray takes.
            "RAY_health_check_period_ms": "500",
        }
        self.nodes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both nodes."""
        self._start("--head", f"--port={self.address.split(':')[1]}")
        self._start(f"--address={self.address}")

    def _start(self, *arguments: str) -> None:
        head = ["--include-dashboard=false", f"--temp-dir={self.folder}"]
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments),
                *("--num-cpus=1", "--node-ip-address=127.0.0.1", "--disable-usage-stats"),
                *("--object-store-memory=100000000",),
                *(head if "--head" in arguments else []),
            ],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.nodes.append(process)
        os.set_blocking(process.stdout.fileno(), False)
        said = b""
        end_s = time.monotonic() + factory.PATIENCE_S
        while b"Ray runtime started" not in said:
            assert time.monotonic() < end_s and process.poll() is None, said.decode()
            said += process.stdout.read() or b""
            time.sleep(0.1)

    def kill(self, node: int) -> None:
        """As if a machine lost its power."""
        process = self.nodes.pop(node)
        for one in [process.pid, *factory.children(process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait()
        process.stdout.close()

    def close(self) -> None:
        while self.nodes:
            self.kill(-1)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def cluster(environment: dict[str, str]) -> Iterator[Cluster]:
    found = Cluster(environment)
    try:
        found.start()
        yield found
    finally:
        found.close()


def command(*more: object, out: str = "out") -> list[object]:
    options = ("--model", "tiny.onnx", "--detector", "whole", "--shard-size", 20)
    return ["recognize", "in", "--dataset", out, "--engine", "ray", *options, *more]


def assert_each_once(place: Path, crashed: int = 0) -> None:
    pictures = table(place / "out", "pictures")
    assert len({row["source"] for row in pictures}) == len(pictures) == N
    assert sum(row["status"] == "crashed" for row in pictures) == crashed
    faces = table(place / "out", "faces")
    assert len({row["source"] for row in faces}) == len(faces) == N - crashed


def run(arguments: list[object], place: Path, environment: dict[str, str]) -> tuple[int, str]:
    process = factory.start(arguments, place, environment)
    _, stderr = process.communicate(timeout=2 * factory.PATIENCE_S)
    return process.returncode, stderr


def test_ray_here_gives_the_rows_of_processes(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    factory.write_pictures(tmp_path / "in", N, marks={30: ENDS_ITS_PROCESS})
    environment = factory.plug_in(tmp_path / "plug-in")
    words = "mien: in/b/00030.jpg: it ended the process that read it, twice\n"
    assert run(command("--workers", 2), tmp_path, environment) == (1, words)
    assert_each_once(tmp_path, crashed=1)
    arguments = [word if word != "ray" else "processes" for word in command(out="other")]
    assert run(arguments, tmp_path, environment) == (1, words)
    for name in ("faces", "pictures"):
        assert table(tmp_path / "out", name) == table(tmp_path / "other", name)


def test_a_cluster_survives_its_nodes_and_its_driver(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    factory.write_pictures(tmp_path / "in", N, marks=factory.marks_to_wait(N))
    environment = {**factory.plug_in(tmp_path / "plug-in"), **TOKEN}
    parts = tmp_path / "out" / "pictures"
    with cluster(environment) as nodes:
        arguments = command("--ray-address", nodes.address)
        driver = factory.start(arguments, tmp_path, environment)
        factory.wait_for(lambda: list(parts.glob("*/*.parquet")))
        driver.kill()
        driver.communicate()
        n_done = len(list(parts.glob("*/*.parquet")))
        assert 0 < n_done <= 3
        factory.let_go(tmp_path / "plug-in", 0)
        driver = factory.start(arguments, tmp_path, environment)
        factory.wait_for(lambda: len(list(parts.glob("*/*.parquet"))) > 3)
        nodes.kill(1)
        factory.let_go(tmp_path / "plug-in", 1)
        _, stderr = driver.communicate(timeout=2 * factory.PATIENCE_S)
        assert (driver.returncode, stderr) == (0, "")
    assert_each_once(tmp_path)


def test_a_full_disk_ends_the_job_and_loses_nothing(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    factory.write_pictures(tmp_path / "in", N, marks={100: FILLS_THE_DISK})
    environment = factory.plug_in(tmp_path / "plug-in")
    code, stderr = run(command("--workers", 2), tmp_path, environment)
    assert code == 2
    assert len(stderr.splitlines()) == 1 and "cannot write" in stderr and len(stderr) < 300
    # The rest by the other engine: the data set does not know who made it.
    arguments = [word if word != "ray" else "processes" for word in command()]
    assert run_mien(*arguments, cwd=tmp_path).returncode == 0
    assert_each_once(tmp_path)


def test_no_cluster_is_told_in_one_line(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    factory.write_pictures(tmp_path / "in", 2)
    done = run_mien(*command("--ray-address", f"127.0.0.1:{free_port()}"), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no Ray can be reached" in done.stderr and "refused" in done.stderr
