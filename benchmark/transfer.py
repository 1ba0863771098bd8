"""How a model does on faces that FER-2013 does not show: other cameras, other people.

    python benchmark/transfer.py default mien-large --faces muxspace.zip --unlabelled fairface.zip

``--faces``: class folders of labelled faces of other cameras. Printed are the agreement with their
labels with its 95 % interval, and the mean of the classes' recalls, for classes that have faces.
``--unlabelled``: a folder or zip of faces. Printed are the share of each expression among the most
probable ones, the entropy of these shares in bits, the lowest share, and how often the confidence
is below 0.5; with ``--groups``, a csv with the columns ``file`` and ``group``, for each group.

Both sets are there to watch. Never train, or choose an epoch, on the labelled one.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data import read_samples
from mien.data.unlabelled import read_unlabelled
from mien.model.names import resolve_model
from mien.recognition.classifier import Classifier
from mien.samples import Image, Images
from mien.tta import averaged

BATCH = 256


def classified(classifier: Classifier, images: Images, mirror: bool) -> NDArray[np.float64]:
    """Probabilities of all pictures, (n, classes)."""

    def batches() -> Iterator[list[Image]]:
        for start in range(0, len(images), BATCH):
            yield [images[row] for row in range(start, min(start + BATCH, len(images)))]

    view = "flip" if mirror else "none"
    return np.concatenate([averaged(classifier.probabilities, part, view) for part in batches()])


def agreement(classifier: Classifier, source: Path, mirror: bool) -> tuple[float, float, int]:
    """Share of the faces whose most probable class is their label, mean recall, and faces."""
    samples = read_samples(source)
    known = {key: index for index, key in enumerate(classifier.label_set.keys)}
    labels = np.array([known.get(key, -1) for key in samples.label_set.keys])[samples.labels]
    right = classified(classifier, samples.images, mirror).argmax(axis=1) == labels
    recalls = [right[labels == label].mean() for label in np.unique(labels)]
    return float(right.mean()), float(np.mean(recalls)), len(labels)


def shares(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each class among the most probable ones, (classes,)."""
    classes = probabilities.shape[1]
    return np.bincount(probabilities.argmax(axis=1), minlength=classes) / len(probabilities)


def entropy_bits(distribution: NDArray[np.float64]) -> float:
    """Entropy of shares, in bits; at most log2 of the classes."""
    present = distribution[distribution > 0]
    return float(-(present * np.log2(present)).sum())


def groups_of(path: Path | None, names: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Rows of each group, and of all."""
    groups = {"all": np.arange(len(names))}
    if path is None:
        return groups
    with path.open(newline="", encoding="utf-8") as file:
        group_of = {Path(row["file"]).name: row["group"] for row in csv.DictReader(file)}
    each = np.array([group_of.get(Path(name).name, "") for name in names])
    return groups | {group: np.flatnonzero(each == group) for group in sorted(set(each) - {""})}


def main() -> None:
    """Print both tables, a row per model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--mirror", action="store_true", help="average with the mirror image")
    options = parser.parse_args()
    opened = {name: Classifier(resolve_model(name)) for name in options.models}
    if options.faces:
        print("| model | n | agreement % | mean recall % |\n|---|--:|--:|--:|")
        for name, classifier in opened.items():
            right, recall, n = agreement(classifier, options.faces, options.mirror)
            half = 196 * (right * (1 - right) / n) ** 0.5
            print(f"| `{name}` | {n:,} | {100 * right:.1f} +- {half:.1f} | {100 * recall:.1f} |")
    if options.unlabelled:
        found = read_unlabelled([options.unlabelled])
        for name, classifier in opened.items():
            probabilities = classified(classifier, found.images, options.mirror)
            keys = classifier.label_set.keys
            print(f"\n| `{name}`, % | n | {' | '.join(keys)} | entropy, bits | lowest | unsure |")
            print("|---|" + "--:|" * (len(keys) + 4))
            for group, rows in groups_of(options.groups, found.names).items():
                said = shares(probabilities[rows])
                unsure = (probabilities[rows].max(axis=1) < 0.5).mean()
                cells = " | ".join(f"{100 * share:.1f}" for share in said)
                lowest = keys[int(said.argmin())]
                print(
                    f"| {group} | {len(rows):,} | {cells} | {entropy_bits(said):.2f} | "
                    f"{lowest} {100 * said.min():.2f} | {100 * unsure:.0f} |"
                )


if __name__ == "__main__":
    main()
