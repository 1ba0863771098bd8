"""MODEL on a command line, and the options that say of a Keras file what it does not say itself.

ONNX files open without Keras. A Keras file is put under mien's contract and converted in memory,
so that every command measures and uses all networks through the one `Classifier`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mien.formats.foreign import Reading
    from mien.recognition.classifier import Classifier
    from mien.samples import Image, Images
    from mien.training.opening import OpenNetwork

MODEL_HELP = (
    "'default', a name that `mien models` prints, the folder of a training, an .onnx file, "
    "or a Keras file (.keras .h5 .hdf5, or .json beside its .h5)."
)
"""What MODEL may be."""


class Scaling(StrEnum):
    """The names in `mien.formats.foreign.SCALINGS`, which would load Keras with them."""

    BYTES = "0..255"
    UNIT = "0..1"
    SIGNED = "-1..1"
    IMAGENET = "imagenet"
    CAFFE = "caffe"


LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="A,B,...",
        help="Classes of a Keras file without a card, in the order of its outputs.",
    ),
]
"""``--labels``."""

ScalingOption = Annotated[
    Scaling | None,
    typer.Option(
        "--scaling",
        help="How such a network wants its pixels: a range of values, or ImageNet's means and "
        "deviations (RGB), or caffe's means (BGR).",
    ),
]
"""``--scaling``."""

ArchitectureOption = Annotated[
    str | None,
    typer.Option(
        "--architecture",
        metavar="NAME",
        help="Network of the zoo that a file of weights alone belongs to.",
    ),
]
"""``--architecture``."""

InputSizeOption = Annotated[
    int | None,
    typer.Option(
        "--input-size",
        metavar="PX",
        min=8,
        help="Side of the faces where a Keras file leaves it open. [default: 48]",
    ),
]
"""``--input-size``."""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model that was found and is what it says."""

    path: Path
    """The file that a person meant."""
    _ready: "Classifier | None"
    _network: "OpenNetwork | None"

    def classifier(self, faces: "Images | Sequence[Image]" = ()) -> "Classifier":
        """What classifies.

        Args:
            faces: real faces to prove the conversion of a Keras file on; made-up ones where
                there are none.

        Raises:
            ModelError: the network has no ONNX form.
            ParityError: the converted network disagrees with Keras.
        """
        if self._ready is not None:
            return self._ready
        from mien.recognition.classifier import Classifier

        return Classifier(self.bundle(faces))

    def bundle(self, faces: "Images | Sequence[Image]" = ()) -> bytes:
        """The content of the ONNX file; arguments and errors as `classifier`."""
        if self._network is None:
            return self.path.read_bytes()
        from mien.formats.bundle import PARITY_FACES, to_bundle
        from mien.model.card import golden_inputs

        card = self._network.card
        proofs = [faces[index] for index in range(min(len(faces), PARITY_FACES))]
        bundle, _ = to_bundle(
            self._network.network, card, proofs or list(golden_inputs(card.input))
        )
        return bundle


def open_model(
    model: str,
    labels: str | None = None,
    scaling: str | None = None,
    architecture: str | None = None,
    input_size: int | None = None,
) -> OpenModel:
    """Open what a person means by MODEL.

    Raises:
        ModelError: it is not there, damaged, unsafe, or the options do not fit it.
        WeightsError: the name is known, but its file is not on this machine.
        MissingExtraError: it is a Keras file, and Keras is not installed.
    """
    from mien.model.names import find_keras_file, resolve_model

    keras_file = find_keras_file(model)
    if keras_file is None:
        from mien.errors import ModelError
        from mien.recognition.classifier import Classifier

        path = resolve_model(model)
        if any(option is not None for option in (labels, scaling, architecture, input_size)):
            raise ModelError(
                f"{path} carries its card; leave out --labels, --scaling, --architecture and "
                "--input-size, which are for Keras files without one"
            )
        return OpenModel(path, Classifier(path), None)
    from mien.cli.console import load_keras_quietly

    load_keras_quietly()
    from mien.training.opening import open_network

    network = open_network(keras_file, reading(labels, scaling, architecture, input_size))
    return OpenModel(network.path, None, network)


def reading(
    labels: str | None, scaling: str | None, architecture: str | None, input_size: int | None
) -> "Reading":
    """The four options as what a person says of a file."""
    from mien.formats.foreign import Reading

    names = None if labels is None else tuple(name.strip() for name in labels.split(","))
    return Reading(names, None if scaling is None else str(scaling), architecture, input_size)


def words(
    labels: str | None, scaling: str | None, architecture: str | None, input_size: int | None
) -> list[str]:
    """The four options as they were given, for a command that is written down."""
    given = {
        "--labels": labels,
        "--scaling": scaling,
        "--architecture": architecture,
        "--input-size": input_size,
    }
    return [
        word for name, value in given.items() if value is not None for word in (name, str(value))
    ]
