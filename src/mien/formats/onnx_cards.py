"""Cards and golden outputs into ONNX files, whatever made their graphs; needs no Keras."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import needs_extra
from mien.files import atomic_file
from mien.model.card import METADATA_KEY, ModelCard, golden_inputs
from mien.model.network import softmax
from mien.model.seal import SEAL_KEY, UNSEALED, seal


def with_card(bundle: bytes, card: ModelCard) -> bytes:
    """A copy of an ONNX file with another card, sealed; the graph stays as it is."""
    with needs_extra("train"):
        import onnx
    model = onnx.load_model_from_string(bundle)
    del model.metadata_props[:]
    for key, value in ((METADATA_KEY, card.to_json()), (SEAL_KEY, UNSEALED)):
        model.metadata_props.add(key=key, value=value)
    return seal(model.SerializeToString(deterministic=True))


def with_runtime_golden(graph: bytes, card: ModelCard) -> ModelCard:
    """A card with what ONNX Runtime gives for the golden inputs, for graphs that no Keras network
    is equal to.

    Args:
        graph: an ONNX file of one input and one output, with or without a card.
        card: the card to complete.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        graph, providers=["CPUExecutionProvider"], enable_fallback=0
    )
    inputs = golden_inputs(card.input).astype(np.float32)
    logits = np.asarray(session.run(None, {session.get_inputs()[0].name: inputs})[0])
    return replace(card, golden=golden_rows(softmax(logits)))


def golden_rows(probabilities: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Probabilities (n, classes) as a card holds them, rounded to 7 decimals."""
    return tuple(tuple(round(p, 7) for p in row) for row in probabilities.tolist())


def write_bundle(bundle: bytes, out: Path) -> Path:
    """Write a bundle atomically.

    Raises:
        OutputError: the file cannot be written; an older one is still there.
    """
    with atomic_file(out) as temporary:
        temporary.write_bytes(bundle)
    return out
