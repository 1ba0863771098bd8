"""Keras network -> ONNX bundle, with its card inside and parity proven.

The one place that knows how Keras becomes ONNX: `keras.Model.export`, which goes through
tf2onnx, so it needs the TensorFlow backend. A bundle is made only if, loaded as a user's program
loads it, it gives the probabilities that Keras gives, on golden inputs and on real faces.
"""

import gc
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, ParityError, needs_extra
from mien.formats.activations import batch_faces
from mien.formats.graph_rewrites import renumber, spell_out_erfc
from mien.formats.onnx_cards import golden_rows, with_card
from mien.formats.reasons import reason_of
from mien.model.card import ModelCard, golden_inputs
from mien.model.network import softmax
from mien.preprocessing import to_network_input
from mien.recognition.classifier import Classifier
from mien.samples import Image

PARITY_TOLERANCE = 1e-4
"""Largest allowed difference of a probability between Keras and ONNX Runtime on real faces."""

PARITY_FACES = 256
"""How many real faces are compared."""

_OPSET = 17
_WEIGHT_COPIES = 20
"""Copies of the weights that TensorFlow and tf2onnx hold at once: 21 to 23 in networks of 20 to 196
million parameters, their own included."""
_COPIES = "TF2ONNX_CATCH_ERRORS"
"""Variable of the environment by which tf2onnx is told whether its passes work on copies."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the two networks are apart."""

    faces: int
    """Real faces that were compared."""
    largest_difference: float
    """Largest difference of any probability."""


def can_export() -> bool:
    """Whether the active Keras backend can export to ONNX."""
    return str(keras.backend.backend()) == "tensorflow"


def to_bundle(
    network: keras.Model, card: ModelCard, faces: Sequence[Image]
) -> tuple[bytes, Parity]:
    """Convert a network to ONNX with its card inside, and prove that both agree.

    Args:
        network: float32 (n, h, w, c) in 0..255 -> logits (n, classes).
        card: the card; its golden outputs are filled in here.
        faces: real faces, at least one; only the first `PARITY_FACES` are used.

    Returns:
        The bundle and the proof.

    Raises:
        ModelError: no faces were given, the active backend cannot export, the network has no ONNX
            form, or the machine too little memory to make it.
        ParityError: the largest difference of probabilities exceeds `PARITY_TOLERANCE`, or rounding
            alone makes one.
    """
    if not len(faces):
        raise ModelError("an export is proven on real faces, and none were given")
    _check_memory(network)
    card = with_golden(network, card)
    bundle = with_card(_to_onnx(network), card)
    inputs = to_network_input(faces[:PARITY_FACES], card.input)
    try:
        exported = Classifier(bundle).logits(inputs)
    except ModelError as error:
        reason = _instability(network, card) or f"the exported network cannot be used: {error}"
        raise ParityError(reason) from error
    return bundle, compared(exported, logits_of(network, inputs))


def compared(exported: NDArray[np.float32], original: NDArray[np.float32]) -> Parity:
    """Compare the logits (n, classes) that an exported network and its original give.

    Raises:
        ParityError: the largest difference of probabilities exceeds `PARITY_TOLERANCE`.
    """
    largest = float(np.abs(softmax(exported) - softmax(original)).max())
    if not largest <= PARITY_TOLERANCE:
        raise ParityError(
            f"the exported network's probabilities differ by up to {largest:.1e} on real faces, "
            f"more than {PARITY_TOLERANCE:.0e}; nothing was written"
        )
    return Parity(len(original), largest)


def _check_memory(network: keras.Model) -> None:
    """Refuse what would fill all memory, for then the system ends the program without a word."""
    needed = _WEIGHT_COPIES * 4 * network.count_params()
    free = free_memory_bytes()
    if free is not None and needed > free:
        raise ModelError(
            f"{network.name} needs more memory: converting its "
            f"{network.count_params() / 1e6:.0f} million parameters takes about "
            f"{needed / 1e9:.0f} GB, and {free / 1e9:.0f} are free on this machine"
        )


