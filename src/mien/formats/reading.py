"""What a person says of a Keras file that does not say it itself; loads no Keras."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person says of a Keras file; None where nothing was said."""

    labels: tuple[str, ...] | None = None
    """Keys or synonyms of the classes, in the order of the outputs."""
    scaling: str | None = None
    """How the network wants its pixels: a name in `SCALING_NAMES`."""
    architecture: str | None = None
    """Name in the zoo, for weights that come without their architecture."""
    side_px: int | None = None
    """Height and width of the input, for networks that leave it open."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return self == Reading()


SCALING_NAMES = ("0..255", "0..1", "-1..1", "imagenet", "caffe")
"""How networks want their pixels; `mien.formats.foreign.SCALINGS` has the layers."""
