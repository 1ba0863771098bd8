"""Every peer whose weights come inside its package, beside mien, on the same faces in one run.

    python benchmark/peers.py fer2013.csv --fer-python PYTHON --node-modules DIR --out peers

Each program runs in a process of its own and is asked through one protocol (peer_workers/):

- all tiles of a split as crops, for accuracy, ECE and their intervals by mien's own evaluation;
- tiles one at a time, in turn with all others, for the milliseconds of a face (from a grey tile
  in memory to probabilities);
- a photo, found and classified, in turn, for the milliseconds of a picture;
- its start: from nothing to the first answer about the photo, with warm file caches.

What to install is said in benchmark/README.md. A peer without a path is left out, nothing is
downloaded, and files are compared with the hashes of those that were measured.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.duplicates import seen_duplicates
from mien.data.sources import read_samples
from mien.errors import MienError
from mien.evaluation.metrics import Evaluation, evaluate
from mien.evaluation.predictions import Predictions, predict
from mien.images import read_image
from mien.labels import FERPLUS, LabelSet, label_set_of
from mien.samples import Samples, Split
from peer_processes import (
    PeerError,
    PeerProcess,
    PeerProgram,
    fer_programs,
    mien_program,
    node_programs,
)
from peer_table import figure_png, markdown

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "docs" / "images" / "astronaut.jpg"
WARM_UP = 10


@dataclass(frozen=True)
class Row:
    """One program's part of the table."""

    name: str
    runs_on: str
    network_bytes: int
    installed_bytes: int
    missing: tuple[str, ...]
    """What its package declares and is not installed, so that its size is larger."""
    accuracy: float
    accuracy_ci95: tuple[float, float]
    accuracy_unseen: float | None
    macro_f1: float
    ece: float
    ece_by_chance: float
    face_ms: float
    face_cpu_ms: float
    photo_ms: float
    photo_shows: tuple[str, ...]
    first_answer_s: float
    peak_bytes: int


class Faces:
    """Tiles and a photo as files that every process reads.

    Args:
        samples: labelled faces.
        split: the rows that are asked about.
        photo: a picture with one face.
        folder: where the files go.
        rows: evenly spaced ones of the split; all where None.
    """

    def __init__(
        self, samples: Samples, split: Split, photo: Path, folder: Path, rows: int | None = None
    ) -> None:
        self.split, self.folder = split, folder
        self.seen = seen_duplicates(samples)
        if rows is not None:
            asked = np.flatnonzero(samples.splits == split.value)
            asked = asked[np.linspace(0, len(asked) - 1, min(rows, len(asked))).astype(np.int64)]
            samples, self.seen = samples.take(asked), self.seen[asked]
        self.samples = samples
        self._prepare(samples.of(split), photo)

    def _prepare(self, rows: Samples, photo: Path) -> None:
        tiles = np.stack([rows.images[index] for index in range(len(rows))])
        if tiles.ndim != 3:
            raise PeerError(f"{rows.source} has colour faces; this needs grey tiles of one size")
        self.n, self.side = len(tiles), tiles.shape[1]
        self._tiles = tiles
        self._write("all", tiles)
        picture = read_image(photo)
        (self.folder / "photo").write_bytes(picture.tobytes())
        self.photo = {
            "do": "photo",
            "file": str(self.folder / "photo"),
            "height": picture.shape[0],
            "width": picture.shape[1],
        }

    def question(self, name: str, n: int, batch: int) -> dict[str, Any]:
        """What to ask about a file of tiles."""
        files = {"file": str(self.folder / name), "out": str(self.folder / f"{name}.out")}
        return {"do": "faces", "n": n, "side": self.side, "batch": batch} | files

    def some(self, number: int, count: int) -> dict[str, Any]:
        """What to ask one at a time in a round: other tiles in every round."""
        first = number * count % max(1, self.n - count)
        self._write("some", self._tiles[first : first + count])
        return self.question("some", count, 1)

    def answers(self, classes: int) -> NDArray[np.float64]:
        """What a process has written about all tiles, (n, classes); rows sum to 1."""
        stored = np.fromfile(self.folder / "all.out", "<f4").astype(np.float64)
        probabilities = stored.reshape(self.n, classes)
        # Those of 8-bit networks sum to 1 only nearly.
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def _write(self, name: str, tiles: NDArray[np.uint8]) -> None:
        np.ascontiguousarray(tiles).tofile(self.folder / name)


def labels_of(names: Sequence[str]) -> LabelSet:
    """A peer's classes by mien's names."""
    return label_set_of(tuple(FERPLUS[FERPLUS.index(name)].key for name in names))


def measured(faces: Faces, probabilities: NDArray[np.float64], labels: LabelSet) -> Evaluation:
    """A peer's answers about all tiles through mien's evaluation."""
    rows = iter(np.split(probabilities, range(256, len(probabilities), 256)))
    found: Predictions = predict(
        lambda batch: next(rows),
        faces.samples,
        faces.split,
        model_labels=labels,
        seen_duplicate=faces.seen,
    )
    return evaluate(found)


def start(program: PeerProgram, faces: Faces) -> tuple[PeerProcess, float, list[str]]:
    """A process, the seconds to its first answer, and that answer."""
    process = PeerProcess(program)
    try:
        found = process.ask(**faces.photo)
    except PeerError:
        process.__exit__()
        raise
    return process, time.perf_counter() - process.started, found["faces"]


