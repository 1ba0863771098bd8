"""`mien serve` under load, against the same pipeline in this process, in one run.

    python benchmark/serving.py PHOTO [PART ...]

PHOTO shows one face and is brought to 640 x 480. Each part prints its figures and what they should
be. Everything that is compared is measured in rounds that alternate, or before and after, since
machines are noisy. Only 127.0.0.1 is asked, and every loop has an end.
"""

import argparse
import asyncio
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from websockets.asyncio.client import connect

from mien.images import read_image
from serving_client import (
    HEALTH,
    RUN,
    Client,
    InProcess,
    load,
    percentile,
    photo_of,
    request_of,
    serving,
    told,
)


def measure_cost(photo: bytes, rounds: int = 8, n: int = 40) -> None:
    """CPU and latency of one photo at a time, and of HTTP alone."""
    mine, request = InProcess(), request_of(photo)
    for _ in range(10):
        mine(photo)
    ours_ms, theirs_ms, http_ms, ours_wall, theirs_wall = [], [], [], [], []
    with serving() as server:

        async def ask(content: bytes, times: int) -> list[float]:
            client, taken = Client(server.port), []
            for _ in range(times):
                begin_s = time.perf_counter()
                status, _, _ = await client.ask(content)
                taken.append(1e3 * (time.perf_counter() - begin_s))
                assert status == 200
            client.close()
            return taken

        begin_s = time.monotonic()
        asyncio.run(ask(request, 1))
        first_s = server.started_s + time.monotonic() - begin_s
        asyncio.run(ask(request, 20))
        for _ in range(rounds):
            before = time.process_time()
            for _ in range(n):
                begin = time.perf_counter()
                mine(photo)
                ours_wall.append(1e3 * (time.perf_counter() - begin))
            ours_ms.append(1e3 * (time.process_time() - before) / n)
            before = server.cpu_s()
            theirs_wall += asyncio.run(ask(request, n))
            theirs_ms.append(1e3 * (server.cpu_s() - before) / n)
            before = server.cpu_s()
            asyncio.run(ask(HEALTH, 20 * n))
            http_ms.append(1e3 * (server.cpu_s() - before) / (20 * n))
        time.sleep(2)
        before = server.cpu_s()
        time.sleep(10)
        idle = (server.cpu_s() - before) / 10
        memory = server.memory_mb()
    ours, theirs, http = map(statistics.median, (ours_ms, theirs_ms, http_ms))
    told(
        "CPU of a request / in process, ms",
        f"{theirs:.2f} / {ours:.2f} = {theirs / ours:.3f}",
        "at most 1.15",
        theirs <= 1.15 * ours,
    )
    told("HTTP alone, ms of CPU", f"{http:.3f}", "under 0.5", http < 0.5)
    gap = statistics.median(theirs_wall) - statistics.median(ours_wall)
    told(
        "latency, ms",
        f"{statistics.median(theirs_wall):.2f}, in process {statistics.median(ours_wall):.2f}",
        "at most 5 more",
        gap <= 5,
    )
    told("start to first answer, s", f"{first_s:.2f}", "under 4", first_s < 4)
    told("idle, share of a core", f"{idle:.4f}", "under 0.01", idle < 0.01)
    told("idle, MB", f"{memory:.0f}", "at most 250", memory <= 250)


def measure_load(photo: bytes, seconds: float, rounds: int = 6) -> None:
    """64 patient clients against a queue of 64, in turns with the pipeline in this process."""
    mine, queue, threads = InProcess(), 64, 2
    request, single_s, latencies_s, ratios = request_of(photo), [], [], []
    p99s_s: list[float] = []
    statuses: dict[int, int] = {}
    errors: list[str] = []
    with serving("--queue", str(queue)) as server:
        cpu_s = server.cpu_s()
        before = mine.throughput(photo, 4)
        for _ in range(rounds):
            begin_s = time.perf_counter()
            for _ in range(20):
                mine(photo)
            single_s.append((time.perf_counter() - begin_s) / 20)
            tally = asyncio.run(load(server.port, request, 64, seconds / rounds, patient=True))
            after = mine.throughput(photo, 4)
            ratios.append(tally.n_accepted / (seconds / rounds) / ((before + after) / 2))
            before = after
            latencies_s += tally.latencies_s
            p99s_s.append(percentile(tally.latencies_s, 0.99))
            errors += tally.errors
            for code, n in tally.statuses.items():
                statuses[code] = statuses.get(code, 0) + n
        cpu_s = server.cpu_s() - cpu_s
    others = {code: n for code, n in statuses.items() if code not in (200, 503)}
    told(
        "answers",
        f"{statuses}, errors {len(errors)} {errors[:2]}",
        "none but 200 and 503",
        not others and not errors,
    )
    ratio = statistics.median(ratios)
    told(
        "accepted a second / pipeline before and after",
        f"{ratio:.2f} of {[round(one, 2) for one in ratios]}",
        "at least 0.8",
        ratio >= 0.8,
    )
    limit_s = 2.5 * queue / threads * statistics.median(single_s)
    p99_s = percentile(latencies_s, 0.99)
    told("p99, ms", f"{1e3 * p99_s:.0f}", f"at most {1e3 * limit_s:.0f}", p99_s <= limit_s)
    print(f"  p99 of each round, ms: {[round(1e3 * one) for one in p99s_s]}")
    print(f"  server: {1e3 * cpu_s / statuses[200]:.2f} ms of CPU a photo")


