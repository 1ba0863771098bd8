"""Weights of dlib's face recognition network for `mien.zoo.face_resnet`.

The file is ``dlib_face_recognition_resnet_model_v1.dat`` of
https://github.com/davisking/dlib-models, public domain (CC0), which the package
``face_recognition_models`` of PyPI has inside. It was trained to tell apart the faces of about 3
million pictures, and has seen no label of an expression. Only that one file is taken, known by
its hash, so what is read from it is known before it is read.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, RecipeError
from mien.training.normalisation import settle
from mien.zoo.face_resnet import CHANNEL_MEANS, MEAN, SCALE

SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
"""Hash of the file."""
BYTES = 22_466_066
"""Its size."""
WIDTHS = (32, 64, 128, 256, 256)
"""Channels of dlib's stages."""
DEPTHS = (3, 4, 3, 3, 1)
"""Residual blocks of dlib's stages."""

_WEIGHTED = re.compile(rb"con_4|affine_")
_Array = NDArray[np.float32]


def load_dlib_faces(network: keras.Model, path: Path, faces: NDArray[Any]) -> str:
    """Put dlib's weights into a new network.

    Stages are taken in order, as long as they are as wide as dlib's; what comes after them, and
    the classifier, stays new. Where the network has batch normalisation dlib's has a fixed scale
    and shift. Mean and variance of what arrives there are measured on the given faces, and
    scale and shift changed so that the network gives what it gave without.

    Args:
        network: a network of `mien.zoo.face_resnet` with random weights.
        path: dlib's file.
        faces: input of the network, (n, h, w, c), values 0..255, at least some hundred; without
            labels.

    Returns:
        The part of the network that is dlib's, e.g. ``stages 1 to 3``.

    Raises:
        RecipeError: the first stage is not as wide as dlib's.
        ModelError: the file is not dlib's, or damaged.
        In both cases the network's weights are unchanged.
    """
    taken = _stages(network)
    if not taken:
        raise RecipeError(
            f"{path.name} fits face_resnet with widths {WIDTHS[:4]} or the first ones of these"
        )
    convolutions = dict(zip(_names(), _convolutions(path), strict=True))
    affine = [name for name in _names() if _fits(network, name, taken)]
    for name in affine:
        kernel, bias, scale, shift = convolutions[name]
        if name == "stem":
            kernel, bias = _at_stride_one(kernel, bias, network.input_shape[-1])
        network.get_layer(f"{name}_conv").set_weights([kernel])
        # For now: nothing taken off, nothing divided by, as in dlib's.
        normalisation = network.get_layer(f"{name}_bn")
        whole = np.sqrt(np.float32(1 + normalisation.epsilon))
        zeros = np.zeros_like(scale)
        normalisation.set_weights([scale * whole, shift + scale * bias, zeros, zeros + 1])
    for stage in range(2, taken + 1):
        shortcut = network.get_layer(f"stage{stage}_block1_shortcut_conv")
        shortcut.set_weights([np.eye(*shortcut.kernel.shape[2:], dtype=np.float32)[None, None]])
    settle(network, [f"{name}_bn" for name in affine], faces)
    return f"stages 1 to {taken}"


def _stages(network: keras.Model) -> int:
    """How many of the network's stages are as wide as dlib's, from the first one on."""
    layers = {layer.name: layer for layer in network.layers}
    for stage, width in enumerate(WIDTHS[:4], start=1):
        first = layers.get(f"stage{stage}_block1_1_conv")
        if first is None or first.filters != width:
            return stage - 1
    return 4


def _fits(network: keras.Model, name: str, taken: int) -> bool:
    if name == "stem":
        return True
    names = {layer.name for layer in network.layers}
    return int(name[len("stage")]) <= taken and f"{name}_conv" in names


def _names() -> Iterator[str]:
    """Names of dlib's convolutions, in the order of the file."""
    yield "stem"
    for stage, depth in enumerate(DEPTHS, start=1):
        for block in range(1, depth + 1):
            for place in (1, 2):
                yield f"stage{stage}_block{block}_{place}"


def _convolutions(path: Path) -> Iterator[tuple[_Array, _Array, _Array, _Array]]:
    """Kernel (h, w, c, filters), bias, scale and shift of each convolution.

    Raises:
        ModelError: the file is another one.
    """
    content = b""
    if path.stat().st_size == BYTES:
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelError(
            f"{path} is not dlib_face_recognition_resnet_model_v1.dat, or is damaged; "
            "the package face_recognition_models of PyPI has it"
        )
    return _read(content)


def _read(content: bytes) -> Iterator[tuple[_Array, _Array, _Array, _Array]]:
    tensors = [_tensor(content, match.end()) for match in _WEIGHTED.finditer(content)]
    channels = 3
    for numbers, affine in zip(tensors[::2], tensors[1::2], strict=True):
        filters = len(affine) // 2
        side = round((len(numbers) / filters / channels) ** 0.5)
        kernel = numbers[:-filters].reshape(filters, channels, side, side).transpose(2, 3, 1, 0)
        yield kernel, numbers[-filters:], affine[:filters], affine[filters:]
        channels = filters


def _tensor(content: bytes, position: int) -> _Array:
    """A tensor as dlib writes it: a version, four sizes, then float32, least byte first."""
    sizes = []
    for _ in range(5):
        # The length of the whole number in bytes, then the number.
        length = content[position]
        sizes.append(int.from_bytes(content[position + 1 : position + 1 + length], "little"))
        position += 1 + length
    return np.frombuffer(content, "<f4", int(np.prod(sizes[1:])), position).astype(np.float32)


def _at_stride_one(kernel: _Array, bias: _Array, channels: int) -> tuple[_Array, _Array]:
    """dlib's 7x7 at a stride of 2 on the doubled picture, as 5x5 at a stride of 1."""
    # Doubling (bilinear, by pixel centres) gives at 2j + k a mean of two pixels next to j.
    doubling = np.zeros((7, 5), np.float32)
    for row, k in enumerate(range(-3, 4)):
        m, odd = divmod(k, 2)
        near, far = (m, m + 1) if odd else (m, m - 1)
        doubling[row, near + 2] += 0.75
        doubling[row, far + 2] += 0.25
    small = np.einsum("yi,xj,yxcf->ijcf", doubling, doubling, kernel)
    means = np.asarray(CHANNEL_MEANS, np.float32)
    bias = bias + np.einsum("yxcf,c->f", kernel, (MEAN - means) / SCALE)
    if channels == 1:
        small = small.sum(axis=2, keepdims=True)
    return small.astype(np.float32), bias.astype(np.float32)
