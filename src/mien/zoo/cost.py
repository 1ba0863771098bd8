"""What a network costs to run, counted from its layers."""

import math

import keras


def flops(network: keras.Model) -> int:
    """Floating-point operations for one face: two for each multiply-add.

    Convolutions and dense layers count, as is usual; normalisation, activations, pooling and
    additions do not.

    Args:
        network: a built network; batch sizes do not matter.
    """
    counted = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    multiply_adds = 0
    for layer in network.layers:
        if isinstance(layer, counted):
            places = math.prod(layer.output.shape[1:-1])
            multiply_adds += places * math.prod(layer.kernel.shape)
    return 2 * multiply_adds
