"""Make ``fer2013.csv`` of the picture that `pack.py` made of it.

    python runs/unpack.py FOLDER

The folder has ``pixels.png`` and ``labels.csv``.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import PIL.Image

SIDE_PX = 48


def main(folder: Path) -> None:
    """Write the csv beside them."""
    PIL.Image.MAX_IMAGE_PIXELS = None  # our own file
    grid = np.asarray(PIL.Image.open(folder / "pixels.png"))
    columns = len(grid) // SIDE_PX
    faces = grid.reshape(columns, SIDE_PX, columns, SIDE_PX).transpose(0, 2, 1, 3)
    faces = faces.reshape(-1, SIDE_PX * SIDE_PX)
    digits = [str(value) for value in range(256)]
    with (
        (folder / "labels.csv").open(newline="", encoding="utf-8") as labels,
        (folder / "fer2013.csv").open("w", encoding="utf-8") as out,
    ):
        out.write("emotion,pixels,Usage\n")
        for row, pixels in zip(csv.DictReader(labels), faces, strict=False):
            values = " ".join(digits[value] for value in pixels.tolist())
            out.write(f"{row['emotion']},{values},{row['Usage']}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
