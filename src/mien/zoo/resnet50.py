"""ResNet-50 with a new head, for transfer from ImageNet.

Reference: He et al., "Deep residual learning for image recognition", 2016. The backbone is that
of keras.applications without its top, but for the order of the colours: Keras's ImageNet weights
want blue, green, red, and this network takes RGB as all of mien. Its first convolution has a
name of its own, so that weights tell which order they are for.
"""

import keras

from mien.zoo.transfer import check_input, rebuild, with_head

IMAGENET_MEAN = (123.68, 116.779, 103.939)
"""Mean of ImageNet's values, red, green and blue, in 0..255."""
FIRST = "conv1_rgb"
"""Name of the first convolution."""
KERAS_FIRST = "conv1_conv"
"""Its name in keras.applications, where it takes blue, green, red."""


def resnet50(
    input_shape: tuple[int, int, int], classes: int, units: int = 256, dropout: float = 0.3
) -> keras.Model:
    """ResNet-50, mean, Dropout, Dense: 24,114,055 parameters.

    The mean of ImageNet is subtracted; values are not scaled.

    Args:
        input_shape: height, width, 3; at least 32 x 32; published for 224 x 224.
        classes: number of outputs.
        units: width of the hidden dense layer.
        dropout: rate before it.

    Returns:
        float32 (n, height, width, 3) in 0..255 -> logits (n, classes).

    Raises:
        ValueError: the input is not RGB or too small.
    """
    check_input(input_shape)
    scaling = keras.layers.Rescaling(1.0, [-mean for mean in IMAGENET_MEAN], name="scaling")
    backbone = keras.applications.ResNet50(
        include_top=False,
        weights=None,
        input_tensor=scaling(keras.Input(input_shape, name="image")),
    )
    return with_head(
        rebuild(backbone, _renamed), classes, units=units, dropout=dropout, name="resnet50"
    )


def _renamed(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    if layer.name != KERAS_FIRST:
        return None
    return type(layer).from_config(layer.get_config() | {"name": FIRST})
