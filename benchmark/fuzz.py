"""Damaged files of every kind that mien reads: none may end in anything but one clear line.

    python benchmark/fuzz.py [--n 1000] [--seed 0] [--kinds picture,data,...] [--keep DIR]

Small valid files are made (or encoded) in every format, damaged in seeded ways (bits, cuts,
pieces put in, taken out and repeated, numbers at their limits, two files in one; in archives also
the members and their names), and read as the commands read them, in a process of its own. A
fault is anything but success or a `MienError` of one line under 300 characters: another error, a
crash, a hang of 20 s, or something that a library prints of its own. Each fault is printed with its
input's number, which with the same seed makes the same file again, but for the times that some
formats write into it; ``--keep`` writes those files.

The last line is "N inputs, F faults". The tests run 500 inputs of it with a fixed seed.
"""

import argparse
import io
import json
import os
import random
import select
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

HANG_S = 20.0
"""How long an input may take."""
MAX_LINE = 300
_LIMITS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_NAMES = ("", "/", "//", "a" * 5000, "x\x1b[31m.png", "happy\n/a.png", "\u202e.csv", "c:x", "..")

KINDS = ("picture", "data", "video", "onnx", "keras", "json")
"""What is damaged. Each has readers of its own in the child."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid file."""

    kind: str
    """One of `KINDS`."""
    name: str
    """With the ending by which it is told."""
    content: bytes
    """The file."""


def make_seeds(kinds: tuple[str, ...]) -> list[Seed]:
    """Valid files of these kinds, in a fixed order."""
    makers: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
        "picture": _pictures,
        "data": _data,
        "video": _videos,
        "onnx": _onnx,
        "keras": _keras,
        "json": _json,
    }
    return [Seed(kind, name, content) for kind in kinds for name, content in makers[kind]()]


def _pictures() -> Iterator[tuple[str, bytes]]:
    import numpy as np
    import PIL.Image

    from heif_factory import heic
    from picture_factory import encode, gradient

    rgb = gradient(48, 64)
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "maker", 72.0
    frames = [PIL.Image.fromarray(np.roll(rgb, step, axis=1)) for step in (8, 16)]
    several: dict[str, Any] = {"save_all": True, "append_images": frames}
    yield "a.jpg", encode(rgb, "JPEG", exif=exif, comment=b"a comment")
    yield "progressive.jfif", encode(rgb, "JPEG", progressive=True)
    yield "cmyk.jpe", encode(rgb, "JPEG", "CMYK")
    yield "two.mpo", encode(rgb, "MPO", **several)
    yield "a.png", encode(rgb, "PNG", exif=exif)
    yield "deep.png", encode(rgb[..., 0].astype(np.uint16) * 16, "PNG")
    yield "palette.png", encode(rgb, "PNG", "P")
    yield "animated.png", encode(rgb, "PNG", **several)
    yield "a.webp", encode(rgb, "WEBP", exif=exif)
    yield "animated.webp", encode(rgb, "WEBP", **several)
    yield "animated.gif", encode(rgb, "GIF", **several)
    yield "a.bmp", encode(rgb, "BMP")
    yield "a.dib", encode(rgb, "DIB")
    yield "a.tif", encode(rgb, "TIFF")
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield f"{packing}.tiff", encode(rgb, "TIFF", compression=packing)
    yield "deep.tif", encode(rgb[..., 0].astype(np.uint16) * 4, "TIFF")
    yield "float.tif", encode((rgb[..., 0] / 255).astype(np.float32), "TIFF")
    yield "a.ppm", encode(rgb, "PPM")
    yield (
        "deep.pgm",
        b"P5 64 48 4095\n" + (rgb[..., 0].astype(np.uint16) * 16).astype(">u2").tobytes(),
    )
    yield "plain.pgm", b"P2 2 2 255\n1 2 3 255\n"
    yield "a.avif", encode(rgb, "AVIF", exif=exif)
    yield "animated.avif", encode(rgb, "AVIF", **several)
    yield "a.heic", heic(gradient(64, 96), turns=1)
    yield "grid.heif", heic(gradient(128, 192), tiles=(2, 2))


def _data() -> Iterator[tuple[str, bytes]]:
    import gzip

    from samples_factory import USAGES, fer_csv, icml_csv, png, random_faces

    faces = random_faces(6, side=8)
    usages = [USAGES[index % 3] for index in range(6)]
    plain = fer_csv(faces, [0, 1, 2, 3, 4, 5], usages)
    yield "fer2013.csv", plain
    yield "icml_face_data.csv", icml_csv(faces, [0, 1, 2, 3, 4, 5], usages)
    yield "quoted.csv", plain.replace(b"Training", b'"Training"')
    yield "fer2013.csv.gz", gzip.compress(plain, mtime=0)
    yield "csv.zip", _zip({"fer2013.csv": plain, "sample.png": png(faces[0])})
    folders = {f"train/{name}/{n}.png": png(faces[n]) for n, name in enumerate(("happy", "sad"))}
    yield "folders.zip", _zip({**folders, "readme.txt": b"faces"})


