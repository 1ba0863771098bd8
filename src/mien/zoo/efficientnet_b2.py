"""EfficientNet-B2 with a new head, for transfer from ImageNet.

Reference: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural
networks", 2019. The backbone is that of keras.applications without its top. Keras stores the
normalisation of the input among the weights, and adds a layer where ImageNet weights are asked
for, which corrects it; here the whole of it is constant, (value / 255 - mean) / deviation, and
the same whatever the weights.
"""

import keras

from mien.zoo.transfer import check_input, rebuild, with_head

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's values, red, green and blue, in [0, 1]."""
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Their standard deviation."""


def efficientnet_b2(
    input_shape: tuple[int, int, int], classes: int, units: int = 256, dropout: float = 0.3
) -> keras.Model:
    """EfficientNet-B2, mean, Dropout, Dense: 8,131,065 parameters.

    Args:
        input_shape: height, width, 3; at least 32 x 32; published for 260 x 260.
        classes: number of outputs.
        units: width of the hidden dense layer.
        dropout: rate before it.

    Returns:
        float32 (n, height, width, 3) in 0..255 -> logits (n, classes).

    Raises:
        ValueError: the input is not RGB or too small.
    """
    check_input(input_shape)
    backbone = keras.applications.EfficientNetB2(
        include_top=False, weights=None, input_tensor=keras.Input(input_shape, name="image")
    )
    return with_head(
        rebuild(backbone, _constant), classes, units=units, dropout=dropout, name="efficientnet_b2"
    )


def _constant(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    if isinstance(layer, keras.layers.Rescaling):
        return keras.layers.Rescaling(1 / 255, name="scaling")
    if isinstance(layer, keras.layers.Normalization):
        # Keras's layer would keep its constants outside the graph, where an export loses them.
        return keras.layers.Rescaling(
            [1 / deviation for deviation in IMAGENET_DEVIATION],
            [
                -mean / deviation
                for mean, deviation in zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)
            ],
            name="normalization",
        )
    return None
