"""Time of one face through every network of the zoo, and what else `mien models` lists.

    python benchmark/zoo_latency.py [NETWORK ...] [--threads 2]

New networks with random weights, which do not change the time, exported as any training exports
its network and run as mien runs it: ONNX Runtime, batch 1. Rounds go through all networks in
turn. The first figure is the median of the quietest round, which other work on the machine
disturbs least; the second is the median of all. The first, parameters, FLOPs and bytes belong in
src/mien/zoo/catalogue.py.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from mien import zoo
from mien.formats.bundle import to_bundle
from mien.labels import FER2013
from mien.model.card import ModelCard
from mien.recognition.classifier import Classifier
from mien.zoo.cost import flops

ROUNDS = 10
ROUND_S = 0.25


def export(name: str) -> tuple[bytes, int, int]:
    """ONNX file, parameters and FLOPs of a new network."""
    spec = zoo.ARCHITECTURES[name].default_input
    network = zoo.build(name, spec, len(FER2013))
    card = ModelCard(name, name, FER2013.keys, spec.shape, framing="fer2013")
    faces = np.random.default_rng(0).integers(0, 256, (2, *spec.shape), dtype=np.uint8)
    bundle = to_bundle(network, card, list(faces))[0]
    facts = bundle, network.count_params(), flops(network)
    keras.utils.clear_session()
    return facts


def round_ms(classifier: Classifier, face: np.ndarray) -> list[float]:
    """Milliseconds of each call in a quarter of a second, after two that do not count."""
    classifier.logits(face), classifier.logits(face)
    taken: list[float] = []
    while sum(taken) < 1e3 * ROUND_S or len(taken) < 5:
        start = time.perf_counter()
        classifier.logits(face)
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="*", default=list(zoo.ARCHITECTURES))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    print(f"{'':16s} parameters          FLOPs  ONNX bytes")
    classifiers = {}
    for name in arguments.network:
        bundle, parameters, operations = export(name)
        print(f"{name:16s} {parameters:10,d} {operations:14,d} {len(bundle):11,d}", flush=True)
        classifiers[name] = Classifier(bundle, threads=arguments.threads)

    random = np.random.default_rng(0)
    rounds: dict[str, list[list[float]]] = {name: [] for name in classifiers}
    for _ in range(ROUNDS):
        for name, classifier in classifiers.items():
            shape = (1, *classifier.card.input_shape)
            face = random.uniform(0, 255, shape).astype(np.float32)
            rounds[name].append(round_ms(classifier, face))

    print(f"\none face, {arguments.threads} threads   ms, quietest    ms, all")
    for name, taken in rounds.items():
        quiet = min(map(statistics.median, taken))
        overall = statistics.median(ms for times in taken for ms in times)
        print(f"{name:25s} {quiet:10.3f} {overall:10.3f}")


if __name__ == "__main__":
    main()
