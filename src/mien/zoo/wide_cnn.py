"""The wide five-convolution network of a FER-2013 tutorial, as published."""

import keras


def wide_cnn(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Conv 256; 512, 384, 192, 384 with pools; Dense 256: 5,173,959 parameters at 48x48x1.

    All convolutions are 3x3, padded, ReLU. Each but the first is followed by batch
    normalisation, a 2x2 pool and Dropout 0.4, the dense layer by batch normalisation and
    Dropout 0.3. Values are scaled to [0, 1]. Most of its 3.8 billion multiplications stand at
    full resolution, between the first and the second convolution.

    Args:
        input_shape: height, width, channels; at least 16 x 16.
        classes: number of outputs.

    Returns:
        float32 (n, height, width, channels) in 0..255 -> logits (n, classes).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="scaling")(inputs)
    x = keras.layers.Conv2D(256, 3, padding="same", activation="relu")(x)
    for filters in (512, 384, 192, 384):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.MaxPooling2D(2)(x)
        x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(256, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3, name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="wide_cnn")