def measure(programs: Sequence[PeerProgram], faces: Faces, arguments: Any) -> list[Row]:
    """Ask every program, in turn where times are taken."""
    first_s: dict[str, list[float]] = {program.name: [] for program in programs}
    with ExitStack() as stack:
        running, shown = [], {}
        for number in range(arguments.starts):
            for program in programs:
                process, taken_s, shown[program.name] = start(program, faces)
                if number or arguments.starts == 1:  # the first one fills the file caches
                    first_s[program.name].append(taken_s)
                if number == arguments.starts - 1:
                    running.append(stack.enter_context(process))
                else:
                    process.__exit__()
        say("started")
        evaluations, facts = {}, {}
        for process in running:
            name = process.program.name
            facts[name] = process.ask(do="facts")
            labels = labels_of(facts[name]["labels"])
            process.ask(**faces.question("all", faces.n, process.program.batch))
            evaluations[name] = measured(faces, faces.answers(len(labels)), labels)
            say(f"{name}: {100 * evaluations[name].accuracy:.2f} %")
        times: dict[str, dict[str, list[float]]] = {
            name: {"face": [], "cpu": [], "photo": []} for name in evaluations
        }
        for process in running:
            process.ask(**faces.some(0, WARM_UP))
        for number in range(arguments.rounds):
            question = faces.some(number, arguments.faces)
            for process in running:
                taken, its = process.ask(**question), times[process.program.name]
                its["face"] += taken["wall_ms"]
                its["cpu"] += taken["cpu_ms"]
                its["photo"].append(process.ask(**faces.photo)["wall_ms"])
        peaks = {p.program.name: p.ask(do="facts")["peak_bytes"] for p in running}
    rows = []
    for program in programs:
        name = program.name
        found, its = evaluations[name], times[name]
        rows.append(
            Row(
                name=name,
                runs_on=facts[name]["runs_on"],
                network_bytes=sum(path.stat().st_size for path in program.network),
                installed_bytes=facts[name]["installed_bytes"],
                missing=tuple(facts[name]["missing"]),
                accuracy=found.accuracy,
                accuracy_ci95=found.accuracy_ci95,
                accuracy_unseen=found.accuracy_unseen,
                macro_f1=found.macro_f1,
                ece=found.ece,
                ece_by_chance=found.ece_by_chance,
                face_ms=statistics.median(its["face"]),
                # A clock of processes is coarse: the mean says more than the median.
                face_cpu_ms=statistics.mean(its["cpu"]),
                photo_ms=statistics.median(its["photo"]),
                photo_shows=tuple(shown[name]),
                first_answer_s=statistics.median(first_s[name]),
                peak_bytes=peaks[name],
            )
        )
    return rows


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def programs_of(arguments: Any) -> list[PeerProgram]:
    """mien's models, then the peers that have a path."""
    programs = [mien_program(model, arguments.detector) for model in arguments.model]
    if arguments.fer_python is not None:
        programs += fer_programs(arguments.fer_python)
    else:
        say("left out: fer and the usual loop (name a Python that has fer by --fer-python)")
    if arguments.node_modules is not None:
        programs += node_programs(arguments.node, arguments.node_modules)
    else:
        say("left out: face-api and human (name their folder by --node-modules)")
    for program in programs:
        program.check()
    return programs


def main() -> None:
    """Read the arguments, measure, write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="fer2013.csv")
    parser.add_argument("--split", type=Split, default=Split.VALIDATION, choices=list(Split))
    parser.add_argument("--fer-python", type=Path, help="Python of an environment with fer")
    parser.add_argument("--node-modules", type=Path, help="folder with face-api and human")
    parser.add_argument("--node", default="node", help="the program node")
    parser.add_argument("--model", action="append", help="a model of mien; may be repeated")
    parser.add_argument("--detector", default="yunet", help="of mien")
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--rows", type=int, help="so many faces, evenly spaced, for a quick look")
    parser.add_argument("--rounds", type=int, default=10, help="rounds in turn")
    parser.add_argument("--faces", type=int, default=20, help="single faces in a round")
    parser.add_argument("--starts", type=int, default=3, help="starts; the first does not count")
    parser.add_argument("--out", type=Path, help="folder for peers.md, peers.png and peers.json")
    arguments = parser.parse_args()
    arguments.model = arguments.model or ["mien-small-int8", "mien-tiny", "mien-large"]
    try:
        with tempfile.TemporaryDirectory() as folder:
            samples = read_samples(arguments.data)
            faces = Faces(samples, arguments.split, arguments.photo, Path(folder), arguments.rows)
            rows = measure(programs_of(arguments), faces, arguments)
    except (PeerError, MienError) as error:
        raise SystemExit(f"error: {error}") from error
    table = markdown(rows)
    print(f"{faces.n:,} faces, {arguments.split} of {samples.source}\n\n{table}")
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "peers.md").write_text(table, encoding="utf-8")
        (arguments.out / "peers.png").write_bytes(figure_png(rows))
        stored = [asdict(row) for row in rows]
        (arguments.out / "peers.json").write_text(json.dumps(stored, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
