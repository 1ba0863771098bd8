"""What benchmark/serving.py measures with: a started service, its clients, and the same pipeline
in this process."""

import asyncio
import contextlib
import io
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import PIL.Image
import psutil

from mien.images import read_image
from mien.outputs.rows import json_line
from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.recognizer import Recognizer
from mien.workflows.models import open_model

SIZE = (640, 480)
RUN = "from mien.cli.app import main; main()"


def photo_of(path: Path, size: tuple[int, int] = SIZE) -> bytes:
    """The photo as a JPEG of this size, the rest of it grey."""
    picture = PIL.Image.fromarray(read_image(path))
    picture.thumbnail(size)
    canvas = PIL.Image.new("RGB", size, (128, 128, 128))
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    stream = io.BytesIO()
    canvas.save(stream, "JPEG", quality=90)
    return stream.getvalue()


class InProcess:
    """The pipeline of one photo: read, recognise, write as JSON; one thread inside."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        classifier = Classifier(open_model("default").bundle(), threads=1)
        self.recognizer = Recognizer(classifier, load_detector("yunet", threads=1))

    def __call__(self, photo: bytes) -> str:
        """The answer to a photo."""
        return json_line(self.recognizer.recognize(read_image(photo)))

    def throughput(self, photo: bytes, seconds: float, n_threads: int = 2) -> float:
        """Photos a second by so many threads."""
        end_s = time.monotonic() + seconds
        counts = [0] * n_threads

        def work(index: int) -> None:
            while time.monotonic() < end_s:
                self(photo)
                counts[index] += 1

        threads = [threading.Thread(target=work, args=(index,)) for index in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / seconds


@dataclass
class Server:
    """A running service."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    started_s: float

    def cpu_s(self) -> float:
        """Processor time so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def memory_mb(self) -> float:
        """Resident memory."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def children(self) -> list[psutil.Process]:
        """Its processes that work on videos."""
        return psutil.Process(self.process.pid).children()

    def left(self) -> list[Path]:
        """Folders of services and of videos that are there."""
        return sorted(path for path in self.folder.glob("**/*") if path.is_dir())


@contextlib.contextmanager
def serving(*arguments: str, code: str = RUN, where: Path | None = None) -> Iterator[Server]:
    """Start the command with these options, in a folder of its own where none is named; end it."""
    begin_s = time.monotonic()
    with tempfile.TemporaryDirectory() as own:
        folder = where or Path(own)
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", code, "serve", "--port", "0", "--detector", "yunet"),
                *("--folder", str(folder), *arguments),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            while not (found := re.search(r"://.*?:(\d+)", line := process.stderr.readline())):
                assert line, "it did not start"
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield Server(process, int(found[1]), folder, time.monotonic() - begin_s)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def request_of(photo: bytes, kind: str = "image/jpeg", path: str = "/v1/recognize") -> bytes:
    """A whole request."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(photo)}\r\n\r\n"
    ).encode() + photo


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Client:
    """One connection, used again and again; opened anew where the service closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        if self._pair is None:
            self._pair = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        reader, writer = self._pair
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, body

    def close(self) -> None:
        """Close the connection."""
        if self._pair is not None:
            self._pair[1].close()
            self._pair = None


@dataclass
class Tally:
    """What came of many requests."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    n_accepted: int = 0
    """Answers with 200 while the clients asked; those to the last requests come later."""


async def load(
    port: int, request: bytes, n_clients: int, seconds: float, *, patient: bool
) -> Tally:
    """Clients that ask without a pause; patient ones keep Retry-After."""
    tally = Tally()
    end_s = time.monotonic() + seconds

    async def one() -> None:
        client = Client(port)
        while time.monotonic() < end_s:
            begin_s = time.monotonic()
            try:
                status, headers, _ = await client.ask(request)
            except (OSError, EOFError) as error:
                tally.errors.append(repr(error))
                client.close()
                await asyncio.sleep(0.1)
                continue
            tally.statuses[status] = tally.statuses.get(status, 0) + 1
            if status == 200:
                now_s = time.monotonic()
                tally.latencies_s.append(now_s - begin_s)
                tally.n_accepted += now_s < end_s
            elif patient:
                await asyncio.sleep(float(headers.get("retry-after", 1)))
        client.close()

    await asyncio.gather(*(one() for _ in range(n_clients)))
    return tally


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def told(what: str, value: object, wanted: str, met: bool) -> None:
    """Print a figure and whether it is as wanted."""
    print(f"{what}: {value}   (wanted: {wanted}) {'met' if met else 'NOT MET'}", flush=True)
