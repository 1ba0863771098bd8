"""The faces that a run keeps, so that its network can be exported without the data set.

An export is proven on real faces: the file must give what the network gives. A few hundred of the
validation faces are enough for that, and are kept in the run folder as one picture, the faces one
below the other, small ones as they are and large ones reduced. They have no labels, so nothing can
be measured on them. A picture was chosen over an array's file because people can look at it.
"""

import io
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from mien.errors import SourceError, TrainingError
from mien.files import atomic_file
from mien.formats.bundle import PARITY_FACES
from mien.images import read_tile
from mien.preprocessing import InputSpec, to_network_input
from mien.samples import Image, Samples
from mien.training import run_folder

FACES = "faces.png"
"""Name of the file in the run folder."""

MAX_BYTES = 1_000_000
"""Size that the file does not exceed; of large colour faces there are fewer."""

MAX_SIDE_PX = 64
"""Side to which larger faces are reduced."""


def write_proof_faces(folder: Path, samples: Samples, channels: int) -> None:
    """Keep faces of a training in its run folder.

    Args:
        folder: the run folder.
        samples: the rows to take faces from, evenly from the first to the last; at least one.
        channels: of the network's input; 1 keeps the faces in grey.

    Raises:
        SourceError, DatasetError: a picture in a file is damaged, refused or gone.
        OutputError: the file cannot be written.
    """
    n = min(PARITY_FACES, len(samples))
    rows = np.linspace(0, len(samples) - 1, n).round().astype(np.int64)
    # Reduced one by one, so that there is one large picture in memory at a time.
    images = [_reduced(samples.images[row], channels) for row in rows.tolist()]
    side = int(np.median([max(image.shape[:2]) for image in images]))
    # The values are whole, so uint8 loses nothing.
    faces = to_network_input(images, InputSpec(side, side, channels)).astype(np.uint8)
    content = _png(faces)
    while len(content) > MAX_BYTES:
        faces = faces[: min(len(faces) - 1, len(faces) * MAX_BYTES // len(content))]
        content = _png(faces)
    with atomic_file(folder / FACES) as temporary:
        temporary.write_bytes(content)


def read_proof_faces(folder: Path) -> list[Image]:
    """The faces that a run keeps.

    Returns:
        At least one, uint8 (side, side) grey or (side, side, 3) RGB each.

    Raises:
        TrainingError: there are none, as in runs of earlier versions, or the file is damaged.
    """
    path = folder / FACES
    otherwise = "name labelled faces to prove the export on: --data SRC"
    if not path.is_file():
        raise TrainingError(f"{folder} keeps no {FACES}; {otherwise}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TrainingError(f"{path} is larger than what mien writes; {otherwise}")
        strip = read_tile(
            path.read_bytes(), name=str(path), max_pixels=PARITY_FACES * MAX_SIDE_PX**2
        )
    except (OSError, SourceError) as error:
        raise TrainingError(f"{path} cannot be read; {otherwise}") from error
    height, side = strip.shape[:2]
    if height % side:
        raise TrainingError(f"{path} is no column of square faces; {otherwise}")
    return list(strip.reshape(height // side, side, *strip.shape[1:]))


def run_of(model: Path) -> Path | None:
    """The run folder that a network belongs to; None where it is a file of another origin.

    Args:
        model: a folder, or a Keras file.
    """
    if model.is_dir():
        return model
    is_of_run = model.name in (run_folder.BEST, run_folder.BEST_FERPLUS)
    return model.parent if is_of_run and (model.parent / run_folder.RECIPE).is_file() else None


def _reduced(image: Image, channels: int) -> Image:
    """A picture whose sides are `MAX_SIDE_PX` at most."""
    if max(image.shape[:2]) <= MAX_SIDE_PX:
        return image
    spec = InputSpec(MAX_SIDE_PX, MAX_SIDE_PX, channels)
    return np.asarray(to_network_input([image], spec)[0], np.uint8)


def _png(faces: NDArray[np.uint8]) -> bytes:
    """Faces (n, side, side, channels), one below the other, as a PNG file."""
    strip = faces.reshape(-1, *faces.shape[2:])
    stream = io.BytesIO()
    picture = PIL.Image.fromarray(strip[..., 0] if strip.shape[-1] == 1 else strip)
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
