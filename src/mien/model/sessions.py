"""ONNX Runtime as everything here uses it: CPU kernels if nothing else is asked for, few threads,
and nothing of its own on stdout or stderr. A session may be shared by threads.
"""

import os
from typing import Any, Literal, get_args

import onnxruntime
from onnxruntime import InferenceSession as Session

from mien.errors import MissingExtraError

__all__ = ["EXECUTION_PROVIDERS", "ExecutionProvider", "Session", "open_session"]

ExecutionProvider = Literal[
    "cpu", "cuda", "tensorrt", "migraphx", "directml", "coreml", "openvino", "qnn"
]
"""What computes a network, as ONNX Runtime calls it."""
EXECUTION_PROVIDERS: tuple[ExecutionProvider, ...] = get_args(ExecutionProvider)
"""The values of `ExecutionProvider`."""

VIDEO_THREADS = 1
"""Processor threads of detector and classifier for one frame: while it is recognised, others are
read and written."""

_ERRORS_ONLY, _FATAL_ONLY = 3, 4
_NAMES: dict[ExecutionProvider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "qnn": "QNNExecutionProvider",
}
_PACKAGES: dict[ExecutionProvider, str] = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    "migraphx": "onnxruntime-migraphx",
    "directml": "onnxruntime-directml",
    "openvino": "onnxruntime-openvino",
    "qnn": "onnxruntime-qnn",
}
_OPTIONS: dict[ExecutionProvider, dict[str, str]] = {
    # TF32 has 10 bits of mantissa, which is too coarse for the card's golden outputs; and trying
    # every algorithm takes seconds for each new size of picture.
    "cuda": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
}


def open_session(
    content: bytes,
    *,
    threads: int | None = None,
    sizes_vary: bool = False,
    provider: ExecutionProvider = "cpu",
) -> Session:
    """Load a network.

    Args:
        content: an ONNX file.
        threads: processor threads for one run; 2, or 1 where this process may use a single
            processor, where None.
        sizes_vary: inputs have many sizes, as pictures do; then ONNX Runtime plans its memory
            for none of them, which it would keep for ever.
        provider: what computes it; the processor computes what that cannot.

    Raises:
        ValueError: it is no working network, or does not run there; the reason, on one line.
        MissingExtraError: the installed ONNX Runtime does not have that provider.
    """
    check_provider(provider)
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    options: Any = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Why a provider does not start is an exception here, or is told below.
    options.log_severity_level = _ERRORS_ONLY if provider == "cpu" else _FATAL_ONLY
    options.intra_op_num_threads = threads or min(2, _processors())
    options.enable_mem_pattern = not sizes_vary
    # Threads that spin while they wait take the processor from whatever else runs: beside other
    # work on 2 cores, detector and classifier took 8.9 ms of it a frame, and 4.7 with this.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # Falling back to the same kernels would only print that it does.
        session = Session(content, options, providers=_providers(provider), enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors have no narrower common base
        raise ValueError(str(error).split("\n")[0].strip() or type(error).__name__) from error
    # Where a driver or a library of it is missing, ONNX Runtime goes on without a word.
    if _NAMES[provider] not in session.get_providers():
        raise ValueError(
            f"{provider} does not start on this machine: its driver or libraries are missing or "
            "of another version"
        )
    return session


def check_provider(provider: str) -> None:
    """Refuse a provider that the installed ONNX Runtime does not have.

    Raises:
        ValueError: there is none of that name.
        MissingExtraError: it is not installed.
    """
    if provider not in EXECUTION_PROVIDERS:
        known = ", ".join(EXECUTION_PROVIDERS)
        raise ValueError(f"expected an execution provider of {known}, got {provider!r}")
    there = onnxruntime.get_available_providers()
    if _NAMES[provider] in there:
        return
    here = ", ".join(name for name in EXECUTION_PROVIDERS if _NAMES[name] in there)
    package = _PACKAGES.get(provider)
    remedy = (
        f"install {package} in place of onnxruntime"
        if package
        else "it comes with ONNX Runtime on the systems that have it"
    )
    raise MissingExtraError(
        f"the installed ONNX Runtime cannot compute with {provider}, only with: {here}; {remedy}"
    )


def _providers(provider: ExecutionProvider) -> list[Any]:
    first = (_NAMES[provider], _OPTIONS.get(provider, {}))
    return ["CPUExecutionProvider"] if provider == "cpu" else [first, "CPUExecutionProvider"]


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
