"""Large jobs: pictures a second by one process and by several, and by Ray; memory; driver's cost.

    python benchmark/scale.py folder PHOTO [--pictures 4000] [--rounds 3]
    python benchmark/scale.py memory PHOTO [--pictures 20000]
    python benchmark/scale.py ray PHOTO [--pictures 4000] [--rounds 3]
    python benchmark/scale.py driver [--paths 1000000]
    python benchmark/scale.py video CLIP [--minutes 10] [--parts 10]

``folder``: ``mien recognize FOLDER --table`` with one process of one thread, with one process, and
with one for each processor, in turn, and whether the tables are the same bytes. The folder holds as
many pictures of 640 x 480 as wanted, each with the photo's faces at another place; they are links
to 200 distinct files. Rates are of wall time and of processor time, which a busy machine does not
change as much.
``memory``: resident memory of the parent after 1,000 pictures beside the end.
``ray``: a data set by processes and by Ray, in turn, whole commands.
``driver``: empty work on so many paths: what the driver needs.
``video``: a clip again and again for so long, in parts and in one pass: are the rows the same?
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image

DISTINCT = 200
_QUIET = 0.03
"""Share of a processor that others may use before it is told."""
MIEN = [sys.executable, "-c", "from mien.cli.app import main; main()"]


def make_folder(photo: Path, folder: Path, count: int) -> None:
    """640 x 480, the photo scaled to 480 rows and shifted, on a ground of its mean colour."""
    random = np.random.default_rng(0)
    with PIL.Image.open(photo) as opened:
        picture = opened.convert("RGB")
    mean = tuple(int(value) for value in np.asarray(picture).mean(axis=(0, 1)))
    (folder / "in").mkdir(parents=True)
    (folder / "distinct").mkdir()
    for number in range(min(DISTINCT, count)):
        height = int(random.integers(400, 481))
        scaled = picture.resize((round(picture.width * height / picture.height), height))
        canvas = PIL.Image.new("RGB", (640, 480), mean)
        room = max(1, 640 - scaled.width)
        canvas.paste(scaled, (int(random.integers(0, room)), 480 - height))
        canvas.save(folder / "distinct" / f"{number}.jpg", quality=90)
    for number in range(count):
        os.link(
            folder / "distinct" / f"{number % DISTINCT}.jpg", folder / "in" / f"{number:07d}.jpg"
        )


def busy_s() -> float:
    """Seconds that the processors of this machine have worked, for anybody, or were taken away."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, stolen = fields
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def run(*arguments: object, cwd: Path, processors: int | None = None) -> tuple[float, float]:
    """Seconds of wall and of processor time of a command, which may use so many processors.

    Says how much others worked meanwhile: with more than a little, rates mean nothing.
    """
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    busy_before_s = busy_s()
    subprocess.run(
        [*MIEN, *map(str, arguments)],
        cwd=cwd,
        check=True,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors]),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = time.monotonic() - start_s
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    others_s = max(0.0, busy_s() - busy_before_s - processor_s)
    if others_s > _QUIET * wall_s:
        print(f"  (others worked {others_s:.1f} s in these {wall_s:.1f} s)", flush=True)
    return wall_s, processor_s


def measure_folder(photo: Path, count: int, rounds: int) -> None:
    """Print rates and ratios."""
    n_processors = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folder(photo, folder, count)
        ways = (("1 process, 1 thread", 1, 1), ("1 process", 1, None))
        for _ in range(rounds):
            rates, costs_ms = [], []
            for what, workers, processors in (
                *ways,
                (f"{n_processors} processes", n_processors, None),
            ):
                wall_s, processor_s = run(
                    *("recognize", "in", "--table", f"{workers}.csv", "--workers", workers),
                    cwd=folder,
                    processors=processors,
                )
                rates.append(count / wall_s)
                costs_ms.append(1e3 * processor_s / count)
                print(
                    f"{what}: {rates[-1]:.1f} a second, "
                    f"{costs_ms[-1]:.2f} ms of processor time each",
                    flush=True,
                )
            print(
                f"ratios {rates[2] / rates[0]:.2f} and {rates[2] / rates[1]:.2f}; by processor "
                f"time {n_processors * costs_ms[0] / costs_ms[2]:.2f} times one thread"
            )
        tables = [(folder / f"{workers}.csv").read_bytes() for workers in (1, n_processors)]
        print(f"tables are {'the same bytes' if tables[0] == tables[1] else 'DIFFERENT'}")
        print(f"{len(tables[0].splitlines()) - 1} faces in {count} pictures")


def measure_memory(photo: Path, count: int) -> None:
    """Print the parent's resident memory as the pictures go; each is taken for one face, as what
    the workers do is no matter."""
    from mien.cli.listening import Terminal
    from mien.results import FrameResult
    from mien.workflows.files import WantedFiles
    from mien.workflows.recognizing import Job, plan

    class Watching(Terminal):
        n_done = 0

        def picture(self, result: FrameResult) -> None:
            super().picture(result)
            self.n_done += 1
            if self.n_done in (1000, count) or self.n_done % 5000 == 0:
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
                print(f"{self.n_done:7,} pictures: {megabytes:.1f} MB", flush=True)

    with tempfile.TemporaryDirectory() as name:
        make_folder(photo, Path(name), count)
        files = WantedFiles((Path(name) / "t.csv",))
        terminal = Watching(as_json=False)
        planned = plan([f"{name}/in"], files=files)
        Job("default", "whole", terminal, workers=len(os.sched_getaffinity(0))).run(planned)
        terminal.close()


