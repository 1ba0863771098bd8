"""A compact network of about half a million parameters: seven convolutions, then an average.

The published pipeline describes its network only as a custom one of about 490,000 parameters;
this is one of that size: pairs of 3x3 convolutions as in VGG (Simonyan and Zisserman, 2015),
batch normalisation (Ioffe and Szegedy, 2015), and global average pooling in place of wide dense
layers (Lin et al., "Network in network", 2014), so that the parameters go into the convolutions.
"""

import keras


def compact_cnn(
    input_shape: tuple[int, int, int], classes: int, dropout: float = 0.3
) -> keras.Model:
    """Conv 32, 32, pool; 64, 64, pool; 128, 128, pool; 176, mean: 492,471 parameters at 48x48x1.

    All convolutions are 3x3, padded, without bias, followed by batch normalisation and ReLU.
    Values are scaled to [-1, 1].

    Args:
        input_shape: height, width, channels; at least 8 x 8.
        classes: number of outputs.
        dropout: rate before the classifier.

    Returns:
        float32 (n, height, width, channels) in 0..255 -> logits (n, classes).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(inputs)
    for block, widths in enumerate(((32, 32), (64, 64), (128, 128)), start=1):
        for index, filters in enumerate(widths, start=1):
            x = _convolution(x, filters, name=f"block{block}_{index}")
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = _convolution(x, 176, name="block4")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="compact_cnn")


def _convolution(x: keras.KerasTensor, filters: int, *, name: str) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
