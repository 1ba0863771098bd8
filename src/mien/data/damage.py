"""What other cameras do to pictures, done to training pictures: blur, few pixels, noise.

A layer that stands behind the augmentation and before the network. Teachers that are asked live
stand before it: they see the picture unharmed, and the network learns to say the same of less.
FER-2013 is sharp and clean for its size, so networks that saw nothing else lose most to just
these (docs/stress.md).
"""

from typing import Any

import numpy as np

from mien.errors import needs_extra

with needs_extra("train"):
    import keras

BLURS = (0.017, 0.033, 0.054)
"""Deviations of the Gaussian, as parts of the side."""
SIDES = (24, 16)
"""Pixels of the side that are left where a picture is made coarse."""
NOISE_LEVELS = 30.0
"""Largest deviation of the noise, in grey levels of 255."""


class RandomDamage(keras.layers.Layer):  # type: ignore[misc]
    """Blur or coarsen a share of the pictures, and add noise to as many.

    Which of the `BLURS` and `SIDES` is drawn for each picture alike; the deviation of the noise is
    uniform up to `NOISE_LEVELS`. Only in training.

    Args:
        probability: the share, in [0, 1].
        seed: of the random generator.
    """

    def __init__(self, probability: float, seed: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.probability = probability
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """Damage pictures, float32 (n, h, w, c), values 0..255."""
        ops = keras.ops
        images = ops.cast(images, "float32")
        if not training:
            return images
        n = ops.shape(images)[0]
        drawn = keras.random.uniform((n, 4), seed=self.generator)
        height, width = images.shape[1], images.shape[2]
        harmed = [
            *(_blurred(images, part * max(height, width)) for part in BLURS),
            *(_coarse(images, side) for side in SIDES),
        ]
        chosen = ops.cast(ops.floor(drawn[:, 1] * len(harmed)), "int32")
        chosen = ops.where(drawn[:, 0] < self.probability, chosen, -1)
        result = images
        for number, version in enumerate(harmed):
            result = ops.where((chosen == number)[:, None, None, None], version, result)
        level = ops.where(drawn[:, 2] < self.probability, NOISE_LEVELS * drawn[:, 3], 0.0)
        noise = keras.random.normal(ops.shape(images), seed=self.generator)
        return ops.clip(result + level[:, None, None, None] * noise, 0.0, 255.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape


def _blurred(images: Any, deviation: float) -> Any:
    """A Gaussian over columns, then over rows; the edge is mirrored."""
    ops = keras.ops
    reach = max(1, round(2.5 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    channels = images.shape[3]
    for shape, pad in (((1, -1), ((0, 0), (reach, reach))), ((-1, 1), ((reach, reach), (0, 0)))):
        kernel = np.tile(weights.reshape(*shape, 1, 1), (1, 1, channels, 1))
        padded = ops.pad(images, ((0, 0), *pad, (0, 0)), mode="symmetric")
        images = ops.depthwise_conv(padded, ops.convert_to_tensor(kernel), padding="valid")
    return images


def _coarse(images: Any, side_px: int) -> Any:
    """Means of squares, enlarged again; a picture that is no larger stays as it is."""
    height, width = images.shape[1], images.shape[2]
    square = max(height, width) // side_px
    if square < 2:
        return images
    # By hand: on JAX, Keras 3.15 cannot pool without strides.
    ops = keras.ops
    down, across = -(-height // square), -(-width // square)
    more = ((0, down * square - height), (0, across * square - width))
    whole = ops.pad(images, ((0, 0), *more, (0, 0)), mode="symmetric")
    squares = ops.reshape(whole, (-1, down, square, across, square, images.shape[3]))
    means = ops.mean(squares, axis=(2, 4))
    size = (down * square, across * square)
    return ops.image.resize(means, size, interpolation="bilinear")[:, :height, :width]
