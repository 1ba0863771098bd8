"""Time of one face through the default network: ONNX Runtime against Keras, in one run.

    python benchmark/network_latency.py [MODEL] [--threads 2]

The same network in three ways, batch 1: ONNX Runtime as mien runs it, Keras's ``model(x)``, and
``model.predict``, which most code of this field calls per face. Rounds alternate, so that a
disturbance of the machine hits all three alike; the median and the 95th percentile count.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from mien import zoo
from mien.model.names import resolve_model
from mien.recognition.classifier import Classifier

ROUNDS = 30


def times_ms(call: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of each call, after two that do not count."""
    call(), call()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - start))
    return taken


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    path = resolve_model(arguments.model)
    classifier = Classifier(path, threads=arguments.threads)
    card = classifier.card
    # The weights do not change the time: a new network of the same architecture stands in.
    network = zoo.build(
        card.architecture,
        card.input,
        len(card.labels),
        **card.recipe.get("architecture_options", {}),
    )
    face = np.random.default_rng(0).uniform(0, 255, (1, *card.input_shape)).astype(np.float32)
    tensor = keras.ops.convert_to_tensor(face)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "ONNX Runtime": (lambda: classifier.logits(face), 100),
        "model(x)": (lambda: keras.ops.convert_to_numpy(network(tensor, training=False)), 10),
        "model.predict": (lambda: network.predict(face, verbose=0), 3),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (call, repeats) in ways.items():
            taken[name] += times_ms(call, repeats)

    ours = statistics.median(taken["ONNX Runtime"])
    print(f"{path.name}: {network.count_params():,} parameters, {path.stat().st_size:,} bytes")
    print(f"one face, {arguments.threads} threads     median ms   p95 ms   ratio to ONNX Runtime")
    for name, values in taken.items():
        median, p95 = statistics.median(values), np.percentile(values, 95)
        print(f"{name:24s} {median:10.3f} {p95:8.3f} {median / ours:10.1f}")


if __name__ == "__main__":
    main()
