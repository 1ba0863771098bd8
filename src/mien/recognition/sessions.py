"""ONNX Runtime as everything here uses it: CPU kernels, few threads, and nothing of its own on
stdout or stderr. A session may be shared by threads.
"""

import os
from typing import Any

import onnxruntime
from onnxruntime import InferenceSession as Session

__all__ = ["Session", "open_session"]

_ERRORS_ONLY = 3


def open_session(
    content: bytes, *, threads: int | None = None, sizes_vary: bool = False
) -> Session:
    """Load a network.

    Args:
        content: an ONNX file.
        threads: processor threads for one run; 2, or 1 where this process may use a single
            processor, where None.
        sizes_vary: inputs have many sizes, as pictures do; then ONNX Runtime plans its memory
            for none of them, which it would keep for ever.

    Raises:
        ValueError: it is no working network; the reason, on one line.
    """
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    options: Any = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or min(2, _processors())
    options.enable_mem_pattern = not sizes_vary
    # Threads that spin while they wait take the processor from whatever else runs: beside other
    # work on 2 cores, detector and classifier took 8.9 ms of it a frame, and 4.7 with this.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # Falling back to the same kernels would only print that it does.
        return Session(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors have no narrower common base
        raise ValueError(str(error).split("\n")[0].strip() or type(error).__name__) from error


def shrinking() -> Any:
    """`onnxruntime.RunOptions` of a run after which a session gives back memory that it does not
    need; see ``memory.enable_memory_arena_shrinkage`` in ONNX Runtime's
    onnxruntime_run_options_config_keys.h."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _processors() -> int:
    """Processors that this process may use: fewer than there are, if it was confined."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
