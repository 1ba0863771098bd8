"""The four-block network that notebooks on Kaggle's "face expression recognition" set share.

Convolution, batch normalisation, ReLU, pool and dropout in each block, then two dense layers in
the same manner.
"""

import keras


def batchnorm_cnn(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Conv 64, 128 (5x5), 512, 512, each pooled; Dense 256, 512: 4,478,727 parameters at 48x48x1.

    The convolutions are padded; every block and dense layer ends with Dropout 0.25. Values are
    scaled to [0, 1].

    Args:
        input_shape: height, width, channels; at least 16 x 16.
        classes: number of outputs.

    Returns:
        float32 (n, height, width, channels) in 0..255 -> logits (n, classes).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255, name="scaling")(inputs)
    for filters, kernel in ((64, 3), (128, 5), (512, 3), (512, 3)):
        x = keras.layers.Conv2D(filters, kernel, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D(2)(x)
        x = keras.layers.Dropout(0.25)(x)
    x = keras.layers.Flatten()(x)
    for units, name in ((256, None), (512, "features")):
        x = keras.layers.Dense(units)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.Dropout(0.25, name=name)(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="batchnorm_cnn")