def measure_refusals(photo: bytes, seconds: float) -> None:
    """A queue of 8: 8 clients that are never refused, against 30 that hammer; in turns."""
    request, accepted, share = request_of(photo), {8: [], 30: []}, []
    with serving("--queue", "8") as server:
        for _ in range(3):
            for n_clients in (8, 30):
                tally = asyncio.run(
                    load(server.port, request, n_clients, seconds / 6, patient=False)
                )
                accepted[n_clients].append(6 * tally.n_accepted / seconds)
                share.append(tally.statuses)
    kept = statistics.median(accepted[30]) / statistics.median(accepted[8])
    print(f"  accepted a second: {accepted}; answers {share}")
    told(
        "accepted while 30 hammer / while none is refused",
        f"{kept:.2f}",
        "at least 0.8",
        kept >= 0.8,
    )


def measure_health(photo: bytes, seconds: float) -> None:
    """30 clients that hammer, and one that asks for health."""

    async def both(port: int) -> list[float]:
        hammering = asyncio.create_task(load(port, request_of(photo), 30, seconds, patient=False))
        taken = []
        await asyncio.sleep(1)
        while not hammering.done():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-S", "-c", _ASK_HEALTH, str(port), stdout=subprocess.PIPE
            )
            out, _ = await process.communicate()
            taken.append(float(out))
            await asyncio.sleep(0.1)
        await hammering
        return taken

    for queue in (8, 64):
        with serving("--queue", str(queue)) as server:
            taken = asyncio.run(both(server.port))
        told(
            f"health with a queue of {queue}, longest of {len(taken)}, ms",
            f"{1e3 * max(taken):.0f} (median {1e3 * statistics.median(taken):.0f})",
            "within 200",
            max(taken) <= 0.2,
        )


_ASK_HEALTH = """
import socket, sys, time
begin = time.perf_counter()
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
one.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
assert b" 200 " in one.recv(65536)
print(time.perf_counter() - begin)
"""


async def live_client(
    port: int, frame: bytes, seconds: float, rate_hz: float = 30.0
) -> tuple[int, list[float]]:
    """Frames at a steady rate; the number of answers, and the age of each answered frame."""
    sent: dict[int, float] = {}
    ages: list[float] = []
    async with connect(f"ws://127.0.0.1:{port}/v1/live", max_size=None) as socket:
        await socket.send("{}")
        assert json.loads(await socket.recv())["ready"]

        async def take() -> None:
            async for text in socket:
                answer = json.loads(text)
                assert "faces" in answer, answer
                ages.append(time.monotonic() - sent[answer["frame"]])

        taking = asyncio.create_task(take())
        begin_s = time.monotonic()
        for number in range(int(seconds * rate_hz)):
            await asyncio.sleep(max(0.0, begin_s + number / rate_hz - time.monotonic()))
            sent[number] = time.monotonic()
            await socket.send(frame)
        await asyncio.sleep(0.5)
        taking.cancel()
    return len(ages), ages


def measure_live(photo: bytes, seconds: float) -> None:
    """One client with 30 frames a second, then four."""

    async def many(port: int, n: int) -> list[tuple[int, list[float]]]:
        return await asyncio.gather(*(live_client(port, photo, seconds) for _ in range(n)))

    with serving() as server:
        ((n, ages),) = asyncio.run(many(server.port, 1))
        told("live answers a second", f"{n / seconds:.1f}", "at least 24", n / seconds >= 24)
        median_ms = 1e3 * statistics.median(ages)
        told("live round trip, median ms", f"{median_ms:.1f}", "under 40", median_ms < 40)
        counts = [n / seconds for n, _ in asyncio.run(many(server.port, 4))]
        told(
            "live, four at once",
            [round(count, 1) for count in counts],
            "at least 15 each",
            min(counts) >= 15,
        )


_SLOW = f"""
import time
from mien.recognition.recognizer import Recognizer
search = Recognizer.search
def slowly(self, image_rgb, rotate=None):
    begin = time.monotonic()
    found = search(self, image_rgb, rotate)
    time.sleep(max(0.0, begin + 0.2 - time.monotonic()))
    return found
Recognizer.search = slowly
{RUN}
"""


def measure_slow_live(photo: bytes, seconds: float) -> None:
    """A recogniser that takes 200 ms: how old an answered frame is at the end."""
    with serving(code=_SLOW) as server:
        _, ages = asyncio.run(live_client(server.port, photo, seconds))
    assert min(ages) >= 0.2, "the recogniser was not slow"
    oldest = max(ages[-20:])
    told(
        "age of the answered frames at the end, ms",
        f"{1e3 * oldest:.0f}",
        "under 400",
        oldest < 0.4,
    )


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


def main() -> None:
    """Measure and print."""
    parts: dict[str, Callable[[bytes, float], None]] = {
        "cost": lambda photo, _: measure_cost(photo),
        "load": measure_load,
        "refusals": measure_refusals,
        "health": lambda photo, seconds: measure_health(photo, seconds / 4),
        "live": lambda photo, seconds: measure_live(photo, seconds / 3),
        "slow-live": lambda photo, seconds: measure_slow_live(photo, seconds / 2),
        "malformed": lambda photo, _: measure_malformed(photo),
        "large": lambda photo, _: measure_large(photo),
        "clients": lambda photo, _: measure_clients(photo),
        "end": lambda photo, _: measure_end(photo),
    }
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_intermixed_args()
    photo = photo_of(arguments.photo)
    n_faces = len(InProcess().recognizer.recognize(read_image(photo)).faces)
    print(f"{len(photo):,} bytes, {n_faces} face(s); load of the machine {os.getloadavg()[0]:.1f}")
    for name in arguments.parts or parts:
        print(f"-- {name}", flush=True)
        parts[name](photo, arguments.seconds)


if __name__ == "__main__":
    main()
