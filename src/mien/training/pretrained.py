"""Weights that a training starts from: ImageNet's, dlib's of faces, or those of a file.

ImageNet's are the files that keras.applications fetches, by Keras's own download into Keras's
own cache, pinned by the hashes that Keras pins. Whatever the file, nothing in it is built or
run: weights are taken layer by layer, and only when every name and shape has been checked.
"""

import contextlib
import hashlib
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien import zoo
from mien.errors import ModelError, RecipeError, WeightsError
from mien.formats.stored_layers import StoredLayer, stored_layers
from mien.training.bundle_weights import load_bundle_weights
from mien.training.dlib_faces import load_dlib_faces
from mien.zoo.efficientnet_b2 import IMAGENET_DEVIATION, IMAGENET_MEAN
from mien.zoo.resnet50 import FIRST, KERAS_FIRST

NONE, IMAGENET = "none", "imagenet"
"""Names of sources; any other is a file."""

DLIB_SUFFIX = ".dat"
"""Ending of the name of dlib's files."""

ONNX_SUFFIX = ".onnx"
"""Ending of the name of exported networks (see `bundle_weights`)."""

_OTHER_WAYS = "name a local file with --pretrained FILE, or start anew with --pretrained none"


@dataclass(frozen=True, slots=True)
class ImageNetFile:
    """A file of keras.applications: a backbone without its top."""

    folder_url: str
    """Address of the folder that holds it, with a slash at the end."""
    file_name: str
    """Name there and in Keras's cache."""
    md5: str
    """The hash that keras.applications pins."""


IMAGENET_FILES = MappingProxyType(
    {
        "efficientnet_b2": ImageNetFile(
            "https://storage.googleapis.com/keras-applications/",
            "efficientnetb2_notop.h5",
            "111f8e2ac8aa800a7a99e3239f7bfb39",
        ),
        "resnet50": ImageNetFile(
            "https://storage.googleapis.com/tensorflow/keras-applications/resnet/",
            "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "4d473c1dd8becc155b73f8504c6f6626",
        ),
    }
)
"""ImageNet's weights by architecture."""


def load_pretrained(
    network: keras.Model,
    architecture: str,
    source: str,
    *,
    faces: Callable[[], NDArray[Any]] | None = None,
    folder_url: str | None = None,
) -> Mapping[str, str]:
    """Put pretrained weights into a new network.

    The backbone's weights must all be in the file. Those of the head are taken too where the
    file has a head of the same names and shapes, as a network of mien's has for as many classes;
    else the head stays new. For networks without a backbone the head is the layer ``logits``.

    Args:
        network: a network of `mien.zoo.build`.
        architecture: its name in the zoo.
        source: ``none``; ``imagenet``; or the path of a ``.keras`` or ``.h5`` file: weights of
            keras.applications, a network of keras.applications, or one that mien saved; or dlib's
            file (see `dlib_faces`), for ``face_resnet``; or an ``.onnx`` file that mien exported.
        faces: gives input of the network, (n, h, w, c), values 0..255; for dlib's and ``.onnx``
            files.
        folder_url: where ImageNet's file is fetched from, in place of Keras's own address.

    Returns:
        Where they come from: source, file (its name), sha256, layers (``backbone``, ``all``, or
        which stages); empty for ``none``.

    Raises:
        RecipeError: the zoo has no such architecture, there are no ImageNet weights for it, or
            dlib's do not fit it.
        WeightsError: the file is not there, or cannot be fetched.
        ModelError: the file is damaged or holds another network.
        In any case the network's weights are unchanged.
    """
    if architecture not in zoo.ARCHITECTURES:
        known = ", ".join(zoo.ARCHITECTURES)
        raise RecipeError(f"no architecture {architecture!r}; known: {known}")
    if source == NONE:
        return {}
    if source == IMAGENET:
        path = _fetch(architecture, folder_url)
    else:
        path = Path(source).expanduser()
        if not path.is_file():
            raise WeightsError(
                f"no such file of pretrained weights: {source}; "
                f"name a .keras, .h5, .onnx or .dat file, {IMAGENET}, or {NONE}"
            )
    if path.suffix == ONNX_SUFFIX:
        if faces is None:
            raise RecipeError(f"{path.name} needs faces to measure statistics on")
        layers = load_bundle_weights(network, path, faces())
    elif path.suffix == DLIB_SUFFIX:
        if architecture != "face_resnet" or faces is None:
            raise RecipeError(f"{path.name} has weights for face_resnet, not for {architecture}")
        layers = load_dlib_faces(network, path, faces())
    else:
        layers = _load(network, architecture, path)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    kind = source if source == IMAGENET else "file"
    return {"source": kind, "file": path.name, "sha256": sha256, "layers": layers}


def _fetch(architecture: str, folder_url: str | None) -> Path:
    """Keras's copy of the file, fetched where it is missing or damaged."""
    if zoo.ARCHITECTURES[architecture].pretrained != IMAGENET:
        there = ", ".join(IMAGENET_FILES)
        raise RecipeError(
            f"there are no ImageNet weights for {architecture}, only for {there}; {_OTHER_WAYS}"
        )
    file = IMAGENET_FILES[architecture]
    url = (folder_url or file.folder_url) + file.file_name
    shown = sys.stderr if sys.stderr.isatty() else io.StringIO()
    try:
        # Keras draws its progress on stdout, which is for results.
        with contextlib.redirect_stdout(shown):
            fetched = keras.utils.get_file(
                file.file_name, url, cache_subdir="models", file_hash=file.md5
            )
    except Exception as error:  # get_file raises bare Exceptions
        raise WeightsError(
            f"cannot fetch ImageNet weights for {architecture} from {url}: {_reason(error)}; "
            f"{_OTHER_WAYS}"
        ) from error
    return Path(fetched)


