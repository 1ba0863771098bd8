"""Classifiers that other programs trained -> networks under mien's contract.

A Keras file of unknown origin says how large its input is and how many outputs it has, but not
which classes those are, nor how its pixels are scaled. A person says so once; the scaling then
becomes layers in front of the network, the softmax at its end is taken off, and what comes out
maps float32 (n, h, w, c) with values 0..255 to logits, as every network of mien. That nothing
but this changed is proven by comparing outputs.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, ModelError
from mien.formats.endings import End, check_end, with_log, without_softmax
from mien.formats.reading import Reading
from mien.formats.reasons import reason_of
from mien.labels import FERPLUS
from mien.model.card import ModelCard, golden_inputs
from mien.model.network import softmax
from mien.preprocessing import InputSpec

FRAMING = "fer2013"
"""How the faces of such networks are taken to be framed: nearly all learnt FER-2013."""

DEFAULT_SIDE_PX = 48
"""Side of the input where a network takes pictures of any size: FER-2013's."""

STRIPPING_TOLERANCE = 1e-5
"""Largest allowed difference of a probability after the softmax was taken off."""

_LARGEST_SIDE_PX = 2048
_SMALLEST_FLAT = 64


def _rescaling(scale: Any, offset: Any) -> Callable[[Any], Any]:
    return lambda x: keras.layers.Rescaling(scale, offset=offset, name="scaling")(x)


def _caffe(x: Any) -> Any:
    """Blue, green, red minus their means: a 1x1 convolution that only swaps and subtracts."""
    layer = keras.layers.Conv2D(3, 1, trainable=False, name="scaling")
    swapped = layer(x)
    layer.set_weights([np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3), -_CAFFE_MEANS])
    return swapped


# Means and deviations of ImageNet, as keras.applications.imagenet_utils.preprocess_input has them.
_CAFFE_MEANS = np.array([103.939, 116.779, 123.68], np.float32)
_IMAGENET_MEANS = np.array([0.485, 0.456, 0.406])
_IMAGENET_DEVIATIONS = np.array([0.229, 0.224, 0.225])

SCALINGS: dict[str, Callable[[Any], Any]] = {
    "0..255": lambda x: x,
    "0..1": _rescaling(1 / 255, 0.0),
    "-1..1": _rescaling(1 / 127.5, -1.0),
    "imagenet": _rescaling(
        (1 / (255 * _IMAGENET_DEVIATIONS)).tolist(),
        (-_IMAGENET_MEANS / _IMAGENET_DEVIATIONS).tolist(),
    ),
    "caffe": _caffe,
}
"""Ways in which networks want the values 0..255 of a picture: by their range, or by the modes
``torch`` (here ``imagenet``) and ``caffe`` of keras.applications; its mode ``tf`` is ``-1..1``."""

_COLOUR_SCALINGS = ("imagenet", "caffe")


def adopt(network: keras.Model, path: Path, reading: Reading) -> tuple[keras.Model, ModelCard]:
    """Put a foreign classifier under mien's contract.

    Args:
        network: the network of a Keras file; must not be used afterwards.
        path: that file, for messages and the card.
        reading: what a person says of it.

    Returns:
        A network float32 (n, h, w, c) in 0..255 -> logits (n, classes), and its card.

    Raises:
        ModelError: something that is needed was not said, or contradicts the network; or it is
            no classifier of grey or RGB pictures that ends in a softmax or in logits.
    """
    spec, classes = _ends(network, path, reading.side_px)
    has = f"{path} takes {_colour(spec)} faces of {_size(network, spec)} and has {classes} outputs"
    labels = _labels(reading.labels, classes, has)
    if reading.scaling is None:
        raise ModelError(
            f"{has}; how it wants their pixels is not in the file, say it with --scaling, one of: "
            f"{', '.join(SCALINGS)}"
        )
    scaling = _scaling(reading.scaling, spec, has)
    with _computing(path):
        adopted = _under_the_contract(network, path, spec, scaling)
    card = ModelCard(
        name=path.stem,
        architecture=network.name,
        labels=labels,
        input_shape=spec.shape,
        framing=FRAMING,
        recipe={
            "source": path.name,
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "scaling": reading.scaling,
        },
    )
    return adopted, card


def _under_the_contract(
    network: keras.Model, path: Path, spec: InputSpec, scaling: Callable[[Any], Any]
) -> keras.Model:
    """The network from values 0..255 to logits, proven to be the one it was."""
    inputs = keras.Input(spec.shape, name="image")
    scaled = scaling(inputs)
    shape = network.inputs[0].shape[1:]
    if len(shape) != len(spec.shape):
        wanted = spec.shape[:2] if len(shape) == 2 else (spec.height_px * spec.width_px,)
        scaled = keras.layers.Reshape(wanted, name="as_trained")(scaled)
    pictures = golden_inputs(spec).astype(np.float32)
    # A Pipeline takes every call for one of training that does not say otherwise.
    told = {"training": False} if _has_pipeline(network) else {}
    before = _outputs(keras.Model(inputs, network(scaled, **told)), pictures)
    if not np.isfinite(before).all():
        raise ModelError(f"{path} gives outputs that are no numbers")
    ending = without_softmax(network)
    gives_probabilities = ending.end is not End.SOFTMAX and _are_probabilities(before)
    if not gives_probabilities:
        check_end(ending, path)
    adopted = keras.Model(inputs, ending.network(scaled, **told), name=_identifier(network.name))
    if gives_probabilities:
        adopted = with_log(adopted)
    logits = _outputs(adopted, pictures)
    is_softmax = gives_probabilities or ending.end is End.SOFTMAX
    _prove(before if is_softmax else softmax(before), logits, path)
    return adopted


