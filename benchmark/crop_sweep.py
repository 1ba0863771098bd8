"""Which square around a detector's box, and which turn, the network recognises best.

    python benchmark/crop_sweep.py fer2013.csv --condition=2,0,0 --condition=2,20,0
    python benchmark/crop_sweep.py fer2013.csv --condition=2,20,0 --half confirming

The pictures and the faces that count are those of chain.py. On PublicTest's rows without a
duplicate in Training, every second one (the choosing half) serves to choose a geometry; the rest
confirms it. Every other crop is compared with the one of the run time on the same faces: the
difference in accuracy with its 95 % interval, and in cross-entropy, which tells small changes apart
sooner.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from chain_costs import RESAMPLES, nearest
from composed_pictures import Condition, composed
from mien.data.duplicates import seen_duplicates
from mien.data.sources import read_samples
from mien.evaluation.compare import paired_interval
from mien.preprocessing import TURN_FROM_DEG, CropGeometry, crop_square
from mien.recognition.recognizer import Recognizer
from mien.samples import Split

SIDES = (0.92, 0.96, 1.0, 1.04, 1.08, 1.14)
"""Multiples of the stored side."""
SHIFTS = (-0.06, -0.04, -0.02, 0.02, 0.04)
"""Added to the stored shift_y."""
TURNS_FROM_DEG = (0.0, 3.0, 8.0, 360.0)
"""Smallest angles; 360: never."""
LEAST = 1e-9


def variants(stored: CropGeometry) -> Iterator[tuple[str, CropGeometry, float]]:
    """Name, geometry and smallest angle of each crop; the first is the run time's."""
    yield "run time", stored, TURN_FROM_DEG
    for factor in SIDES:
        side = round(factor * stored.side_per_width, 2)
        if side != stored.side_per_width:
            yield f"side {side:.2f}", replace(stored, side_per_width=side), TURN_FROM_DEG
    for more in SHIFTS:
        shift = round(stored.shift_y + more, 2)
        yield f"shift {shift:+.2f}", replace(stored, shift_y=shift), TURN_FROM_DEG
    for from_deg in TURNS_FROM_DEG if stored.landmarks else ():
        name = "never turned" if from_deg == 360 else f"turned from {from_deg:g}"
        yield name, stored, from_deg


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="fer2013.csv")
    parser.add_argument("--model", default="default", help="as mien recognize takes it")
    parser.add_argument("--detector", default="yunet", choices=("yunet", "haar"))
    parser.add_argument("--half", default="choosing", choices=("choosing", "confirming"))
    parser.add_argument("--condition", action="append", required=True, help="SCALE,ROLL,BLUR")
    parser.add_argument("--every", type=int, default=1, help="take every n-th row of the half")
    arguments = parser.parse_args()

    samples = read_samples(arguments.data)
    usable = (samples.splits == Split.VALIDATION.value) & ~seen_duplicates(samples)
    rows = np.flatnonzero(usable)[arguments.half == "confirming" :: 2][:: arguments.every]
    tiles = np.asarray(samples.images)[rows]
    cv2.setNumThreads(1)
    recognizer = Recognizer(arguments.model, arguments.detector, offline=True)
    card = recognizer.classifier.card
    of_card = np.array([card.labels.index(key) for key in samples.label_set.keys])
    classes = of_card[samples.labels[rows]]
    crops = list(variants(recognizer.geometry))
    for text in arguments.condition:
        condition = Condition(*map(float, text.split(",")))
        found, probabilities = [], []
        for row, (picture, place) in enumerate(composed(tiles, np.arange(len(rows)), condition)):
            faces = recognizer.detector.detect(picture)
            squares = [recognizer.geometry.square(face.box_xywh_px) for face in faces]
            best = nearest(squares, place.center_px, place.side_px)
            if best is None:
                continue
            face = faces[best]
            cut = [
                crop_square(
                    picture,
                    *geometry.square(face.box_xywh_px),
                    geometry.turn_deg(face.landmarks_px, from_deg=from_deg),
                )
                for _, geometry, from_deg in crops
            ]
            found.append(row)
            probabilities.append(recognizer.classifier.probabilities(cut))
        table = np.array(probabilities)  # (faces, variants, classes)
        truth = classes[found]
        right = table.argmax(axis=2) == truth[:, np.newaxis]
        entropy = -np.log(np.maximum(table[np.arange(len(found)), :, truth], LEAST))
        print(f"\n{arguments.detector}, {card.name}, {condition}, {arguments.half} half: ", end="")
        print(f"{len(found)} of {len(rows)} found")
        for index, (name, _, _) in enumerate(crops):
            accuracy, mean = 100 * right[:, index].mean(), entropy[:, index].mean()
            low, high = paired_interval(right[:, index], right[:, 0], RESAMPLES, 0)
            more = 100 * (right[:, index].mean() - right[:, 0].mean())
            print(
                f"  {name:14s} {accuracy:6.2f} {more:+6.2f} ({100 * low:+.1f} to {100 * high:+.1f})"
                f"  cross-entropy {mean:.4f} {mean - entropy[:, 0].mean():+.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
