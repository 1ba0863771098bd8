"""Networks: one literal table of facts (`catalogue`), one file with one builder for each.

Every builder takes the input's shape and the number of classes and returns a float32
`keras.Model` that maps float32 (n, h, w, c) with values 0..255 to logits (n, classes). Scaling
is its first layer, so it travels with the network. Three layers have fixed names: ``scaling``;
``features``, whose output is the vector before the classifier, where further heads attach; and
``logits``. Keras is imported when a network is built, not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.errors import RecipeError, needs_extra
from mien.preprocessing import InputSpec
from mien.zoo.catalogue import ARCHITECTURES, Architecture

if TYPE_CHECKING:
    import keras

__all__ = ["ARCHITECTURES", "Architecture", "build"]


def build(name: str, spec: InputSpec, classes: int, **options: Any) -> "keras.Model":
    """Build a network by name, in float32, with random weights.

    Args:
        name: key in `ARCHITECTURES`.
        spec: input of the network.
        classes: number of outputs.
        **options: keyword arguments of that builder.

    Raises:
        RecipeError: no network has that name, the builder has no such option, or it cannot work
            with this input.
        MissingExtraError: Keras is not installed.
    """
    if name not in ARCHITECTURES:
        raise RecipeError(f"no architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    with needs_extra("train"):
        import keras
    builder = getattr(import_module(f"{__name__}.{name}"), name)
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("float32")
    try:
        return builder(spec.shape, classes, **options)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        if "output size would be negative" in str(error):  # Keras's words, after a heading
            reason = "too small for its layers"
        raise RecipeError(f"architecture {name}, input {spec.shape}: {reason}") from error
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
