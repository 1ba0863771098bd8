"""What a Keras network's maps take in memory, and how many faces may therefore go through at once.

Called as it is, without a graph, a Keras network keeps the output of every layer until its end:
130 MB for each face of 224 x 224 pixels in ResNet-50, so that 256 of them need 33 GB.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras

from mien.preprocessing import faces_at_once

_FLOAT_BYTES = 4


def batch_faces(network: keras.Model) -> int:
    """Faces that may go through a network at a time while the outputs of all its layers are kept.

    Args:
        network: (n, h, w, c) -> (n, classes).
    """
    return faces_at_once(max(1, _kept_bytes(network, _largest(network.input_shape))))


def _kept_bytes(network: keras.Model, side_px: int) -> int:
    """Bytes of the outputs of all layers for one face, those of networks inside included.

    Args:
        network: of float32 layers.
        side_px: what sides that are left open are taken for, rather too large than too small.
    """
    total = 0
    for layer in network.layers:
        for tensor in keras.tree.flatten(getattr(layer, "output", None)):
            sides = [side_px if side is None else side for side in tensor.shape[1:]]
            total += math.prod(sides) * _FLOAT_BYTES
        if isinstance(layer, keras.Model):
            total += _kept_bytes(layer, side_px)
    return total


def _largest(shape: Sequence[Any]) -> int:
    return max((side for side in shape[1:3] if isinstance(side, int)), default=1)
