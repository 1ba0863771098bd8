"""Networks as files for other programs: LiteRT, SavedModel, Keras and HDF5, beside ONNX.

Each file is written, loaded as its users load it, and run on real faces before it takes its
name; it must give the probabilities that the Keras network gives. Class names and card travel
inside each, where the format has room for them:

.onnx           metadata property ``mien.card`` (see `bundle`)
.tflite         a zip archive behind the network, as TFLite Metadata stores associated files
saved_model/    ``assets.extra/mien.card.json`` and ``labels.txt``
.keras          a further member of the archive, ``mien.card.json``
.h5             attribute ``mien.card``; weights alone (``.weights.h5``) too

Source: https://ai.google.dev/edge/litert/models/metadata (associated files).
"""

import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import MissingExtraError, ModelError, OutputError, ParityError
from mien.files import atomic_file, atomic_folder
from mien.formats import writers
from mien.formats.bundle import (
    PARITY_FACES,
    Parity,
    can_export,
    compared,
    logits_of,
    to_bundle,
    with_golden,
)
from mien.formats.onnx_cards import write_bundle
from mien.model.card import ModelCard
from mien.preprocessing import to_network_input
from mien.samples import Image

Make = Callable[[keras.Model, ModelCard, Path], Path]
Run = Callable[[Path, keras.Model, NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Format:
    """How a network is stored."""

    suffixes: tuple[str, ...]
    """Endings that its files may have, the usual one first; none for a folder."""
    default_name: str
    """Name of the file in the folder of a training."""
    make: Make
    """(network, card, folder) -> what was written in that folder."""
    run: Run
    """(path, the original network, inputs) -> logits, by loading the written file."""
    needs_tensorflow: bool
    """Whether only Keras's TensorFlow backend can write it."""


def export_to(
    name: str,
    network: keras.Model,
    card: ModelCard,
    faces: Sequence[Image],
    out: Path,
    *,
    weights_only: bool = False,
) -> Parity:
    """Write a network in a format, and prove that the file gives what the network gives.

    Args:
        name: ``onnx`` or a name in `FORMATS`.
        network: float32 (n, h, w, c) in 0..255 -> logits (n, classes).
        card: the card; its golden outputs are filled in here.
        faces: real faces, at least one; only the first `PARITY_FACES` are used.
        out: the file or folder to write.
        weights_only: for ``keras`` and ``h5``: leave the architecture out.

    Returns:
        The proof.

    Raises:
        ModelError: no faces were given, or the network has no such form.
        ParityError: the file does not give what the network gives; nothing was written.
        OutputError: the file cannot be written, or has another ending than its format; what
            stood there before is still there.
    """
    check_name(name, out, weights_only=weights_only)
    if name == "onnx":
        bundle, parity = to_bundle(network, card, faces)
        write_bundle(bundle, out)
        return parity
    chosen = _WEIGHTS if weights_only else FORMATS[name]
    if chosen.needs_tensorflow and not can_export():
        raise ModelError(
            f"the {keras.backend.backend()} backend does not export to {name}; "
            "set KERAS_BACKEND=tensorflow"
        )
    if not len(faces):
        raise ModelError("an export is proven on real faces, and none were given")
    card = with_golden(network, card)
    inputs = to_network_input(faces[:PARITY_FACES], card.input)

    def prove(written: Path) -> Parity:
        try:
            logits = chosen.run(written, network, inputs)
        except (MissingExtraError, MemoryError):
            raise
        except Exception as error:  # TensorFlow's errors have no narrower common base
            raise ParityError(f"the exported network cannot be used: {_reason(error)}") from error
        return compared(logits, logits_of(network, inputs))

    # Made elsewhere first: HDF5 crashes the process where the disk of the destination is full.
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _quiet():
                made = chosen.make(network, card, Path(folder))
        except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
            reason = _reason(error)
            raise ModelError(f"{network.name} has no {name} form: {reason}") from error
        if made.is_dir():
            with atomic_folder(out) as temporary:
                shutil.copytree(made, temporary, dirs_exist_ok=True)
                return prove(temporary)
        with atomic_file(out) as temporary:
            shutil.copyfile(made, temporary)
            return prove(temporary)


def check_name(name: str, out: Path, *, weights_only: bool = False) -> None:
    """Check that a file is called as its format demands.

    Raises:
        OutputError: it is not.
    """
    if name == "onnx":
        return
    chosen = _WEIGHTS if weights_only else FORMATS[name]
    if chosen.suffixes and not out.name.lower().endswith(chosen.suffixes):
        raise OutputError(f"cannot write {out}: the file must end in {chosen.suffixes[0]}")
    if not weights_only and out.name.lower().endswith(_WEIGHTS.suffixes):
        raise OutputError(
            f"cannot write {out}: that is a name for weights alone; add --weights-only"
        )


def default_output(name: str, source: Path, *, weights_only: bool = False) -> Path:
    """Where an export goes if nobody says: into the run folder, or beside the Keras file.

    Args:
        name: ``onnx`` or a name in `FORMATS`.
        source: the folder of a training, or a Keras file.
        weights_only: as in `export_to`.
    """
    if name == "onnx":
        default = "model.onnx"
    else:
        default = (_WEIGHTS if weights_only else FORMATS[name]).default_name
    if source.is_dir():
        return source / default
    stem = source.stem.removesuffix(".weights")
    return source.with_name(
        default.replace("model", stem) if "." in default else f"{stem}_{default}"
    )


FORMATS = {
    "litert": Format((".tflite",), "model.tflite", writers.make_litert, writers.run_litert, True),
    "saved-model": Format(
        (), "saved_model", writers.make_saved_model, writers.run_saved_model, True
    ),
    "keras": Format((".keras",), "model.keras", writers.make_keras, writers.run_keras, False),
    "h5": Format((".h5", ".hdf5"), "model.h5", writers.make_h5, writers.run_keras, False),
}
"""Every format but ONNX, by the name that the command line knows it by."""

_WEIGHTS = Format(
    (".weights.h5",), "model.weights.h5", writers.make_weights, writers.run_weights, False
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Keras's advice against HDF5 and the converters' notes."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
