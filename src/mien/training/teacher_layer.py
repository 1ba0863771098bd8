"""The layer of the training graph that asks teachers; `live_teachers` makes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""float32 (n, h, w, c), values 0..255 -> probabilities, float32 (n, classes)."""


class LiveTeachers(keras.layers.Layer):  # type: ignore[misc]
    """What several networks say of a batch: the mean of their calibrated probabilities.

    float32 (n, h, w, c), values 0..255 -> float32 (n, classes), in the order of the samples'
    labels; zeros outside training, where nobody is asked. No gradient passes.

    Args:
        answers: what is asked on the processor, outside of the graph.
        networks: what is asked within it, each -> logits; they are frozen.
        readings: how the networks' logits are read, one per network.
        classes: number of classes.
        temperature: the mean is softened by it.
        mirror: whether each is asked about the mirror image too.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        networks: Sequence[keras.Model],
        readings: Sequence["Reading"],
        *,
        classes: int,
        temperature: float = 1.0,
        mirror: bool = True,
    ) -> None:
        super().__init__(dtype="float32", trainable=False, name="live_teachers")
        self._answers = tuple(answers)
        self._networks = list(networks)
        for network in self._networks:
            network.trainable = False
        self._readings = tuple(readings)
        self._classes = classes
        self._temperature = temperature
        self._mirror = mirror

    def call(self, images: Any, training: bool = False) -> Any:
        """Ask."""
        ops = keras.ops
        n = ops.shape(images)[0]
        if not training:
            return ops.zeros((n, self._classes))
        images = ops.stop_gradient(images)
        if self._mirror:
            images = ops.concatenate([images, ops.flip(images, axis=2)])
        said = [
            reading.probabilities(network(images, training=False))
            for network, reading in zip(self._networks, self._readings, strict=True)
        ]
        if self._answers:
            outside = _outside(self._sum_of_answers, images, self._classes)
            said.append(outside)
        mean = sum(said[1:], start=said[0]) / (len(self._networks) + len(self._answers))
        if self._mirror:
            mean = (mean[:n] + mean[n:]) / 2
        if self._temperature != 1:
            mean = mean ** (1 / self._temperature)
            mean = mean / ops.sum(mean, axis=-1, keepdims=True)
        return ops.stop_gradient(mean)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One row of classes per picture."""
        return (input_shape[0], self._classes)

    def _sum_of_answers(self, images: Any) -> NDArray[np.float32]:
        pictures = np.asarray(images, np.float32)
        return np.asarray(sum(answer(pictures) for answer in self._answers), np.float32)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a network's logits become probabilities of the samples' classes."""

    columns: tuple[int, ...]
    """The output of each class."""
    temperature: float
    """The logits are divided by it."""

    def probabilities(self, logits: Any) -> Any:
        """Float32 (n, classes) of logits as tensors of the backend."""
        logits = keras.ops.cast(logits, "float32") / self.temperature
        return keras.ops.take(keras.ops.softmax(logits, axis=-1), list(self.columns), axis=-1)


def _outside(asked: Answer, images: Any, classes: int) -> Any:
    """Call a function of NumPy arrays from the graph of the active backend.

    Raises:
        ModelError: the backend has no way to.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        said = tf.numpy_function(asked, [images], tf.float32)
        said.set_shape((None, classes))
        return said
    if backend == "jax":
        import jax

        shape = jax.ShapeDtypeStruct((images.shape[0], classes), np.float32)  # type: ignore[no-untyped-call]
        return jax.pure_callback(asked, shape, images)
    raise ModelError(
        f"ONNX files cannot teach live on the backend {backend}; name Keras files, or use "
        "TensorFlow or JAX"
    )
