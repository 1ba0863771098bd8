"""A residual network of the shape that dlib's face recognition has, for 48x48 faces.

A network that tells millions of faces apart has learned what faces look like, and dlib's is free
of any terms (CC0): `mien.training.dlib_faces` brings its weights. Three things are otherwise here.
dlib's looks at 150x150 with strides of 2 in its first convolution; a 48x48 face shows no more when
it is enlarged, so the first convolution is one at a stride of 1 that gives what dlib's gives on
the doubled picture. Edges are padded. And shortcuts that gain channels have a convolution, where
dlib's fill up with zeros. Batch normalisation stands where dlib's trained network, as it is given
away, has its fixed scale and shift.

References: Davis King, "High quality face recognition with deep metric learning", 2017,
http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html; residual blocks: He et
al., "Deep residual learning for image recognition", 2016.
"""

import keras

from mien.zoo.convolution import normalised_convolution

SCALE = 256.0
"""dlib's divisor of the values of a picture."""
CHANNEL_MEANS = (122.782, 117.001, 104.298)
"""What dlib takes from red, green and blue before."""
MEAN = sum(CHANNEL_MEANS) / 3
"""What is taken from every channel here; `mien.training.dlib_faces` makes up the difference."""


def face_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    widths: tuple[int, ...] = (32, 64, 128, 256),
    depths: tuple[int, ...] = (3, 4, 3, 3),
    dropout: float = 0.3,
) -> keras.Model:
    """Residual network with dlib's stages, but for the last one of its five.

    Args:
        input_shape: height, width, channels.
        classes: number of outputs.
        widths: channels of each stage; the first convolution has as many as the first of them.
        depths: residual blocks of each stage.
        dropout: rate before the classifier.

    Returns:
        float32 (n, height, width, channels) in 0..255 -> logits (n, classes).
    """
    inputs = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / SCALE, offset=-MEAN / SCALE, name="scaling")(inputs)
    x = normalised_convolution(x, widths[0], kernel=5, name="stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        for block in range(1, depth + 1):
            halved = block == 1 and stage > 1
            x = _residual_block(x, width, halved=halved, name=f"stage{stage}_block{block}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="face_resnet")


def _residual_block(
    x: keras.KerasTensor, width: int, *, halved: bool, name: str
) -> keras.KerasTensor:
    residual = normalised_convolution(x, width, strides=2 if halved else 1, name=f"{name}_1")
    residual = keras.layers.ReLU(name=f"{name}_1_relu")(residual)
    residual = normalised_convolution(residual, width, name=f"{name}_2")
    if halved:
        x = keras.layers.AveragePooling2D(2, padding="same", name=f"{name}_shortcut_pool")(x)
    if x.shape[-1] != width:
        x = keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_shortcut_conv")(x)
    x = keras.layers.Add(name=f"{name}_add")([x, residual])
    return keras.layers.ReLU(name=f"{name}_relu")(x)
