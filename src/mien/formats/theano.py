"""Networks that Keras trained with Theano, which computed convolutions with turned kernels."""

import keras
import numpy as np

from mien.errors import ModelError


def turn_kernels(network: keras.Model, name: str) -> None:
    """Turn the kernels of convolutions by 180 degrees, as all other backends want them.

    Args:
        network: changed in place.
        name: what its file is called in messages.

    Raises:
        ModelError: it has convolutions of a kind that Keras 2 did not convert either.
    """
    for layer in network.layers:
        kind = type(layer).__name__
        if isinstance(layer, keras.Model):
            turn_kernels(layer, name)
        elif kind in ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"):
            kernel, *rest = layer.get_weights()
            sides = tuple(range(kernel.ndim - 2))
            layer.set_weights([np.flip(kernel, sides), *rest])
        elif "Conv" in kind:
            raise ModelError(
                f"{name} holds a {kind} layer that Theano trained, whose kernels mien cannot "
                "turn; save it again with Keras 2 and the TensorFlow backend"
            )
