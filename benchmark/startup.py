"""Measure how long whole processes take, from the start to the last line.

    python benchmark/startup.py photo.jpg [--model FILE] [--repeats 10]

Prints the median and the fastest wall time of ``mien --help``, ``import mien`` and
``mien recognize`` of one photo, each in a fresh process with warm file caches.
"""

import argparse
import statistics
import subprocess
import sys
import time

RUN = "from mien.cli.app import main; main()"


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photo")
    parser.add_argument("--model", default="default")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    recognize = ["recognize", arguments.photo, "--json", "--offline"]
    recognize += ["--model", arguments.model, "--detector", arguments.detector]
    processes = {
        "python": ["-c", "pass"],
        "import mien": ["-c", "import mien"],
        "mien --help": ["-c", RUN, "--help"],
        "mien recognize PHOTO": ["-c", RUN, *recognize],
    }
    for name, process in processes.items():
        times_s = []
        for _ in range(arguments.repeats + 1):
            start = time.perf_counter()
            subprocess.run([sys.executable, *process], check=True, capture_output=True)
            times_s.append(time.perf_counter() - start)
        warm = times_s[1:]  # the first one filled the file caches
        print(f"{name:22} median {statistics.median(warm):.3f} s, fastest {min(warm):.3f} s")


if __name__ == "__main__":
    main()