def free_memory_bytes() -> int | None:
    """Memory that programs can have, swap included; None where the system does not tell. Limits of
    containers are not looked at."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        kilobytes = {name: int(rest.split()[0]) for name, rest in (x.split(":") for x in lines)}
        return 1024 * (kilobytes["MemAvailable"] + kilobytes["SwapFree"])
    except (OSError, ValueError, LookupError):
        return None


def _instability(network: keras.Model, card: ModelCard) -> str:
    """Why no form of this network can agree with it, where Keras does not agree with itself: deep
    networks that were hardly trained may blow rounding up. Empty where it does."""
    inputs = golden_inputs(card.input).astype(np.float32)
    alone = np.concatenate([logits_of(network, row[np.newaxis]) for row in inputs])
    largest = float(np.abs(softmax(alone) - softmax(logits_of(network, inputs))).max())
    if largest <= PARITY_TOLERANCE:
        return ""
    return (
        f"{network.name} cannot be proven in another format: rounding, or the pictures beside it, "
        f"change what it says of a picture by up to {largest:.1e}; it may need more training"
    )


def with_golden(network: keras.Model, card: ModelCard) -> ModelCard:
    """A card with what the network gives for the golden inputs.

    Raises:
        ModelError: that is no number.
    """
    logits = logits_of(network, golden_inputs(card.input).astype(np.float32))
    with np.errstate(all="ignore"):
        golden = softmax(logits)
    if not np.isfinite(golden).all():
        raise ModelError(
            f"{network.name} gives no numbers: its training has diverged; train it again with a "
            "lower learning rate or clip_norm"
        )
    return replace(card, golden=golden_rows(golden))


def _to_onnx(network: keras.Model) -> bytes:
    if not can_export():
        raise ModelError(
            f"the {keras.backend.backend()} backend does not export to ONNX; "
            "run: KERAS_BACKEND=tensorflow mien export RUN"
        )
    with needs_extra("train"):
        import onnx
        import tensorflow  # noqa: F401
        import tf2onnx  # noqa: F401
    network(np.zeros((1, *network.input_shape[1:]), np.float32))  # export wants a called network
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        without_xla(),
        weights_once(),
    ):
        warnings.simplefilter("ignore")  # tf2onnx's, about NumPy 2
        # Its errors are of operations that are put right below, or that the proof finds.
        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
        path = os.path.join(folder, "network.onnx")
        try:
            _export(network, path)
        except MemoryError:
            raise
        except Exception as error:  # those of Keras, TensorFlow and tf2onnx have no common base
            raise ModelError(f"{network.name} has no ONNX form: {reason_of(error)}") from error
        model = onnx.load(path)
    # Graphs refer to themselves, so each would stay, weights included, until Python looks for such.
    gc.collect()
    _store_constants(model.graph, network)
    spell_out_erfc(model.graph)
    renumber(model.graph)
    return bytes(model.SerializeToString())


def _export(network: keras.Model, path: str) -> None:
    """Let tf2onnx convert a network; its passes change one graph, or copies where one fails.

    With copies, which is its default, it leaves out passes that fail. But it copies all weights
    before each of some 50 passes: 2.3 GB more for ResNet-50.
    """
    before = os.environ.get(_COPIES)
    os.environ[_COPIES] = "FALSE"
    try:
        network.export(path, format="onnx", opset_version=_OPSET, verbose=False)
    except MemoryError:
        raise
    except Exception:
        # Not "TRUE": whatever it is, tf2onnx 1.17 takes it for FALSE.
        os.environ.pop(_COPIES)
        network.export(path, format="onnx", opset_version=_OPSET, verbose=False)
    finally:
        os.environ.pop(_COPIES, None)
        if before is not None:
            os.environ[_COPIES] = before


@contextmanager
def without_xla() -> Iterator[None]:
    """Let Keras write grouped convolutions as TensorFlow's operation, not as a compiled function.

    It compiles them because TensorFlow has no kernel for them on a processor. A graph that is
    only converted needs none, and the converters know the operation alone.
    """
    import tensorflow

    function = tensorflow.function

    def uncompiled(*args: Any, **settings: Any) -> Any:
        if settings == {"jit_compile": True} and not args:
            return lambda traced: traced
        return function(*args, **settings)

    tensorflow.function = uncompiled
    try:
        yield
    finally:
        tensorflow.function = function


@contextmanager
def weights_once() -> Iterator[None]:
    """Let tf2onnx write a weight into its node once, not after each of its passes.

    A node keeps the memory of all that was ever written into it, as protobuf has it; some 45 times
    the size of the network.
    """
    from tf2onnx.graph import Node

    write = Node.update_proto

    def write_once(node: Any, external_tensor_storage: Any = None) -> None:
        value = node.attr.get("value") if node.is_const() else None
        if value is None or external_tensor_storage is not None:
            write(node, external_tensor_storage)
        elif (written := (value, *node.output)) != getattr(node, "_mien_written", None):
            write(node)
            node._mien_written = written

    Node.update_proto = write_once
    try:
        yield
    finally:
        Node.update_proto = write


def _store_constants(graph: Any, network: keras.Model) -> None:
    """Put what layers hold outside of their weights (the means of a Normalization) into a graph.

    tf2onnx makes inputs of such tensors, called as TensorFlow calls them where it traces the
    network.
    """
    missing = {value.name for value in graph.input[1:]}
    if not missing:
        return
    import tensorflow
    from onnx import numpy_helper

    traced = tensorflow.function(lambda x: network(x, training=False), autograph=False)
    shape = tensorflow.TensorSpec((None, *network.input_shape[1:]), tensorflow.float32)
    for outside, inside in traced.get_concrete_function(shape).graph.captures:
        if inside.name in missing:
            missing.remove(inside.name)
            graph.initializer.append(numpy_helper.from_array(outside.numpy(), inside.name))
    if missing:
        raise ModelError(
            f"{network.name} has no ONNX form: it computes with tensors that are no weights"
        )
    del graph.input[1:]


def logits_of(network: keras.Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a Keras network gives: float32 (n, h, w, c) in 0..255 -> float32 (n, classes).

    Faces go through in batches that fit into memory; n is at least 1.
    """
    at_once = batch_faces(network)
    parts = [
        network(inputs[start : start + at_once], training=False)
        for start in range(0, len(inputs), at_once)
    ]
    return np.concatenate(
        [np.asarray(keras.ops.convert_to_numpy(part), np.float32) for part in parts]
    )
