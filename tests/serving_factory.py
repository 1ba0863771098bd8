"""A running service in the hands of a test, inside this process or as one of its own.

Ports come from the system, only 127.0.0.1 is used, and processes are ended by their numbers.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from command_line import start_mien
from mien.model.names import resolve_model
from mien.recognition.classifier import Classifier
from mien.recognition.detectors.detector import FaceDetector
from mien.recognition.detectors.whole import Whole
from mien.serving.app import build_app
from mien.serving.engine import Engine
from mien.serving.metrics import Metrics
from mien.serving.server import Server, bind
from mien.serving.service import Service
from mien.serving.settings import Limits, Settings
from picture_factory import encode, gradient

PATIENCE_S = 60.0
"""How long anything may take on a machine that has much else to do."""


@cache
def bundle() -> bytes:
    """The default model's file."""
    return resolve_model("default").read_bytes()


@cache
def classifier() -> Classifier:
    """The default model, loaded once for all services of a test run."""
    return Classifier(bundle(), threads=1)


def photo(seed: int = 0) -> bytes:
    """A JPEG that differs by its seed."""
    pixels = gradient(48 + seed % 16, 64)
    pixels[..., 2] = (40 * seed) % 256
    return encode(pixels, "JPEG")


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, status: int, kind: str) -> Any:
        """The problem, after checking that it is this one."""
        assert self.status == status, (self.status, self.body)
        assert self.headers["content-type"] == "application/problem+json"
        details = self.json
        assert details["status"] == status
        assert details["type"] == f"urn:mien:problem:{kind}", details
        assert details["title"]
        assert details["detail"]
        return details


class Client:
    """Requests to a service at a port of this machine."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self.token = token

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            given = dict(headers or {})
            if self.token is not None:
                given.setdefault("Authorization", f"Bearer {self.token}")
            connection.request(method, path, body, given)
            response = connection.getresponse()
            content = response.read()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, content)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: bytes, kind: str = "image/jpeg", **headers: str) -> Answer:
        return self.request("POST", path, body, {"Content-Type": kind, **headers})

    def form(self, path: str, *parts: tuple[str, str, bytes]) -> Answer:
        """Send a form of (field, file name, content)."""
        body, kind = form(*parts)
        return self.post(path, body, kind)

    def socket(self) -> socket.socket:
        """A connection on which nothing was sent."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def metric(self, name: str) -> float:
        """One line of the metrics."""
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")


def form(*parts: tuple[str, str, bytes]) -> tuple[bytes, str]:
    """A multipart body and its Content-Type."""
    lines = []
    for field, name, content in parts:
        about = f'form-data; name="{field}"' + (f'; filename="{name}"' if name else "")
        lines += [b"--cut", b"Content-Disposition: " + about.encode(), b"", content]
    return b"\r\n".join([*lines, b"--cut--", b""]), "multipart/form-data; boundary=cut"


def head(path: str, length: int | None, kind: str = "image/jpeg", method: str = "POST") -> bytes:
    """The header of a request whose body may come later."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{size}\r\n\r\n"
    ).encode()


def read_answer(connection: socket.socket) -> Answer:
    """One answer from a connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    body = response.read()
    return Answer(
        response.status, {name.lower(): value for name, value in response.getheaders()}, body
    )


def is_closed(connection: socket.socket, within_s: float) -> bool:
    """Whether the other side closes a connection in time."""
    connection.settimeout(within_s)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


class Running:
    """A service in a thread of this process."""

    def __init__(self, service: Service, server: Server, client: Client) -> None:
        self.service = service
        self.server = server
        self.client = client


@contextmanager
def running(
    folder: Path,
    *,
    detector: FaceDetector | None = None,
    engine: Callable[[Metrics], Engine] | None = None,
    limits: Limits | None = None,
    **settings: Any,
) -> Iterator[Running]:
    """Run a service until the end of the block; ``whole`` finds the faces unless told."""

    def load(metrics: Metrics) -> Engine:
        return Engine(classifier(), detector or Whole(), bundle(), metrics)

    chosen = Settings(port=0, folder=folder, limits=limits or Limits(), **settings)
    service = Service(chosen, engine or load)
    started = threading.Event()
    with bind("127.0.0.1", 0) as listener:
        server = Server(service, build_app(service))
        server.on_started = started.set
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert started.wait(PATIENCE_S)
            yield Running(service, server, Client(listener.getsockname()[1], chosen.token))
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert not list(folder.iterdir())


class Process:
    """``mien serve`` as a process of its own."""

    def __init__(self, process: subprocess.Popen[str], client: Client, lines: list[str]) -> None:
        self.process = process
        self.client = client
        self.lines = lines
        """What it said on stderr until it listened."""

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send it a signal, and wait; its exit code and all that it said."""
        os.kill(self.process.pid, number)
        stdout, stderr = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, "".join([*self.lines, stdout, stderr])


@contextmanager
def serving_process(
    cwd: Path,
    *arguments: object,
    environment: dict[str, str] | None = None,
    token: str | None = None,
) -> Iterator[Process]:
    """Run the command until the end of the block."""
    (cwd / "folder").mkdir(exist_ok=True)
    started = start_mien(
        *("serve", "--port", 0, "--detector", "whole", "--folder", cwd / "folder", *arguments),
        cwd=cwd,
        environment=environment,
    )
    try:
        lines: list[str] = []
        assert started.stderr is not None
        while not (found := re.search(r"://.*?:(\d+)", lines[-1] if lines else "")):
            lines.append(started.stderr.readline())
            assert lines[-1], (lines, started.wait(PATIENCE_S))
        yield Process(started, Client(int(found[1]), token), lines)
    finally:
        if started.poll() is None:
            started.kill()
        with suppress(ValueError):  # closed already
            started.communicate(timeout=PATIENCE_S)


def wait_until(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait for something that happens by itself."""
    end_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)
