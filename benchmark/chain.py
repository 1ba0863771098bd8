"""What detecting and cropping cost in accuracy, against tiles that are faces already.

    python benchmark/chain.py fer2013.csv --rows 1200
    python benchmark/chain.py fer2013.csv --condition 2,0,0

PublicTest's tiles are laid into pictures of 320 x 320 (see composed_pictures.py), at a scale, an
angle and a blur, and go through mien's `Recognizer`: detector, crop, network. So every step is
measured on the same face: the bare tile; the true crop of the picture, which shows what scaling,
turning and blurring cost; the detector's crop; and, end to end, with a face that was not found
counting as wrong. YuNet must be in the cache: mien fetch yunet.

The pictures depend on the row and the seed alone. --rows takes that many, evenly spaced.
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from chain_costs import Bools, Outcomes, costs, nearest
from composed_pictures import Condition, Place, composed
from mien.data.duplicates import seen_duplicates
from mien.data.sources import read_samples
from mien.preprocessing import crop_square
from mien.recognition.recognizer import Recognizer
from mien.samples import Image, Split

BATCH = 64
CONDITIONS = (
    *(Condition(scale) for scale in (1.0, 2.0, 3.0, 4.0)),
    *(Condition(2.0, roll) for roll in (-30.0, -20.0, -10.0, 10.0, 20.0, 30.0)),
    *(Condition(4.0, roll) for roll in (-30.0, 20.0)),
    *(Condition(2.0, 0.0, blur) for blur in (0.5, 1.0)),
)


class Chain:
    """One recogniser, measured on rows of a data set.

    Args:
        recognizer: what is measured.
        tiles: uint8 (n, side, side).
        classes: per row the class, as the model's card numbers it, (n,).
    """

    def __init__(
        self, recognizer: Recognizer, tiles: NDArray[np.uint8], classes: NDArray[np.int64]
    ) -> None:
        self.recognizer = recognizer
        self.tiles = tiles
        self.classes = classes
        self.bare = self.right(list(tiles), np.arange(len(tiles)))
        """Whether the network names the class of each bare tile, (n,)."""

    def right(self, crops: list[Image], rows: NDArray[np.int64]) -> Bools:
        """Whether the network names the class of each crop's row."""
        probabilities = self.recognizer.classifier.probabilities(crops)
        return np.asarray(probabilities.argmax(axis=1) == self.classes[rows])

    def measure(self, rows: NDArray[np.int64], condition: Condition, seed: int = 0) -> Outcomes:
        """What becomes of the rows under a condition."""
        pictures = composed(self.tiles, rows, condition, seed)
        parts = [
            self._measure(rows[start : start + BATCH], islice(pictures, BATCH))
            for start in range(0, len(rows), BATCH)
        ]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Outcomes(self.bare[rows], *columns)

    def _measure(
        self, rows: NDArray[np.int64], pictures: Iterator[tuple[Image, Place]]
    ) -> tuple[NDArray[Any], ...]:
        """The outcomes after the bare tile, in their order."""
        geometry = self.recognizer.geometry
        upright, level, unturned, crops = [], [], [], []
        found, turned = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
        false_faces = np.zeros(len(rows), np.int64)
        for index, (picture, place) in enumerate(pictures):
            upright.append(crop_square(picture, *place.square).copy())
            if place.roll_deg:
                level.append(crop_square(picture, *place.square, place.roll_deg))
            faces, cut = self.recognizer.find(picture)
            squares = [geometry.square(face.box_xywh_px) for face in faces]
            best = nearest(squares, place.center_px, place.side_px)
            false_faces[index] = len(faces) - (best is not None)
            if best is None:
                continue
            found[index] = True
            crops.append(cut[best].copy())
            if geometry.turn_deg(faces[best].landmarks_px):
                turned[index] = True
                unturned.append(crop_square(picture, *squares[best]).copy())
        true_crop = self.right(upright, rows)
        chain = np.zeros_like(found)
        chain[found] = self.right(crops, rows[found])
        without = chain.copy()
        without[turned] = self.right(unturned, rows[turned])
        true_turned = self.right(level, rows) if level else true_crop
        return true_crop, true_turned, found, without, chain, false_faces


def line(condition: Condition, outcomes: Outcomes) -> str:
    """One condition as a line of the table."""
    o = outcomes
    shares = [o.bare, o.true_crop, o.true_turned]
    percent = [100 * float(part.mean()) for part in shares]
    percent += [100 * float(part[o.found].mean()) for part in (o.bare, o.unturned, o.chain)]
    percent += [100 * float(o.found.mean()), 100 * float((o.false_faces > 0).mean())]
    percent.append(100 * float(o.chain.mean()))
    numbers = " ".join(f"{value:6.1f}" for value in percent)
    lost = "  ".join(f"{value!s:22s}" for value in costs(o).values())
    return f"{condition!s:24s} {len(o):5d} {numbers}  {lost}"


def header() -> str:
    """The table's first line."""
    names = ("bare", "true", "turned", "bare|f", "unturn", "crop|f", "found", "false", "end")
    lost = "  ".join(f"{name:22s}" for name in ("transform", "not found", "crop", "total"))
    return f"{'condition':24s} {'rows':>5s} " + " ".join(f"{n:>6s}" for n in names) + f"  {lost}"


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="fer2013.csv")
    parser.add_argument("--model", default="default", help="as mien recognize takes it")
    parser.add_argument("--detector", action="append", choices=("yunet", "haar"))
    parser.add_argument("--rows", type=int, help="evenly spaced rows; all where not given")
    parser.add_argument("--condition", action="append", help="SCALE,ROLL,BLUR; all by default")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    conditions = [
        Condition(*map(float, text.split(","))) for text in arguments.condition or ()
    ] or CONDITIONS

    samples = read_samples(arguments.data)
    rows = np.flatnonzero(samples.splits == Split.VALIDATION.value)
    duplicates = seen_duplicates(samples)[rows]
    tiles = np.asarray(samples.images)[rows]
    if arguments.rows:
        chosen = np.linspace(0, len(rows), min(arguments.rows, len(rows)), endpoint=False)
        positions = chosen.astype(np.int64)
    else:
        positions = np.arange(len(rows))
    cv2.setNumThreads(1)
    print(
        "accuracy in %: of bare tiles; of true crops, upright and turned; where found (|f): bare,"
    )
    print("the detector's crop without and with turning; shares found and with a false face; end")
    print("to end. Then what each step costs, in points.")
    for name in arguments.detector or ("yunet", "haar"):
        recognizer = Recognizer(arguments.model, name, offline=True)
        card = recognizer.classifier.card
        of_card = np.array([card.labels.index(key) for key in samples.label_set.keys])
        chain = Chain(recognizer, tiles, of_card[samples.labels[rows]])
        print(f"\n{name}, {card.name}\n{header()}")
        for condition in conditions:
            outcomes = chain.measure(positions, condition, arguments.seed)
            print(line(condition, outcomes))
            unseen = ~duplicates[positions]
            print(line(condition, outcomes.take(unseen)), " no duplicate", flush=True)


if __name__ == "__main__":
    main()
