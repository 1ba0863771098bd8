"""The plain four-convolution network that FER-2013 tutorials share, as published."""

import keras


def plain_cnn(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Conv 32, 64, pool; 128, pool; 256, pool; Dense 512: 2,489,095 parameters at 48x48x1.

    All convolutions are 3x3, unpadded, ReLU; each pool is followed by Dropout 0.1, the dense
    layer by Dropout 0.2. Values are scaled to [0, 1].

    Args:
        input_shape: height, width, channels; at least 38 x 38.
        classes: number of outputs.

    Returns:
        float32 (n, height, width, channels) in 0..255 -> logits (n, classes).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="scaling")(inputs)
    x = keras.layers.Conv2D(32, 3, activation="relu")(x)
    for filters in (64, 128, 256):
        x = keras.layers.Conv2D(filters, 3, activation="relu")(x)
        x = keras.layers.MaxPooling2D(2)(x)
        x = keras.layers.Dropout(0.1)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(512, activation="relu")(x)
    x = keras.layers.Dropout(0.2, name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="plain_cnn")
