"""The expression classifier: cropped faces in, distributions out, through ONNX Runtime."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.labels import LabelSet
from mien.model.network import Network, softmax
from mien.model.sessions import ExecutionProvider
from mien.preprocessing import to_network_input
from mien.results import Expression
from mien.samples import Image


class Classifier:
    """A network and its card, ready to classify. May be shared by threads.

    Args:
        model: an ``.onnx`` file with a card, its bytes, or a network that is open already; the
            other arguments are for those that are not.
        threads: as in `Network`.
        provider: as in `Network`.

    Raises:
        ModelError, MissingExtraError: as `Network`.
    """

    def __init__(
        self,
        model: Path | str | bytes | Network,
        *,
        threads: int | None = None,
        provider: ExecutionProvider = "cpu",
    ) -> None:
        if not isinstance(model, Network):
            model = Network(model, threads=threads, provider=provider)
        self.network = model
        """What runs."""
        self.card = model.card
        """The card inside the file."""
        self.provider: ExecutionProvider = model.provider
        """What computes it, and the detector that is loaded beside it."""
        self.threads = model.threads
        """As given; a detector that is loaded for this model takes as many."""
        self.content = model.content
        """The ONNX file, for other processes to load."""

    @property
    def label_set(self) -> LabelSet:
        """The classes, in the order of the outputs."""
        return self.card.label_set

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Network.logits`."""
        return self.network.logits(inputs)

    def probabilities(self, faces: Iterable[Image]) -> NDArray[np.float64]:
        """Classify cropped faces.

        Args:
            faces: uint8 (H, W, 3) RGB or (H, W) grey each, of any size, framed as the card says.

        Returns:
            float64 (n, classes), rows summing to 1, calibrated by the card's temperature.

        Raises:
            ValueError: a face is not such a picture.
        """
        spec = self.card.input
        batches = [
            softmax(self.logits(to_network_input(batch, spec)), self.card.temperature)
            for batch in _batches(faces, spec.batch_faces)
        ]
        if not batches:
            return np.empty((0, len(self.card.labels)))
        return batches[0] if len(batches) == 1 else np.concatenate(batches)

    def classify(self, faces: Iterable[Image]) -> tuple[Expression, ...]:
        """As `probabilities`, one `Expression` per face."""
        label_set = self.label_set
        return tuple(
            Expression(label_set, tuple(row)) for row in self.probabilities(faces).tolist()
        )


def _batches(faces: Iterable[Image], at_once: int) -> Iterator[Sequence[Image]]:
    rest = iter(faces)
    while batch := list(islice(rest, at_once)):
        yield batch
