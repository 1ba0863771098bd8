"""Keras, imported without what its backend prints meanwhile."""

import atexit
import gc
import os
import sys
from contextlib import suppress

from mien.errors import needs_extra


def load_keras_quietly(backend: str | None = None) -> None:
    """Import Keras and its backend without TensorFlow's notes about kernels.

    TensorFlow writes them to the file descriptor before its log level counts, so that is turned
    away during the import; Python's own errors are raised as ever.

    Args:
        backend: the one to take where Keras is not loaded yet and ``KERAS_BACKEND`` names none.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if backend is not None and "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", backend)
    extra = "jax" if os.environ.get("KERAS_BACKEND") == "jax" else "train"
    # A failed training leaves iterators in cycles; freed after Python, they complain on stderr.
    atexit.register(gc.collect)
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with needs_extra(extra):
            import keras  # noqa: F401
        if backend == "jax":
            # Keras would import it later, for TensorBoard's files, and let it speak then.
            with suppress(ImportError):
                import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
