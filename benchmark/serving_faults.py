"""What benchmark/serving.py does to a service that nobody should: malformed bodies, pictures that
are large, clients that are half there, and signals."""

import asyncio
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import psutil

from mien.images import read_image
from serving_client import RUN, Client, Server, Tally, load, request_of, serving, told


def malformed(photo: bytes, n: int) -> Iterator[tuple[str, bytes]]:
    """Bodies that are not what they seem, and what they are."""
    rng = np.random.default_rng(0)
    png = io.BytesIO()
    PIL.Image.new("L", (30_000, 30_000)).save(png, "PNG")
    bomb = png.getvalue()[:10_000]
    form = b"".join(
        b"--cut\r\n"
        b'Content-Disposition: form-data; name="image"; filename="../../etc/x"\r\n\r\nx\r\n'
        for _ in range(1000)
    )
    for number in range(n):
        kind = number % 10
        if kind == 0:
            yield "truncated", request_of(photo[: rng.integers(1, len(photo))])
        elif kind == 1:
            yield "noise", request_of(rng.bytes(int(rng.integers(1, 200_000))))
        elif kind == 2:
            damaged = bytearray(photo)
            for at in rng.integers(0, len(photo), 200):
                damaged[at] = rng.integers(256)
            yield "damaged", request_of(bytes(damaged))
        elif kind == 3:
            yield "wrong type", request_of(photo, "text/plain")
        elif kind == 4:
            yield (
                "length too long",
                request_of(photo).replace(b"Content-Length: ", b"Content-Length: 99999"),
            )
        elif kind == 5:
            yield (
                "chunks",
                (
                    b"POST /v1/recognize HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    b"Content-Type: image/jpeg\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n"
                )
                + 400 * (b"10000\r\n" + bytes(0x10000) + b"\r\n"),
            )
        elif kind == 6:
            yield "bomb", request_of(bomb, "image/png")
        elif kind == 7:
            yield (
                "EPS",
                request_of(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n", "image/x"),
            )
        elif kind == 8:
            yield "1,000 parts", request_of(form + b"--cut--", "multipart/form-data; boundary=cut")
        else:
            yield (
                "half a form",
                request_of(form[: rng.integers(1, 3000)], "multipart/form-data; boundary=cut"),
            )


async def ask_once(port: int, request: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    client = Client(port)
    try:
        async with asyncio.timeout(120):
            status, _, body = await client.ask(request)
            return status, body
    finally:
        client.close()


def measure_malformed(photo: bytes, n: int = 1000) -> None:
    """So many malformed bodies, one after the other."""
    good = request_of(photo)
    with serving() as server:
        _, right = asyncio.run(ask_once(server.port, good))
        for _ in range(30):
            asyncio.run(ask_once(server.port, good))
        before = server.memory_mb()
        counts: dict[str, dict[int, int]] = {}
        for what, request in malformed(photo, n):
            status, _ = asyncio.run(ask_once(server.port, request))
            of_kind = counts.setdefault(what, {})
            of_kind[status] = of_kind.get(status, 0) + 1
        time.sleep(6)  # memory is given back every 5 s
        grown = server.memory_mb() - before
        _, again = asyncio.run(ask_once(server.port, good))
    statuses = {status for of_kind in counts.values() for status in of_kind}
    print(f"  {counts}")
    told(
        "answers to malformed bodies",
        sorted(statuses),
        "4xx, or 200 where it decodes",
        all(status == 200 or 400 <= status < 500 for status in statuses),
    )
    told("grown by, MB", f"{grown:.1f} from {before:.0f}", "at most 30", grown <= 30)
    told("the next good one", again == right, "as before", again == right)


def measure_large(photo: bytes) -> None:
    """12 photos of 24 megapixels at once."""
    stream = io.BytesIO()
    large = cv2.resize(read_image(photo), (6000, 4000), interpolation=cv2.INTER_CUBIC)
    PIL.Image.fromarray(large).save(stream, "JPEG")
    request = request_of(stream.getvalue())

    async def twelve(port: int) -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(ask_once(port, request) for _ in range(12)))

    with serving() as server:
        for _ in range(30):
            asyncio.run(ask_once(server.port, request_of(photo)))
        before = server.memory_mb()
        answers = asyncio.run(twelve(server.port))
        assert [status for status, _ in answers] == [200] * 12, answers
        time.sleep(6)  # memory is given back every 5 s
        grown = server.memory_mb() - before
    told(
        "after 12 of 24 megapixels, MB",
        f"{grown:+.1f} from {before:.0f}",
        "at most 40",
        grown <= 40,
    )


@contextlib.asynccontextmanager
async def clients_that(
    port: int, n: int, act: Callable[[asyncio.StreamWriter], object]
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections that do something and then wait; closed at the end."""
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(n)]
    for _, writer in pairs:
        act(writer)
    try:
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            writer.close()


def measure_clients(photo: bytes) -> None:
    """200 clients that are half there, of each kind, and one good one."""
    head = request_of(photo)[: -len(photo)]
    handshake = (
        b"GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    kinds = {"half a header": head[:40], "one byte of a body": head + b"x", "silent": handshake}

    async def one(port: int, kind: str, limit_s: float) -> None:
        content = kinds[kind]
        async with clients_that(port, 1, lambda writer: writer.write(content)) as (reader,):
            begin_s = time.monotonic()
            with contextlib.suppress(OSError):
                async with asyncio.timeout(limit_s + 10):
                    while await reader.read(65536):
                        pass
            taken_s = time.monotonic() - begin_s
        told(f"{kind}: closed after, s", f"{taken_s:.1f}", f"{limit_s} + 2", taken_s <= limit_s + 2)

    async def many(port: int, kind: str) -> None:
        content = kinds[kind]
        async with clients_that(port, 200, lambda writer: writer.write(content)):
            await asyncio.sleep(0.2)
            good = Client(port)
            begin_s = time.monotonic()
            status, _, _ = await good.ask(request_of(photo))
            good.close()
            told(
                f"a good request beside 200 times {kind}",
                f"{status} in {time.monotonic() - begin_s:.2f} s",
                "200",
                status == 200,
            )

    for kind in kinds:
        with serving("--header-seconds", "10", "--body-seconds", "10") as server:
            asyncio.run(one(server.port, kind, 10.0))
        with serving() as server:
            asyncio.run(many(server.port, kind))


def measure_end(photo: bytes) -> None:
    """SIGTERM with 24 in flight."""
    with serving() as server:

        async def run() -> tuple[list[int], int]:
            clients = [Client(server.port) for _ in range(24)]
            asks = [asyncio.create_task(one.ask(request_of(photo))) for one in clients]
            await asyncio.sleep(0.02)
            os.kill(server.process.pid, signal.SIGTERM)
            answers = await asyncio.gather(*asks)
            code = await asyncio.to_thread(server.process.wait, 40)
            return [status for status, _, _ in answers], code

        statuses, code = asyncio.run(run())
    told(
        "answers after SIGTERM",
        f"{statuses.count(200)} of 24, exit code {code}",
        "24, 0",
        statuses == [200] * 24 and code == 0,
    )


def clip_of(photo: bytes, n_frames: int = 4000) -> bytes:
    """A video of the photo that takes a while."""
    picture = cv2.cvtColor(read_image(photo), cv2.COLOR_RGB2BGR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        size = (picture.shape[1], picture.shape[0])
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, size)
        for _ in range(n_frames):
            writer.write(picture)
        writer.release()
        return path.read_bytes()


async def begun(port: int, clip: bytes) -> str:
    """Have a video worked on, and wait until some of it is done; its path in the service."""
    client = Client(port)
    _, _, body = await client.ask(request_of(clip, "video/mp4", "/v1/videos"))
    path = f"/v1/videos/{json.loads(body)['id']}"
    while (await state_of(client, path))["frames_done"] == 0:
        await asyncio.sleep(0.05)
    client.close()
    return path


async def state_of(client: Client, path: str) -> dict[str, Any]:
    """What the service says of a video."""
    _, _, body = await client.ask(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return dict(json.loads(body))


def measure_kills(photo: bytes, seconds: float) -> None:
    """``kill -9`` of a job's process beside 24 clients, then of the service."""
    clip = clip_of(photo)

    async def beside(server: Server) -> tuple[Tally, float, dict[str, Any]]:
        asking = asyncio.create_task(
            load(server.port, request_of(photo), 24, seconds / 6, patient=True)
        )
        path = await begun(server.port, clip)
        (child,) = server.children()
        child.kill()
        begin_s, client = time.monotonic(), Client(server.port)
        while (about := await state_of(client, path))["state"] == "running":
            await asyncio.sleep(0.01)
        taken_s = time.monotonic() - begin_s
        client.close()
        return await asking, taken_s, about

    with tempfile.TemporaryDirectory() as where:
        with serving(where=Path(where)) as server:
            before = server.left()
            tally, taken_s, about = asyncio.run(beside(server))
            told(
                "a killed job: failed after, s",
                f"{taken_s:.2f}, {about['reason']}",
                "3",
                taken_s <= 3 and about["state"] == "failed",
            )
            is_gone = server.left() == before
            told("its folder is gone", is_gone, "yes", is_gone)
            told(
                "photos meanwhile",
                f"{tally.statuses}, errors {tally.errors}",
                "all 200",
                set(tally.statuses) == {200} and not tally.errors,
            )
            asyncio.run(begun(server.port, clip))
            (child,) = server.children()
            server.process.kill()
            server.process.wait()
            psutil.wait_procs([child], timeout=10)
            left, is_running = server.left(), child.is_running()
        with serving(where=Path(where)) as server:
            remains = [path for path in left if path.exists()]
    told(
        "a killed service: its job runs on; left at once; after the next start",
        f"{is_running}; {len(left)} folders; {len(remains)}",
        "False; some; 0",
        not is_running and len(left) > 0 and not remains,
    )


def measure_start() -> None:
    """An address that others can reach, without a token."""
    begin_s = time.monotonic()
    command = [sys.executable, "-c", RUN, "serve", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken_s = time.monotonic() - begin_s
    told(
        "--host 0.0.0.0 without a token: exit code, s",
        f"{done.returncode}, {taken_s:.2f}",
        "2, within 2",
        done.returncode == 2 and taken_s <= 2,
    )