def _reason(error: Exception) -> str:
    """Why Keras's download failed; it wraps the errors of Python's."""
    cause: Any = error.__context__ or error
    if isinstance(error, ValueError):
        return "another file than the pinned one came (wrong MD5)"
    if code := getattr(cause, "code", None):
        return f"the server answered {code}"
    reason = getattr(cause, "reason", None) or getattr(cause, "strerror", None) or cause
    return (str(reason).splitlines() or [type(error).__name__])[0]


def _load(network: keras.Model, architecture: str, path: Path) -> str:
    names = [layer.name for layer in network.layers]
    head = names.index(zoo.ARCHITECTURES[architecture].head or "logits")
    weighted = [layer for layer in network.layers if layer.weights]
    backbone = [layer for layer in weighted if names.index(layer.name) < head]
    with stored_layers(path) as stored:
        if "normalization" in names:
            _check_normalisation(stored, architecture, path)
        pairs = _matched(weighted, backbone, stored, f"{path} does not fit {architecture}")
        values = [_values(layer, its, path) for layer, its in pairs]
    for (layer, _), arrays in zip(pairs, values, strict=True):
        for weight, array in zip(layer.weights, arrays, strict=True):
            weight.assign(array)
    return "all" if len(pairs) == len(weighted) else "backbone"


def _matched(
    weighted: Sequence[Any], backbone: Sequence[Any], stored: Sequence[StoredLayer], trouble: str
) -> list[tuple[Any, StoredLayer]]:
    """Pairs of a layer and its weights: by name or, where the names are others, by order."""
    stored = [its for its in stored if not _is_normalisation(its)]
    by_name = {its.name: its for its in stored}
    if KERAS_FIRST in by_name:
        by_name.setdefault(FIRST, by_name[KERAS_FIRST])
    missing = [layer.name for layer in backbone if layer.name not in by_name]
    if not missing:
        pairs = [(layer, by_name[layer.name]) for layer in backbone]
        head = [(layer, by_name.get(layer.name)) for layer in weighted if layer not in backbone]
        known = [(layer, its) for layer, its in head if its and its.shapes == _shapes(layer)]
        pairs += known if len(known) == len(head) else []
    elif len(missing) == len(backbone) and len(stored) in (len(backbone), len(weighted)):
        # Names that Keras makes up count on through a process.
        layers = list(backbone if len(stored) == len(backbone) else weighted)
        if all(its.place for its in stored):
            layers.sort(key=lambda layer: type(layer).__name__.lower())
        pairs = list(zip(layers, stored, strict=True))
    else:
        raise ModelError(
            f"{trouble}: it has no layer {missing[0]}; "
            f"{len(missing)} of {len(backbone)} layers are missing"
        )
    for layer, its in pairs:
        for weight, here, there in zip(layer.weights, _shapes(layer), its.shapes, strict=False):
            if here != there:
                name = f"{layer.name}/{weight.name}"
                raise ModelError(f"{trouble}: {name} is {there} there and {here} here")
        if len(its.shapes) != len(layer.weights):
            raise ModelError(
                f"{trouble}: {layer.name} has {len(its.shapes)} weights there "
                f"and {len(layer.weights)} here"
            )
    return pairs


def _values(layer: Any, stored: StoredLayer, path: Path) -> list[NDArray[np.float32]]:
    """The numbers, as this network wants them."""
    arrays = [np.asarray(array[()], np.float32) for array in stored.arrays]
    if not all(np.isfinite(array).all() for array in arrays):
        raise ModelError(f"{path}: {stored.name} holds values that are not numbers")
    if layer.name == FIRST and stored.name != FIRST:
        arrays[0] = arrays[0][:, :, ::-1]  # blue, green, red -> red, green, blue
    return arrays


def _shapes(layer: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(weight.shape) for weight in layer.weights)


def _is_normalisation(stored: StoredLayer) -> bool:
    """Mean, variance and a count: of the input, not of a batch."""
    return len(stored.shapes) == 3 and stored.shapes[2] == ()


def _check_normalisation(stored: Sequence[StoredLayer], architecture: str, path: Path) -> None:
    """Keras's EfficientNet has the normalisation of its input among the weights; where it is
    ImageNet's, the stored variance is the standard deviation, which a further layer corrects."""
    for its in filter(_is_normalisation, stored):
        mean, variance = (np.asarray(array[()], np.float64) for array in its.arrays[:2])
        if mean.shape != (3,) or not (
            np.allclose(mean, IMAGENET_MEAN, atol=1e-4)
            and np.allclose(variance, IMAGENET_DEVIATION, atol=1e-4)
        ):
            raise ModelError(
                f"{path} does not fit {architecture}: it was not made from ImageNet weights, "
                f"for its input is normalised otherwise"
            )
