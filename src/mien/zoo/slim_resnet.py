"""mien's own small residual network for 48x48 faces.

Designed for two CPU cores, in training as at run time. Most of its time would go where maps are
large and channels few, so the full resolution is held by one convolution only, and depth is
spent at 12x12. Channels are multiples of 16, which is how ONNX Runtime and oneDNN block them.
Squeeze-and-excitation was left out: in each of four blocks it cost 17 % of the time of a face.

References: He et al., "Deep residual learning for image recognition", 2016; the averaging
shortcut is ResNet-D's (He et al., "Bag of tricks for image classification", 2019).
"""

import keras

from mien.zoo.convolution import normalised_convolution


def slim_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    stem: int = 32,
    widths: tuple[int, ...] = (48, 96, 192),
    depths: tuple[int, ...] = (1, 2, 1),
    dropout: float = 0.3,
) -> keras.Model:
    """Residual network whose every stage halves the resolution.

    Args:
        input_shape: height, width, channels.
        classes: number of outputs.
        stem: channels at full resolution.
        widths: channels of each stage.
        depths: residual blocks of each stage.
        dropout: rate before the classifier.

    Returns:
        float32 (n, height, width, channels) in 0..255 -> logits (n, classes).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(inputs)
    x = normalised_convolution(x, stem, name="stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        for block in range(1, depth + 1):
            x = _residual_block(
                x, width, stride=2 if block == 1 else 1, name=f"stage{stage}_block{block}"
            )
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="slim_resnet")


def _residual_block(x: keras.KerasTensor, width: int, stride: int, name: str) -> keras.KerasTensor:
    residual = normalised_convolution(x, width, strides=stride, name=f"{name}_1")
    residual = keras.layers.ReLU(name=f"{name}_1_relu")(residual)
    residual = normalised_convolution(residual, width, name=f"{name}_2")
    if stride > 1:
        x = keras.layers.AveragePooling2D(stride, padding="same", name=f"{name}_shortcut_pool")(x)
    if x.shape[-1] != width:
        x = normalised_convolution(x, width, kernel=1, name=f"{name}_shortcut")
    x = keras.layers.Add(name=f"{name}_add")([x, residual])
    return keras.layers.ReLU(name=f"{name}_relu")(x)
