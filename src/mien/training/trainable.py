"""The trainable copy: the network as it is trained, fast, beside the network as it is saved.

The zoo builds plain float32 networks from stock layers, and only those are saved and exported.
What is trained is a copy with the same weights in the same order, but in the recipe's
precision, with augmentation in front, with a second head where the recipe asks for one, and
with fused batch normalisation: Keras 3 computes that layer from elementary operations, which on
two CPU cores took more than half of a residual network's training time (see LOG.md).

Where the recipe averages the weights, the normalisation's statistics are averaged as long. At
Keras's shorter memory they belong to the last few steps' weights and not to the average, and
validation accuracy jumped by up to three points between epochs.
"""

from collections.abc import Sequence
from typing import Any

import keras

from mien.data.augmentation import augmentation_layers, damage_layers
from mien.labels import FERPLUS
from mien.training.recipe import Recipe

EXPRESSION = "expression"
"""Name of the head that is kept."""
FERPLUS_HEAD = "ferplus"
"""Name of the head that learns vote distributions."""
TEACHER_HEAD = "teacher"
"""Name of the output that holds the network's logits beside what live teachers say."""


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation by TensorFlow's fused kernel in training; elsewhere Keras's own.

    Its weights are those of `keras.layers.BatchNormalization`, in the same order. The moving
    variance takes the unbiased batch variance, as the fused kernel gives it.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise; a frozen layer or one outside training uses the moving statistics."""
        if not (training and self.trainable) or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        empty = tf.constant([], tf.float32)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            mean=empty,
            variance=empty,
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            is_training=True,
        )
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + mean * (1 - keep))
        self.moving_variance.assign(self.moving_variance * keep + variance * (1 - keep))
        return outputs


def trainable_copy(
    network: keras.Model, recipe: Recipe, teachers: keras.layers.Layer | None = None
) -> tuple[keras.Model, keras.Model]:
    """Build what is trained from what is saved.

    Args:
        network: a float32 network of the zoo; its weights are copied.
        recipe: precision, augmentation and heads.
        teachers: live ones, float32 (n, h, w, c), values 0..255 -> (n, classes); they see the
            pictures as the augmentation leaves them, as the copy does, but without its damage.

    Returns:
        The training model, uint8 (n, h, w, c) -> {"expression": logits, ...}, and the copy
        within it, whose weights `copy_weights` brings back. With teachers there is one more
        output, ``teacher``: the logits and beside them what they say, (n, 2 * classes).
    """
    trainable = _copy(network, recipe)
    inputs = keras.Input(network.input_shape[1:], dtype="uint8", name="image")
    x: Any = keras.layers.Rescaling(1.0, dtype="float32", name="to_float")(inputs)
    for layer in augmentation_layers(recipe.drawn_augmentation, recipe.seed):
        x = layer(x)
    unharmed = x
    for layer in damage_layers(recipe.drawn_augmentation, recipe.seed):
        x = layer(x)
    outputs = {}
    if not recipe.ferplus_weight:
        outputs[EXPRESSION] = trainable(x)
    else:
        trunk = keras.Model(
            trainable.inputs,
            [trainable.get_layer("features").output, trainable.outputs[0]],
            name=trainable.name,
        )
        features, outputs[EXPRESSION] = trunk(x)
        votes = keras.layers.Dense(len(FERPLUS), dtype="float32", name=FERPLUS_HEAD)
        outputs[FERPLUS_HEAD] = votes(features)
    if teachers is not None:
        beside = keras.layers.Concatenate(dtype="float32", name=TEACHER_HEAD)
        outputs[TEACHER_HEAD] = beside([outputs[EXPRESSION], teachers(unharmed)])
    return keras.Model(inputs, outputs, name="training"), trainable


def in_precision(network: keras.Model, precision: str) -> keras.Model:
    """A copy of a network that computes in a precision, its weights and logits float32.

    Args:
        network: float32 (n, h, w, c) -> logits (n, classes).
        precision: a name of Keras's policies, e.g. ``mixed_bfloat16``.
    """
    policy = keras.mixed_precision.DTypePolicy(precision)
    last = network.layers[-1].name

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.InputLayer) and layer.name != last:
            config["dtype"] = policy
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=convert)
    copy.set_weights(network.get_weights())
    return copy


def _copy(network: keras.Model, recipe: Recipe) -> keras.Model:
    """The network in the recipe's precision, with fused batch normalisation."""
    policy = keras.mixed_precision.DTypePolicy(recipe.precision)

    def convert(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.InputLayer) and layer.name != "logits":
            config["dtype"] = policy
        if isinstance(layer, keras.layers.BatchNormalization) and recipe.ema_momentum:
            config["momentum"] = max(config["momentum"], recipe.ema_momentum)
        fused = type(layer) is keras.layers.BatchNormalization and _is_fusible(layer)
        return (FusedBatchNormalization if fused else type(layer)).from_config(config)

    trainable = keras.models.clone_model(network, clone_function=convert)
    trainable.set_weights(network.get_weights())
    return trainable


def copy_weights(trainable: keras.Model, network: keras.Model) -> None:
    """Copy the weights of the trainable copy into the network that is saved."""
    network.set_weights(trainable.get_weights())


def ferplus_network(network: keras.Model, head_weights: Sequence[Any]) -> keras.Model:
    """The saved network's trunk under the second head: a network of FER+'s eight classes.

    Args:
        network: the network that is saved; its layers are shared.
        head_weights: kernel and bias of the head `FERPLUS_HEAD` of the training model.

    Returns:
        float32 (n, h, w, c) in 0..255 -> logits (n, 8) over `labels.FERPLUS`.
    """
    head = keras.layers.Dense(len(FERPLUS), name="logits")
    outputs = head(network.get_layer("features").output)
    head.set_weights(head_weights)
    return keras.Model(network.inputs[0], outputs, name=f"{network.name}_ferplus")


def _is_fusible(layer: keras.layers.BatchNormalization) -> bool:
    """The fused kernel knows four-dimensional maps with the channels last, scale and offset."""
    rank = len(layer.input.shape)
    last = layer.axis in (-1, rank - 1, [-1], [rank - 1])
    return rank == 4 and last and layer.scale and layer.center
