"""ONNX bundle -> the same network in 8-bit integers: a quarter of the size, faster.

Static quantisation after training (Jacob et al., 2018, https://arxiv.org/abs/1712.05877) through
ONNX Runtime: weights per channel, activations in the ranges that real faces gave. Weights take 7
of their 8 bits, because processors without VNNI add pairs of products in 16 bits, which 8 would
overflow: so the file gives the same on all of them. It is kept only where labelled faces show that
accuracy does not fall by more than `LARGEST_LOSS_POINTS`, or than `LOST_BY_CHANCE`.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import CalibrationError, ModelError, ParityError, needs_extra
from mien.evaluation.calibration import calibrate_card
from mien.evaluation.predictions import Predictions
from mien.formats import graph_rewrites
from mien.formats.onnx_cards import with_card, with_runtime_golden
from mien.model.card import ModelCard
from mien.preprocessing import to_network_input
from mien.recognition.classifier import Classifier
from mien.samples import Samples

CALIBRATION_FACES = 1024
"""How many faces of the calibration samples set the ranges; spread evenly over them."""

LARGEST_LOSS_POINTS = 0.3
"""Largest fall of top-1 accuracy with which a quantised network is kept, in percentage points,
where nothing else is asked for."""

LOST_BY_CHANCE = 3
"""So many faces more may be wrong in any case: of 200, a single one is half a point."""

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised bundle and what it costs."""

    bundle: bytes
    """The ONNX file with its card, sealed."""
    card: ModelCard
    """The card inside."""
    accuracy_before: float
    """Top-1 accuracy of the float32 network on the check samples, in [0, 1]."""
    accuracy_after: float
    """Top-1 accuracy of the quantised network on them."""
    n: int
    """How many check samples there were."""
    reason: str = ""
    """Why the original's temperature was kept; empty where it was fitted anew."""


def to_int8(
    bundle: bytes,
    calibration: Samples,
    check: Samples,
    name: str | None = None,
    *,
    largest_loss_points: float = LARGEST_LOSS_POINTS,
) -> Quantised:
    """Quantise the network of a bundle.

    Args:
        bundle: an ONNX file with a card, float32.
        calibration: faces that set the ranges of the activations; their labels are not used.
        check: labelled faces that the two networks are compared on; where they are of a
            validation split, the temperature is fitted on them, if one can be.
        name: name of the quantised model; the original's with ``-int8`` where None.
        largest_loss_points: by how many percentage points accuracy may fall.

    Raises:
        ModelError: the bundle has no card or is quantised already, its classes are not those of
            the check samples, or there are no faces.
        ParityError: accuracy falls by more than that, and more than `LOST_BY_CHANCE`
            faces; the message says from what to what.
    """
    original = Classifier(bundle)
    card = original.card
    if card.precision != "float32":
        raise ModelError(f"{card.name} is in {card.precision} already; quantise its original")
    if not len(calibration) or not len(check):
        raise ModelError("a network is quantised on real faces, and none were given")
    shown = [check.label_set.keys[label] for label in np.unique(check.labels)]
    if not set(shown) <= set(card.labels):
        raise ModelError(
            f"the network's classes are {', '.join(card.labels)}, those of the faces are "
            f"{', '.join(check.label_set.keys)}"
        )
    # The scores were measured on the original.
    name = name or f"{card.name}-int8"
    unmeasured = replace(card, name=name, precision="int8", scores=(), golden=())
    graph = _quantised_graph(bundle, _batches(calibration, card))
    quantised = with_runtime_golden(graph, unmeasured)
    judged = _judged(Classifier(with_card(graph, quantised)), check)
    right = _judged(original, check).correct
    before, after = float(right.mean()), float(judged.correct.mean())
    n_lost = int(right.sum()) - int(judged.correct.sum())
    if 100 * (before - after) > largest_loss_points and n_lost > LOST_BY_CHANCE:
        raise ParityError(
            f"in 8-bit integers accuracy falls from {100 * before:.2f} % to {100 * after:.2f} % on "
            f"{len(check):,} faces, more than {largest_loss_points:.1f} points; nothing was written"
        )
    quantised, reason = _calibrated(quantised, judged, check)
    return Quantised(with_card(graph, quantised), quantised, before, after, len(check), reason)


def _batches(calibration: Samples, card: ModelCard) -> list[NDArray[np.float32]]:
    chosen = np.unique(np.linspace(0, len(calibration) - 1, CALIBRATION_FACES).astype(np.int64))
    return [
        to_network_input([calibration.images[index] for index in part], card.input)
        for part in np.array_split(chosen, max(1, len(chosen) // _BATCH))
    ]


def _quantised_graph(bundle: bytes, batches: Sequence[NDArray[np.float32]]) -> bytes:
    with needs_extra("train"):
        import onnx
        from onnxruntime.quantization import (
            CalibrationDataReader,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process
    input_name = onnx.load_model_from_string(bundle).graph.input[0].name

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The batches, once, as the quantiser asks for them."""

        def __init__(self) -> None:
            self._rest = iter(batches)

        def get_next(self) -> dict[str, Any] | None:
            """The next input by name, or None at the end."""
            batch = next(self._rest, None)
            return None if batch is None else {input_name: batch}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, prepared, made = (Path(folder, f"{name}.onnx") for name in "abc")
        source.write_bytes(bundle)
        try:
            # Symbolic shapes would need SymPy, and all shapes but the batch are known.
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            model = onnx.load(prepared)
            graph_rewrites.fold_pools(model.graph)
            graph_rewrites.scale_planes(model.graph)
            excluded = graph_rewrites.outer_layers(model.graph)
            onnx.save(model, prepared)  # with the names that these have now
            quantize_static(
                prepared,
                made,
                Reader(),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=excluded,
            )
        except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"the network has no form in 8-bit integers: {reason}") from error
        quantised = onnx.load(made)
        graph_rewrites.shorten_names(quantised.graph)
        return bytes(quantised.SerializeToString(deterministic=True))


def _judged(classifier: Classifier, check: Samples) -> Predictions:
    """What a network makes of the check samples, at its card's temperature."""
    classes = classifier.label_set
    index_of = [classes.index(k) if k in classes else -1 for k in check.label_set.keys]
    return Predictions(
        names=tuple(check.names),
        labels=np.array(index_of, np.int64)[check.labels],
        probabilities=classifier.probabilities(check.iter_images()),
        label_set=classes,
        split=_split_of(check),
        source=check.source,
    )


def _calibrated(card: ModelCard, judged: Predictions, check: Samples) -> tuple[ModelCard, str]:
    """The card with the temperature that the quantised network wants; or as it is, and why."""
    try:
        return calibrate_card(card, judged, check.sha256())[0], ""
    except CalibrationError as error:
        if card.calibration is None:
            return card, str(error)
        method = f"{card.calibration.method}; of the network before its quantisation"
        return replace(card, calibration=replace(card.calibration, method=method)), str(error)


def _split_of(check: Samples) -> str:
    splits = np.unique(check.splits)
    return str(splits[0]) if len(splits) == 1 else "mixed"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice, which it gives to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
