"""How long reading and auditing a FER-2013 csv takes, beside Python's own ``int()``.

    python benchmark/data_reading.py fer2013.csv [--ferplus fer2013new.csv]

The baselines decode the first rows of the same file in the same run and are extrapolated to all
of them: ``int()`` for each value, and numpy's ``fromstring``. The cache used is a temporary one.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

BASELINE_ROWS = 2000


def seconds(function: Callable[[], object], repeats: int = 1) -> float:
    """Median wall-clock seconds of calling a function."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def baseline(csv: Path, decode: Callable[[str], object]) -> float:
    """Seconds a row of splitting lines and decoding their pixels one row at a time."""

    def read() -> int:
        with open(csv) as file:
            next(file)
            return len([decode(line.split(",")[1]) for line in islice(file, BASELINE_ROWS)])

    start = time.perf_counter()
    rows = read()
    return (time.perf_counter() - start) / rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--ferplus", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)

    from mien.data import read_samples
    from mien.data.audit import audit

    arguments.csv.read_bytes()  # from here on, the file is in the system's memory
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MIEN_CACHE"] = cache
        first = seconds(lambda: read_samples(arguments.csv))
        cached = seconds(lambda: read_samples(arguments.csv), arguments.repeats)
        samples = read_samples(arguments.csv, ferplus=arguments.ferplus)
        without = seconds(lambda: read_samples(arguments.csv, use_cache=False), arguments.repeats)
        audited = seconds(lambda: audit(samples))
    rows = len(samples)
    python = rows * baseline(arguments.csv, lambda text: [int(word) for word in text.split()])
    numpy = rows * baseline(arguments.csv, lambda text: np.fromstring(text, np.uint8, sep=" "))
    print(f"{rows:,} rows, {arguments.csv.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} cores")
    for what, value in (
        ("int() for each value, extrapolated", python),
        ("numpy.fromstring, extrapolated", numpy),
        ("mien, no cache", without),
        ("mien, first time, writing the cache", first),
        ("mien, from the cache", cached),
        ("mien, audit after reading", audited),
    ):
        ratio = "" if "audit" in what else f"{python / value:8.1f} x as fast as int()"
        print(f"{what:38}{value:8.2f} s{ratio}")


if __name__ == "__main__":
    main()