def _videos() -> Iterator[tuple[str, bytes]]:
    from video_factory import make_clip

    with tempfile.TemporaryDirectory() as folder:
        for name, options in {
            "a.mp4": {"audio": True},
            "turned.mov": {"rotation": 90},
            "a.mkv": {},
            "a.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
            "a.ts": {},
            "a.webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
            "a.gif": {"codec": "gif", "pixel_format": "rgb8"},
            "a.flv": {"codec": "flv"},
            "a.mpg": {"codec": "mpeg2video"},
        }.items():
            yield name, make_clip(Path(folder) / name, 6, **options).read_bytes()


def _onnx() -> Iterator[tuple[str, bytes]]:
    from onnx_factory import make_graph, make_model_bytes

    yield "sealed.onnx", make_model_bytes()
    yield "bare.onnx", make_graph().SerializeToString()


def _keras() -> Iterator[tuple[str, bytes]]:
    from keras_factory import save, tutorial_cnn

    network = tutorial_cnn()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.keras", "a.h5"):
            yield name, save(network, Path(folder) / name).read_bytes()
        network.save_weights(Path(folder) / "a.weights.h5")
        yield "a.weights.h5", (Path(folder) / "a.weights.h5").read_bytes()


def _json() -> Iterator[tuple[str, bytes]]:
    from mien.labels import FER2013

    values = {"labels": list(FER2013.keys), "n": 2, "data_sha256": "0" * 64, "model": "a.onnx"}
    values |= {"model_sha256": "1" * 64, "architecture": "x", "parameters": 7, "cautions": ["a"]}
    yield "metrics.json", json.dumps(values, indent=1).encode()


def _zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name or "x", (2020, 1, 1, 0, 0, 0)), content)
    return stream.getvalue()


def mutate(seeds: list[Seed], number: int, seed: int) -> Seed:
    """The damaged file of a number: the same for the same seeds, number and seed."""
    rng = random.Random(f"{seed}/{number}")
    chosen = seeds[number % len(seeds)]
    content = chosen.content
    if chosen.name.endswith((".zip", ".keras")) and rng.random() < 0.5:
        content = _mutated_members(content, rng)
    else:
        others = [other for other in seeds if other.kind == chosen.kind]
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            content = _damage(content, rng, rng.choice(others).content)
    return Seed(chosen.kind, chosen.name, content)


