"""Networks: one literal table of names, one builder each, one file per family.

Every builder takes the input's shape and the number of classes and returns a float32
`keras.Model` that maps float32 (n, h, w, c) with values 0..255 to logits (n, classes). Scaling
is its first layer, so it travels with the network. Two layers have fixed names:
``features``, the vector before the classifier, where further heads attach, and ``logits``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mien.errors import RecipeError, needs_extra

with needs_extra("train"):
    import keras

from mien.preprocessing import InputSpec
from mien.zoo.batchnorm_cnn import batchnorm_cnn
from mien.zoo.compact_cnn import compact_cnn
from mien.zoo.plain_cnn import plain_cnn
from mien.zoo.slim_resnet import slim_resnet
from mien.zoo.wide_cnn import wide_cnn

Builder = Callable[..., "keras.Model"]
"""(input_shape, classes, **options) -> network."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One entry of the zoo."""

    build: Builder
    """Makes a new network with random weights."""
    default_input: InputSpec
    """The input that it was published or designed for."""
    parameters: int
    """Parameters for the default input and seven classes; a test pins them."""
    source: str
    """Where it comes from."""


ARCHITECTURES: dict[str, Architecture] = {
    "wide_cnn": Architecture(
        build=wide_cnn,
        default_input=InputSpec(48, 48, 1),
        parameters=5_173_959,
        source="a wide five-convolution network of a FER-2013 tutorial",
    ),
    "plain_cnn": Architecture(
        build=plain_cnn,
        default_input=InputSpec(48, 48, 1),
        parameters=2_489_095,
        source="a plain four-convolution network, common in FER-2013 tutorials",
    ),
    "batchnorm_cnn": Architecture(
        build=batchnorm_cnn,
        default_input=InputSpec(48, 48, 1),
        parameters=4_478_727,
        source="common in notebooks on Kaggle's face expression recognition set",
    ),
    "compact_cnn": Architecture(
        build=compact_cnn,
        default_input=InputSpec(48, 48, 1),
        parameters=492_471,
        source="mien's own, of the published size; convolutions as in VGG, 2015",
    ),
    "slim_resnet": Architecture(
        build=slim_resnet,
        default_input=InputSpec(48, 48, 1),
        parameters=853_671,
        source="mien's own; residual blocks of He et al., 2016",
    ),
}
"""Every network by name."""


def build(name: str, spec: InputSpec, classes: int, **options: Any) -> "keras.Model":
    """Build a network by name, in float32, with random weights.

    Args:
        name: key in `ARCHITECTURES`.
        spec: input of the network.
        classes: number of outputs.
        **options: keyword arguments of that builder.

    Raises:
        RecipeError: no network has that name, or the builder has no such option.
    """
    if name not in ARCHITECTURES:
        raise RecipeError(f"no architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("float32")
    try:
        network = ARCHITECTURES[name].build(spec.shape, classes, **options)
    except TypeError as error:
        raise RecipeError(f"architecture {name}: {error}") from error
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    return network
