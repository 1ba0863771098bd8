"""MODEL on a command line, and the options that say of a Keras file what it does not say itself."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mien.formats.reading import Reading

MODEL_HELP = (
    "'default', a name that `mien models` prints, the folder of a training, an .onnx file, "
    "or a Keras file (.keras .h5 .hdf5, or .json beside its .h5)."
)
"""What MODEL may be."""


class Scaling(StrEnum):
    """The names in `mien.formats.reading.SCALING_NAMES`."""

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
        max=2048,
        help="Side of the faces where a Keras file leaves it open. [default: 48]",
    ),
]
"""``--input-size``."""


def reading_of(
    labels: str | None, scaling: str | None, architecture: str | None, input_size: int | None
) -> "Reading":
    """The four options as what a person says of a file."""
    from mien.formats.reading import Reading

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
