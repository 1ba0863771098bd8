"""`mien serve` under load, against the same pipeline in this process, in one run.

    python benchmark/serving.py PHOTO [PART ...]

PHOTO shows one face and is brought to 640 x 480. Each part prints its figures and what they should
be. Everything that is compared is measured in rounds that alternate, or before and after, since
machines are noisy. Only 127.0.0.1 is asked, and every loop has an end.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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
from serving_faults import (
    measure_clients,
    measure_end,
    measure_kills,
    measure_large,
    measure_malformed,
    measure_start,
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
        before = mine.throughput(photo, 3)
        for _ in range(rounds):
            begin_s = time.perf_counter()
            for _ in range(20):
                mine(photo)
            single_s.append((time.perf_counter() - begin_s) / 20)
            tally = asyncio.run(load(server.port, request, 64, seconds / rounds, patient=True))
            after = mine.throughput(photo, 3)
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
        "kills": measure_kills,
        "start": lambda photo, _: measure_start(),
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
