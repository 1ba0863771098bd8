"""Measure how long drawing a result into a frame takes.

    python benchmark/overlay.py [--frames 500]

Prints median and 95th percentile for frames of several sizes with one face and with ten, whose
boxes and probabilities change from frame to frame. The baseline is what the usual loop draws, on
a copy of the frame too: ``cv2.rectangle`` and ``cv2.putText`` for each face, without a chart.
"""

import argparse
import time

import cv2
import numpy as np

from mien.drawing import Annotator
from mien.labels import FER2013
from mien.results import Expression, Face, FrameResult

CASES = ((640, 360, 1), (640, 360, 10), (1920, 1080, 1), (1920, 1080, 10), (3840, 2160, 1))


def main() -> None:
    """Measure both ways of drawing in turn; print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=500)
    arguments = parser.parse_args()
    print(f"{'frame':>10} {'faces':>5} {'':9} {'median ms':>9} {'p95 ms':>7}")
    for width, height, n_faces in CASES:
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        results = results_of(width, height, n_faces, arguments.frames)
        annotator = Annotator()
        ours, theirs = [], []
        for result in results:
            start = time.perf_counter()
            annotator.annotate(image, result)
            middle = time.perf_counter()
            draw_plainly(image, result)
            theirs.append(time.perf_counter() - middle)
            ours.append(middle - start)
        for name, times in (("mien", ours), ("OpenCV", theirs)):
            median, p95 = np.percentile(np.array(times) * 1000, (50, 95))
            print(f"{width:>5}x{height:<4} {n_faces:>5} {name:9} {median:9.3f} {p95:7.3f}")


def results_of(width: int, height: int, n_faces: int, n_frames: int) -> list[FrameResult]:
    """A video in which faces move a little and change their expressions slowly."""
    random = np.random.default_rng(1)
    columns = min(5, n_faces)
    side = height / 2 if n_faces == 1 else height / 6
    places = [
        ((0.2 + i % columns) * width / columns, (0.5 + i // columns) * height / 2.5)
        for i in range(n_faces)
    ]
    logits = random.normal(0, 1, (n_faces, len(FER2013)))
    results = []
    for number in range(n_frames):
        logits += random.normal(0, 0.1, logits.shape)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        shifts = random.normal(0, 1.5, (n_faces, 2)).tolist()
        faces = tuple(
            Face(
                (x + dx, y + dy, side, side),
                0.9,
                expression=Expression(FER2013, tuple(row)),
                track=i,
            )
            for i, ((x, y), (dx, dy), row) in enumerate(
                zip(places, shifts, shares.tolist(), strict=True), start=1
            )
        )
        results.append(FrameResult(width, height, "fixed", faces, "", number, number / 25))
    return results


def draw_plainly(image: np.ndarray, result: FrameResult) -> np.ndarray:
    """What the usual loop draws."""
    drawn = image.copy()
    for face in result.faces:
        x, y, width, height = (round(value) for value in face.box_xywh_px)
        cv2.rectangle(drawn, (x, y), (x + width, y + height), (0, 255, 0), 2)
        text = f"{face.expression.label.display_name} {face.expression.confidence:.2f}"
        cv2.putText(drawn, text, (x, y - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 255, 0), 2)
    return drawn


if __name__ == "__main__":
    main()