def label_keys(names: Sequence[str], context: str) -> tuple[str, ...]:
    """Keys of classes that a person names by key or synonym.

    Args:
        names: what the person wrote.
        context: beginning of the message where it is wrong.

    Raises:
        ModelError: a name is unknown, or names a class twice.
    """
    keys = []
    for name in names:
        if name not in FERPLUS:
            known = ", ".join(FERPLUS.keys)
            raise ModelError(f"{context}; --labels has an unknown class {name!r}; known: {known}")
        keys.append(FERPLUS[FERPLUS.index(name)].key)
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ModelError(f"{context}; --labels names {twice[0]} twice")
    return tuple(keys)


def _ends(network: keras.Model, path: Path, side_px: int | None) -> tuple[InputSpec, int]:
    """Input and number of outputs of a network, where they are those of a classifier."""
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise ModelError(
            f"{path} has {len(network.inputs)} inputs and {len(network.outputs)} outputs; "
            "expected one picture and one row of classes"
        )
    for what in ("input", "output"):
        if isinstance(parts := getattr(network, what, None), dict):
            raise ModelError(
                f"{path} has its {what} in a dict ({', '.join(map(str, parts))}); save "
                "keras.Model(inputs, outputs) of the tensors themselves"
            )
    shape, output = network.inputs[0].shape, network.outputs[0].shape
    if len(output) != 2 or output[1] is None or output[1] < 2:
        raise ModelError(f"{path} gives {_shape(output)}; expected (n, classes) of a classifier")
    shape = _with_channels(shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        hint = "; channels-first networks are not read" if shape[1:2] in ((1,), (3,)) else ""
        raise ModelError(
            f"{path} takes {_shape(network.inputs[0].shape)}; "
            f"expected (n, height, width, 1 or 3){hint}"
        )
    if shape[0] is not None:
        raise ModelError(f"{path} takes {shape[0]} pictures at a time; expected any number")
    wanted = side_px or DEFAULT_SIDE_PX
    height, width = (wanted if side is None else side for side in shape[1:3])
    if side_px is not None and (height, width) != (side_px, side_px):
        raise ModelError(
            f"{path} takes faces of {height}x{width} pixels only; leave out --input-size {side_px}"
        )
    if max(height, width) > _LARGEST_SIDE_PX:
        raise ModelError(f"{path} takes {height}x{width} pixels, above {_LARGEST_SIDE_PX} a side")
    return InputSpec(height, width, shape[3]), int(output[1])


def _with_channels(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape of grey pictures where a network takes them without channels, or as one row."""
    if len(shape) == 2 and shape[1] is not None and shape[1] >= _SMALLEST_FLAT:
        side = math.isqrt(shape[1])
        if side * side == shape[1]:
            return shape[0], side, side, 1
    return (*shape, 1) if len(shape) == 3 else shape


def _labels(names: tuple[str, ...] | None, classes: int, has: str) -> tuple[str, ...]:
    if names is None:
        raise ModelError(
            f"{has}; which classes those are is not in the file, name them in order, e.g. "
            f"--labels {','.join(FERPLUS.keys[: min(classes, len(FERPLUS))])}"
        )
    keys = label_keys(names, has)
    if len(keys) != classes:
        raise ModelError(f"{has}, but --labels names {len(keys)} classes: {', '.join(keys)}")
    return keys


def _scaling(name: str, spec: InputSpec, has: str) -> Callable[[Any], Any]:
    if name not in SCALINGS:
        raise ModelError(f"no scaling {name!r}; known: {', '.join(SCALINGS)}")
    if name in _COLOUR_SCALINGS and spec.channels != 3:
        raise ModelError(f"{has}; --scaling {name} is for RGB networks")
    return SCALINGS[name]


def _has_pipeline(network: keras.Model) -> bool:
    return any(
        isinstance(layer, keras.layers.Pipeline)
        or (isinstance(layer, keras.Model) and _has_pipeline(layer))
        for layer in network.layers
    )


def _are_probabilities(outputs: NDArray[np.float32]) -> bool:
    sums = outputs.sum(axis=1)
    return bool((outputs >= 0).all() and np.allclose(sums, 1, atol=STRIPPING_TOLERANCE))


def _prove(before: NDArray[Any], logits: NDArray[np.float32], path: Path) -> None:
    """Check on test pictures that the probabilities are those from before."""
    if not np.isfinite(logits).all():
        raise ModelError(f"{path} gives outputs that are no numbers")
    if not np.abs(softmax(logits) - before).max() <= STRIPPING_TOLERANCE:
        raise ModelError(f"{path} uses its last softmax for more than its output")


@contextmanager
def _computing(path: Path) -> Iterator[None]:
    """Whatever Keras and its backends raise at a network that they cannot compute is one error."""
    try:
        yield
    except (MienError, MemoryError):
        raise
    except Exception as error:
        raise ModelError(f"{path} cannot be computed: {reason_of(error)}") from error


def _outputs(network: keras.Model, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(network(pictures, training=False)), np.float32)


def _identifier(name: str) -> str:
    """A name that may stand in every file format."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "network"


def _colour(spec: InputSpec) -> str:
    return "grey" if spec.channels == 1 else "RGB"


def _size(network: keras.Model, spec: InputSpec) -> str:
    is_open = None in network.inputs[0].shape[1:3]
    return "any size" if is_open else f"{spec.height_px}x{spec.width_px} pixels"


def _shape(shape: Sequence[int | None]) -> str:
    return f"({', '.join('n' if side is None else str(side) for side in shape)})"
