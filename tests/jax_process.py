"""One process with Keras on JAX, for the tests that need that backend beside TensorFlow's.

Keras takes its backend as it is imported, so JAX needs a process; starting one for each test
would cost seconds each. Functions are sent to it by their names and must not rely on what is
imported here; what they raise is raised here.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

ENVIRONMENT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    # What is compiled runs for a second or two.
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
    # Four devices, for the trainings that are spread over several; others use the first alone.
    # On a busy machine they wait for each other for longer than XLA would let them.
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_force_host_platform_device_count=4 "
    "--xla_cpu_collective_call_terminate_timeout_seconds=900",
}

Run = Callable[..., Any]
"""``run(function, *arguments)``: what the function returns in the other process."""


@contextmanager
def jax_process() -> Iterator[Run]:
    """Start the process; it ends with the block."""
    with ProcessPoolExecutor(1, get_context("spawn"), _begin) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


def _begin() -> None:
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    os.environ.update(ENVIRONMENT)
    import keras

    assert keras.backend.backend() == "jax"


def _end_with_the_tests() -> None:
    """End also where the tests were killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
