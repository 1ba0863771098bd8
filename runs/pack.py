"""Pack data, mien and what it needs for a GPU machine that reaches no network.

    python runs/pack.py FOLDER --csv fer2013.csv --votes fer2013new.csv --faces faces.zip

FOLDER gets ``part-1`` and so on, pieces of one tar archive of at most --part-mib each, and
``gpu.sh``, which puts them together there and runs `shipped.sh`. The csv travels as one lossless
PNG of all faces, a fifth of its size. The wheels are those of --packages and what they need, in
the versions installed here, for --python: what a machine with JAX (with its GPU plugin), SciPy,
Pillow, Matplotlib, h5py and ONNX Runtime lacks. TensorFlow is not among them: ONNX files are
written afterwards, elsewhere.
"""

import argparse
import csv
import io
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import PIL.Image
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mien.data import read_samples

PACKAGES = ("keras", "opencv-python-headless", "platformdirs", "pooch", "rich", "typer")
THERE = ("absl-py", "h5py", "ml-dtypes", "numpy", "packaging", "requests")
PLATFORMS = ("2_28", "2_27", "2_17", "2_24")
SIDE_PX = 48


def pixels_png(images: np.ndarray) -> bytes:
    """All faces in one lossless picture, row by row; black where there are no more."""
    columns = int(np.ceil(len(images) ** 0.5))
    whole = np.zeros((columns * columns, SIDE_PX, SIDE_PX), np.uint8)
    whole[: len(images)] = images
    grid = whole.reshape(columns, columns, SIDE_PX, SIDE_PX).transpose(0, 2, 1, 3)
    stream = io.BytesIO()
    PIL.Image.fromarray(grid.reshape(columns * SIDE_PX, -1)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def labels_csv(path: Path) -> bytes:
    """The csv without its pixels."""
    text = io.StringIO()
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["emotion", "Usage"])
        writer.writerows([row["emotion"], row["Usage"]] for row in rows)
    return text.getvalue().encode()


def download(folder: Path, python: str, packages: list[str]) -> None:
    """Fetch wheels of the versions that are installed here, from where pip is told to."""
    platforms = [word for p in PLATFORMS for word in ("--platform", f"manylinux_{p}_x86_64")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder)]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    command += [*platforms, "--platform", "manylinux2014_x86_64"]
    command += [f"{name}=={metadata.version(name)}" for name in packages]
    subprocess.run(command, check=True)


def with_needs(packages: list[str], there: list[str]) -> list[str]:
    """Packages and what they need, as installed here, without what is there."""
    found: set[str] = set()
    waiting = list(packages)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or name in there:
            continue
        found.add(name)
        needs = map(Requirement, metadata.requires(name) or [])
        waiting += [each.name for each in needs if not each.marker or each.marker.evaluate()]
    return sorted(found)


def pack(options: argparse.Namespace) -> bytes:
    """The tar archive."""
    root = Path(__file__).resolve().parent.parent
    stream = io.BytesIO()
    with (
        tempfile.TemporaryDirectory() as scratch,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

        add("data/pixels.png", pixels_png(np.asarray(read_samples(options.csv).images)))
        add("data/labels.csv", labels_csv(options.csv))
        add("data/fer2013new.csv", options.votes.read_bytes())
        add("data/faces.zip", options.faces.read_bytes())
        for folder in ("src", "recipes", "runs"):
            for path in sorted((root / folder).rglob("*.py")) + sorted(
                (root / folder).glob("*.sh")
            ):
                archive.add(path, path.relative_to(root).as_posix())
        wheels = Path(scratch)
        download(wheels, options.python, with_needs(options.packages, options.there))
        for path in sorted(wheels.iterdir()):
            archive.add(path, f"wheels/{path.name}")
    return stream.getvalue()


def main() -> None:
    """Write the pieces and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    for name in ("csv", "votes", "faces"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--python", default="3.12", help="version of Python there")
    parser.add_argument("--packages", nargs="+", default=list(PACKAGES))
    parser.add_argument("--there", nargs="+", default=list(THERE), help="what is not needed")
    parser.add_argument("--part-mib", type=float, default=44, help="size of a piece")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    content = pack(options)
    size = int(options.part_mib * 2**20)
    for number, start in enumerate(range(0, len(content), size), start=1):
        (options.folder / f"part-{number}").write_bytes(content[start : start + size])
    script = Path(__file__).with_name("gpu.sh").read_bytes()
    (options.folder / "gpu.sh").write_bytes(script)
    print(f"{options.folder}: {len(content) / 2**20:.0f} MiB in {number} pieces")


if __name__ == "__main__":
    main()
