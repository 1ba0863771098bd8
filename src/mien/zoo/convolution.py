"""The convolution of mien's own residual networks."""

import keras


def normalised_convolution(
    x: keras.KerasTensor, filters: int, *, kernel: int = 3, strides: int = 1, name: str
) -> keras.KerasTensor:
    """Convolution without bias, then batch normalisation.

    Args:
        x: maps, (n, h, w, c).
        filters: channels that come out.
        kernel: height and width of the kernel in pixels.
        strides: step in pixels; edges are padded, so h and w are divided by it, rounded up.
        name: the layers are ``<name>_conv`` and ``<name>_bn``.

    Returns:
        Maps, (n, h / strides, w / strides, filters).
    """
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
