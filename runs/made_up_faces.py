"""Write 600 made-up faces in the three forms that `shipped.sh` takes, for its --smoke.

    python runs/made_up_faces.py FOLDER

A face is a disc whose pattern tells its class: stripes of two widths either way, checks of two
sizes, or nothing. Small networks learn that within seconds, whatever the augmentation does. One
face in ten is of a class other than its label says: a network that classifies every face right
has no best temperature, and cannot be calibrated.

It writes ``fer2013.csv`` (380 rows of Training, 220 of PublicTest), ``fer2013new.csv`` (ten votes
a row) and ``faces.zip`` (60 pictures without labels).
"""

import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import PIL.Image

SIDE_PX = 48
TRAINING, VALIDATION, UNLABELLED = 380, 220, 60
WRONG_SHARE = 0.1
VOTE_COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger"),
    *("disgust", "fear", "contempt", "unknown", "NF"),
)
COLUMN_OF_CLASS = (4, 5, 6, 1, 3, 2, 0)
"""Vote column of FER-2013's classes: angry, disgust, fear, happy, sad, surprise, neutral."""


def face(label: int, random: np.random.Generator) -> np.ndarray:
    """uint8 (48, 48) of a class from 0 to 6."""
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] + random.integers(0, 8, (2, 1, 1))
    stripes = (
        *(x % 4 < 2, x % 8 < 4, y % 4 < 2, y % 8 < 4),
        *((x % 4 < 2) ^ (y % 4 < 2), (x % 8 < 4) ^ (y % 8 < 4), x < 0),
    )
    picture = np.where(stripes[label], 180, 80) + random.normal(0, 10, x.shape)
    away = np.hypot(*(np.mgrid[0:SIDE_PX, 0:SIDE_PX] - (SIDE_PX - 1) / 2))
    return np.clip(np.where(away < 22, picture, 40), 0, 255).astype(np.uint8)


def main(folder: Path) -> None:
    """Write the three files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    usages = ["Training"] * TRAINING + ["PublicTest"] * VALIDATION
    rows, votes = ["emotion,pixels,Usage"], ["Usage,Image name," + ",".join(VOTE_COLUMNS)]
    for number, usage in enumerate(usages):
        label = number % 7
        wrong = random.random() < WRONG_SHARE
        shown = (label + random.integers(1, 7)) % 7 if wrong else label
        pixels = " ".join(map(str, face(shown, random).ravel().tolist()))
        rows.append(f"{label},{pixels},{usage}")
        counts = [0] * len(VOTE_COLUMNS)
        counts[COLUMN_OF_CLASS[label]] = 10
        votes.append(f"{usage},fer{number:07}.png," + ",".join(map(str, counts)))
    (folder / "fer2013.csv").write_text("\n".join(rows) + "\n")
    (folder / "fer2013new.csv").write_text("\n".join(votes) + "\n")
    with zipfile.ZipFile(folder / "faces.zip", "w") as archive:
        for number in range(UNLABELLED):
            stream = io.BytesIO()
            PIL.Image.fromarray(face(number % 7, random)).save(stream, "PNG")
            archive.writestr(f"faces/{number}.png", stream.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
