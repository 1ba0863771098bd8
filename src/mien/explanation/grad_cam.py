"""Grad-CAM: which of a Keras network's last feature maps speak for a class, and where.

The maps of the last layer that still has places are weighted by the mean gradient of the class's
logit, summed, and what speaks against the class is cut off. It is coarse (3 x 3 for the networks
of 48 pixels with four halvings) and quick: one pass forward, one backward.

Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
localization", ICCV 2017, https://arxiv.org/abs/1610.02391
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, needs_extra

with needs_extra("train"):
    import keras

_REMEDY = "use --method occlusion"


def grad_cam(
    network: "keras.Model", faces: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Grad-CAM of a class for each face.

    Args:
        network: float32 (n, h, w, c) in 0..255 -> logits (n, classes); see `maps_layer`.
        faces: what it sees, float32 (n, h, w, c).
        labels: index of the explained class of each, (n,).

    Returns:
        float64 (n, h, w), at least 0, in units of the logit.

    Raises:
        ModelError: the network has no layer with places, or Keras does not run on TensorFlow.
    """
    layer = maps_layer(network)
    both = keras.Model(network.inputs, [layer.output, network.outputs[0]])
    maps, gradients = _maps_and_gradients(both, faces, labels)
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    coarse = np.maximum((weights * maps).sum(axis=-1), 0.0)
    size = faces.shape[2], faces.shape[1]
    fine = [cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for each in coarse]
    return np.asarray(fine, np.float64)


def maps_layer(network: "keras.Model") -> Any:
    """The last layer whose output has more than one place, (n, rows, columns, channels).

    Raises:
        ModelError: there is none.
    """
    for layer in reversed(network.layers):
        shape: tuple[int | None, ...] = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) == 4 and shape[1] and shape[2] and shape[1] * shape[2] > 1:
            if isinstance(layer, keras.layers.InputLayer):
                break
            return layer
    raise ModelError(f"{network.name} has no convolution's maps for Grad-CAM; {_REMEDY}")


def _maps_and_gradients(
    both: "keras.Model", faces: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The maps, and how the sum of the classes' logits changes with them, (n, r, k, c) each."""
    if keras.backend.backend() != "tensorflow":
        raise ModelError(f"Grad-CAM needs Keras on TensorFlow (KERAS_BACKEND); {_REMEDY}")
    import tensorflow as tf

    with tf.GradientTape() as tape:
        seen = tf.convert_to_tensor(faces)
        tape.watch(seen)  # else nothing would be recorded where weights are frozen
        maps, logits = both(seen, training=False)
        chosen = tf.reduce_sum(tf.gather(logits, labels, axis=1, batch_dims=1))
    gradients = tape.gradient(chosen, maps)
    if gradients is None:
        raise ModelError(f"{both.name} has maps that its answer does not depend on; {_REMEDY}")
    return np.asarray(maps, np.float64), np.asarray(gradients, np.float64)