def _mutated_members(content: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    victim = rng.choice(sorted(members))
    if rng.random() < 0.4:
        # Names of other lengths would need a table of another length: put into the whole file.
        name = rng.choice(_NAMES)
        members[name or "x"] = members.pop(victim)
        renamed = _zip(members)
        return renamed if name else _emptied_name(renamed)
    members[victim] = _damage(members[victim], rng, content)
    return _zip(members)


def _emptied_name(content: bytes) -> bytes:
    """An archive whose member ``x`` has no name: its length is 0, and the letter is skipped."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
    table = content[start:]
    at = table.find(b"PK\1\2")
    while at >= 0:
        if struct.unpack_from("<H", table, at + 28)[0] == 1:
            table = table[: at + 28] + b"\0\0\1\0" + table[at + 32 :]
            break
        at = table.find(b"PK\1\2", at + 4)
    return content[:start] + table


def _damage(content: bytes, rng: random.Random, other: bytes) -> bytes:
    data = bytearray(content)
    if not data:
        return rng.randbytes(4)
    at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 256))
    length = min(len(data) - at, rng.choice((1, 2, 4, 16, 256, 4096)))
    way = rng.randrange(8)
    if way == 0:
        for _ in range(rng.choice((1, 2, 8, 32))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == 1:
        del data[at:]
    elif way == 2:
        data[at:at] = rng.randbytes(length)
    elif way == 3:
        del data[at : at + length]
    elif way == 4:
        data[at:at] = data[at : at + length]
    elif way == 5:
        order: Any = rng.choice(("little", "big"))
        size = rng.choice((1, 2, 4))
        data[at : at + size] = (rng.choice(_LIMITS) & (256**size - 1)).to_bytes(size, order)
    elif way == 6:
        data[at : at + length] = rng.randbytes(length)
    else:
        data[at:] = other[rng.randrange(max(len(other), 1)) :]
    return bytes(data)


class Child:
    """The process that reads; started anew after a crash or a hang."""

    def __init__(self, folder: Path, kinds: tuple[str, ...]) -> None:
        self._folder = folder
        self._kinds = ",".join(kinds)
        self._process: subprocess.Popen[bytes] | None = None
        self._noise = folder / "noise.txt"

    def read(self, kind: str, path: Path) -> str:
        """Have a file read; the fault, or nothing."""
        before = self._noise.stat().st_size if self._noise.exists() else 0
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{kind}\t{path}\n".encode())
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], HANG_S)
        answer = process.stdout.readline().decode() if ready else ""
        if not answer:
            self.stop()
            return f"crash {process.returncode}" if ready else f"no answer after {HANG_S:.0f} s"
        fault = str(json.loads(answer))
        if not fault and (size := self._noise.stat().st_size) > before:
            with self._noise.open("rb") as file:
                file.seek(before)
                return f"printed {file.read(min(size - before, 200))!r}"
        return fault

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            with self._process as process:  # closes its pipes, and waits
                process.kill()
            self._process = None

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            with open(self._noise, "ab") as noise:
                self._process = subprocess.Popen(
                    [sys.executable, __file__, "--child", "--kinds", self._kinds],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=noise,
                )
            # Loading Keras is no part of an input's time.
            assert self._process.stdout is not None
            self._process.stdout.readline()
        return self._process


def _serve(kinds: list[str]) -> None:
    """The child: reads one path a line, answers with one line of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is noise
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    readers: dict[str, Callable[[Path], object]] = {
        "picture": _read_picture,
        "data": _read_data,
        "video": _read_video,
        "onnx": _read_onnx,
        "keras": _read_keras,
        "json": _read_json,
    }
    if "keras" in kinds:
        from mien.formats.keras_import import load_keras_quietly

        load_keras_quietly()
        import mien.training.opening  # noqa: F401
    answers.write(json.dumps("ready") + "\n")
    for line in sys.stdin:
        kind, path = line.rstrip("\n").split("\t")
        answers.write(json.dumps(_fault_of(readers[kind], Path(path))) + "\n")


def _fault_of(read: Callable[[Path], object], path: Path) -> str:
    from mien.errors import MienError, one_line

    try:
        read(path)
    except MienError as error:
        message = str(error)
        if len(message) >= MAX_LINE or not message or message != one_line(message):
            return f"message of {len(message)} characters: {message[:80]!r}"
    except BaseException as error:
        trace = error.__traceback__
        where = ""
        while trace is not None:
            frame = trace.tb_frame
            if "/mien/" in frame.f_code.co_filename:
                where = f"{Path(frame.f_code.co_filename).name}:{trace.tb_lineno}"
            trace = trace.tb_next
        return f"{type(error).__name__} at {where}: {str(error)[:120]!r}"
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return ""


def _read_picture(path: Path) -> None:
    from mien.errors import MienError
    from mien.images import read_image, read_tile
    from mien.sources import is_video, open_frames

    if is_video(path):
        with open_frames(path) as source:
            for _ in source:
                pass
    with suppress(MienError):
        read_tile(path.read_bytes(), name=path.name)
    read_image(path)


def _read_data(path: Path) -> None:
    from mien.data import read_samples
    from mien.errors import MienError

    samples = read_samples(path, use_cache=False)
    for index in range(len(samples)):
        with suppress(MienError):
            samples.images[index]
    samples.sha256()


def _read_video(path: Path) -> None:
    from mien.sources import open_frames

    with open_frames(path) as source:
        for _ in source:
            pass


def _read_onnx(path: Path) -> None:
    import numpy as np

    from mien.recognition.classifier import Classifier

    Classifier(path).probabilities([np.zeros((48, 48, 3), np.uint8)])


def _read_keras(path: Path) -> None:
    from mien.formats.reading import Reading
    from mien.labels import FER2013
    from mien.training.opening import open_network

    open_network(path, Reading(labels=FER2013.keys, scaling="0..1"))


def _read_json(path: Path) -> None:
    from mien.evaluation.stored import read_report

    header = "row,label," + ",".join(f"p_{n}" for n in range(7))
    (path.parent / "predictions.csv").write_text(header + "\n")
    read_report(path.parent, "a")


def run(
    n: int,
    seed: int = 0,
    kinds: tuple[str, ...] = KINDS,
    *,
    keep: Path | None = None,
    tell: Callable[[str], None] = print,
) -> list[str]:
    """Read ``n`` damaged files; a line for each fault, which is told as it comes.

    Args:
        n: number of inputs, spread over the valid files in turn.
        seed: makes the damage.
        kinds: of `KINDS`.
        keep: a folder for the inputs that were faults.
        tell: told of each fault.
    """
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(kinds)
        child = Child(folder, kinds)
        try:
            for number in range(n):
                damaged = mutate(seeds, number, seed)
                path = folder / damaged.name
                path.write_bytes(damaged.content)
                fault = child.read(damaged.kind, path)
                if fault:
                    faults.append(f"{damaged.name} {number}: {fault}")
                    tell(faults[-1])
                    if keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{seed}-{number}-{damaged.name}").write_bytes(damaged.content)
                path.unlink()
        finally:
            child.stop()
    return faults


def main() -> None:
    """Run and print; exit code 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _serve(arguments.kinds.split(","))
        return
    start = time.perf_counter()
    kinds = tuple(arguments.kinds.split(","))
    faults = run(arguments.n, arguments.seed, kinds, keep=arguments.keep)
    print(f"{time.perf_counter() - start:.0f} s")
    print(f"{arguments.n:,} inputs, {len(faults):,} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
