"""Makers of tiny data sets in the forms that people have."""

import importlib.util
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL.Image

from mien.labels import FER2013
from mien.samples import Samples

USAGES = ("Training", "PublicTest", "PrivateTest")
SPLITS = ("train", "validation", "test")


def random_faces(n: int, *, side: int = 48, seed: int = 0) -> np.ndarray:
    """uint8 (n, side, side) of smooth noise, so that no two are alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 8, 8), dtype=np.uint8)
    tiles = [
        np.asarray(PIL.Image.fromarray(tile).resize((side, side), PIL.Image.Resampling.BICUBIC))
        for tile in coarse
    ]
    return np.stack(tiles) if tiles else np.zeros((0, side, side), np.uint8)


def fer_csv(
    images: np.ndarray, labels: Sequence[int], usages: Sequence[str], *, newline: str = "\n"
) -> bytes:
    """A csv in the form of fer2013.csv."""
    lines = ["emotion,pixels,Usage"]
    for image, label, usage in zip(images, labels, usages, strict=True):
        lines.append(f"{label},{' '.join(map(str, image.ravel().tolist()))},{usage}")
    return (newline.join(lines) + newline).encode()


def icml_csv(images: np.ndarray, labels: Sequence[int], usages: Sequence[str]) -> bytes:
    """A csv in the form of icml_face_data.csv."""
    lines = ["emotion, Usage, pixels"]
    for image, label, usage in zip(images, labels, usages, strict=True):
        lines.append(f"{label},{usage},{' '.join(map(str, image.ravel().tolist()))}")
    return ("\n".join(lines) + "\n").encode()


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def class_folders(root: Path, folders: Iterable[str], *, per_folder: int = 2) -> dict[str, bytes]:
    """Write pictures into folders; return what was written by relative path."""
    written = {}
    for number, folder in enumerate(folders):
        for index, image in enumerate(random_faces(per_folder, side=16, seed=number)):
            path = root / folder / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(image))
            written[path.relative_to(root).as_posix()] = path.read_bytes()
    return written


def zip_of(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def samples_of(
    images: np.ndarray,
    labels: Sequence[int],
    splits: Sequence[str],
    *,
    votes: np.ndarray | None = None,
) -> Samples:
    names = [f"row {index + 2}" for index in range(len(labels))]
    columns = np.array(labels, dtype=np.int64), np.array(splits, dtype=np.str_)
    return Samples(images, *columns, FER2013, names, "made up", votes)


def unpack_tool(shared: Path) -> ModuleType:
    """The tool that unpacks the shared copy of FER-2013."""
    spec = importlib.util.spec_from_file_location("unpack", shared / "tools/unpack_fer2013.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
