"""Opening what a person means by MODEL: a name, the folder of a training, an ONNX or Keras file.

ONNX files open without Keras. A Keras file is put under mien's contract and converted in memory,
so that everything measures and uses all networks through the one `Classifier`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import ModelError
from mien.formats.reading import Reading
from mien.model import store
from mien.model.card import ModelCard
from mien.model.names import DEFAULT_MODEL, find_keras_file, resolve_model
from mien.model.network import Network
from mien.model.sessions import ExecutionProvider
from mien.page import runtime
from mien.recognition.classifier import Classifier
from mien.samples import Image, Images

if TYPE_CHECKING:
    import keras

    from mien.training.opening import OpenNetwork


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model that was found and is what it says."""

    path: Path
    """The file that a person meant."""
    _opened: "Network | OpenNetwork"
    _provider: ExecutionProvider = "cpu"
    _threads: int | None = None

    @property
    def sha256(self) -> str:
        """Hash of that file."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    @property
    def card(self) -> ModelCard:
        """What it says of itself."""
        return self._opened.card

    @property
    def is_keras(self) -> bool:
        """Whether it is a Keras file, whose card is not part of it."""
        return not isinstance(self._opened, Network)

    @property
    def network(self) -> "keras.Model | None":
        """The Keras network, under mien's contract; None where the model is an ONNX file."""
        return None if isinstance(self._opened, Network) else self._opened.network

    def classifier(self, faces: Images | Sequence[Image] = ()) -> Classifier:
        """What classifies.

        Args:
            faces: real faces to prove the conversion of a Keras file on; made-up ones where
                there are none.

        Raises:
            ModelError: the network has no ONNX form.
            ParityError: the converted network disagrees with Keras.
        """
        if isinstance(self._opened, Network):
            return Classifier(self._opened)
        return Classifier(self.bundle(faces), threads=self._threads, provider=self._provider)

    def bundle(self, faces: Images | Sequence[Image] = ()) -> bytes:
        """The content of the ONNX file; arguments and errors as `classifier`."""
        if isinstance(self._opened, Network):
            return self._opened.content
        from mien.formats.bundle import PARITY_FACES, to_bundle
        from mien.model.card import golden_inputs

        card = self._opened.card
        proofs = [faces[index] for index in range(min(len(faces), PARITY_FACES))]
        bundle, _ = to_bundle(self._opened.network, card, proofs or list(golden_inputs(card.input)))
        return bundle


def open_model(
    model: str | Path,
    reading: Reading | None = None,
    provider: ExecutionProvider = "cpu",
    *,
    threads: int | None = None,
) -> OpenModel:
    """Open what a person means by MODEL.

    Args:
        model: ``default``, a name that ``mien models`` prints, the folder of a training, an
            ``.onnx`` file, or a Keras file.
        reading: what is said of a Keras file without a card.
        provider: what computes it once it is ONNX.
        threads: as in `Classifier`.

    Raises:
        ModelError: it is not there, damaged, unsafe, or the reading does not fit it.
        WeightsError: the name is known, but its file is not on this machine.
        MissingExtraError: it is a Keras file, and Keras is not installed; or the installed ONNX
            Runtime does not have that provider.
    """
    reading = reading or Reading()
    is_said = not reading.is_empty
    keras_file = find_keras_file(str(model))
    if keras_file is None:
        path = resolve_model(str(model))
        if is_said:
            raise ModelError(
                f"{path} carries its card; leave out --labels, --scaling, --architecture and "
                "--input-size, which are for Keras files without one"
            )
        return OpenModel(path, Network(path, threads=threads, provider=provider))
    from mien.formats.keras_import import load_keras_quietly

    load_keras_quietly()
    from mien.training.opening import open_network

    network = open_network(keras_file, reading)
    return OpenModel(network.path, network, provider, threads)


def fetch_model(name: str, *, from_file: Path | None = None) -> Path:
    """Put a model file into the cache, once; it is checked against its pinned hash.

    Args:
        name: a name that ``mien models`` prints, or ``default``; or ``page``, the files of ONNX
            Runtime Web on which the page of ``mien serve`` runs.
        from_file: a local copy to take instead of the network.

    Raises:
        WeightsError: no model file has that name, the copy is missing or another file, the
            network or the disk fails; the cache is unchanged.
    """
    if name == runtime.NAME:
        return runtime.fetch(from_file)
    return store.fetch(DEFAULT_MODEL if name == "default" else name, from_file=from_file)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model file that is known by name."""

    name: str
    """What it is called."""
    kind: str
    """``classifier`` or ``detector``."""
    licence: str
    """Terms of the file."""
    path: Path | None
    """Where it lies; None where it is not on this machine."""
    size_bytes: int
    """Size of the file."""
    is_default: bool
    """Whether ``default`` means it."""
    is_packaged: bool
    """Whether it comes with the package; others are fetched."""
    card: ModelCard | None
    """Card of a classifier that is here."""


def known_models() -> list[KnownModel]:
    """Every model file that is known by name, with what its card says of it.

    Raises:
        ModelError: a file of the package is damaged.
    """
    found = []
    for file in store.MODEL_FILES.values():
        path = store.find(file.name)
        is_here = path is not None and file.kind == "classifier"
        found.append(
            KnownModel(
                file.name,
                file.kind,
                file.licence,
                path,
                path.stat().st_size if path else file.size_bytes,
                file.name == DEFAULT_MODEL,
                file.packaged,
                Network(path).card if path is not None and is_here else None,
            )
        )
    return found