def measure_ray(photo: Path, count: int, rounds: int) -> None:
    """Print seconds of whole commands by processes and by Ray, in turn, and rates without start and
    end: from the second shard's report to the last but two."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folder(photo, folder, count)
        for number, engine in enumerate(("processes", "ray") * rounds):
            reports: list[tuple[float, int]] = []
            n_done = 0
            start_s, busy_before_s = time.monotonic(), busy_s()
            with subprocess.Popen(
                [
                    *(*MIEN, "recognize", "in", "--dataset", f"out{number}", "--engine", engine),
                    *("--shard-size", str(max(50, count // 40)), "--json"),
                ],
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
            ) as process:
                for line in process.stdout or ():
                    if "shard" in (members := json.loads(line)):
                        n_done += members["frames"]
                        reports.append((time.monotonic(), n_done))
            wall_s = time.monotonic() - start_s
            (first_s, n_first), (last_s, n_last) = reports[1], reports[-3]
            print(
                f"{engine}: {wall_s:.1f} s, {count / wall_s:.1f} a second; without start and end "
                f"{(n_last - n_first) / (last_s - first_s):.1f} a second; all processors worked "
                f"{busy_s() - busy_before_s:.1f} s",
                flush=True,
            )


def measure_driver(n_paths: int) -> None:
    """Print the driver's memory and time for shards in which nothing is done."""
    from mien.outputs.dataset.job import kinds_of, write_manifest
    from mien.outputs.dataset.layout import Layout
    from mien.sources.manifests import read_manifest
    from mien.workflows.datasets.plan import Cutter
    from mien.workflows.engines import open_engine

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "list.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["source"])
            writer.writerows(
                [f"/data/photos/{number // 10000:05d}/a photo {number:09d}.jpg"]
                for number in range(n_paths)
            )
        layout, start_s = Layout(Path(name) / "out"), time.process_time()
        manifest, n_shards, _ = write_manifest(layout, Cutter().shards(read_manifest(path)))
        os.replace(manifest, layout.manifest)
        planned_s = time.process_time() - start_s
        start_s = time.process_time()
        n_done = 0
        with open_engine("processes") as engine:
            make: Callable[[], Callable[[object], int]] = partial(_make_nothing, name)
            for _ in engine.run(kinds_of(layout), make):
                n_done += 1
        seconds = time.process_time() - start_s
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(
            f"{n_paths:,} paths, {n_done:,} of {n_shards:,} shards; the driver's processor time: "
            f"{planned_s:.1f} s to plan, {1e3 * seconds / n_done:.2f} ms a shard; "
            f"its peak {peak_mb:.0f} MB"
        )


def _make_nothing(folder: str) -> "Callable[[tuple[int, str, int | None, int]], int]":
    return partial(_do_nothing, folder)


def _do_nothing(folder: str, shard: "tuple[int, str, int | None, int]") -> int:
    from mien.outputs.dataset.job import read_shard
    from mien.outputs.dataset.layout import Layout

    return len(read_shard(Layout(Path(folder) / "out"), shard[0]))


def measure_video(clip: Path, minutes: float, parts: int) -> None:
    """Print whether the rows of parts are those of one pass."""
    import pyarrow.parquet

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _repeat(clip, folder / "long.mp4", minutes * 60)
        seconds = minutes * 60 / parts
        wall_s, processor_s = run(
            *("recognize", "long.mp4", "--dataset", "out", "--shard-s", seconds), cwd=folder
        )
        print(f"in {parts} parts: {wall_s:.1f} s, {processor_s:.1f} s of processor time")
        wall_s, processor_s = run("recognize", "long.mp4", "--table", "one.csv", cwd=folder)
        print(f"in one pass: {wall_s:.1f} s, {processor_s:.1f} s of processor time")
        rows = []
        for path in sorted((folder / "out" / "faces").rglob("*.parquet")):
            with pyarrow.parquet.ParquetFile(path) as file:
                rows += file.read().to_pylist()
        rows.sort(key=lambda row: (row["frame"], row["face"]))
        with (folder / "one.csv").open() as file:
            one = list(csv.DictReader(file))
        same = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == one
        tracks = len({row["track"] for row in rows})
        print(f"{len(one)} rows, {tracks} tracks: {'the same' if same else 'DIFFERENT'}")


def _repeat(clip: Path, path: Path, seconds: float) -> None:
    """The packets of a clip again and again, without decoding."""
    import av

    with av.open(str(path), "w") as output:
        end, out = 0, None
        while True:
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                out = out or output.add_stream_from_template(stream)
                last = end
                for packet in source.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + last, packet.dts + last
                    end = max(end, packet.pts + (packet.duration or 0))
                    if packet.pts * packet.time_base > seconds:
                        return
                    packet.stream = out
                    output.mux(packet)


def main() -> None:
    """Parse, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("folder", "memory", "ray"):
        one = kinds.add_parser(kind)
        one.add_argument("photo", type=Path)
        one.add_argument("--pictures", type=int, default=20_000 if kind == "memory" else 4000)
        one.add_argument("--rounds", type=int, default=3)
    kinds.add_parser("driver").add_argument("--paths", type=int, default=1_000_000)
    video = kinds.add_parser("video")
    video.add_argument("clip", type=Path)
    video.add_argument("--minutes", type=float, default=10.0)
    video.add_argument("--parts", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.kind == "folder":
        measure_folder(arguments.photo.resolve(), arguments.pictures, arguments.rounds)
    elif arguments.kind == "memory":
        measure_memory(arguments.photo.resolve(), arguments.pictures)
    elif arguments.kind == "ray":
        measure_ray(arguments.photo.resolve(), arguments.pictures, arguments.rounds)
    elif arguments.kind == "driver":
        measure_driver(arguments.paths)
    else:
        measure_video(arguments.clip.resolve(), arguments.minutes, arguments.parts)


if __name__ == "__main__":
    import scale  # workers find their function in a module

    scale.main()
