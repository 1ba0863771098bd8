"""Muon for convolutions: SGD whose steps of kernels are made orthogonal.

A kernel is taken as a matrix, one column for each of its outputs. The nearest orthogonal matrix to
its momentum is the step, so all directions that the gradients show are learned equally fast, and
not the strongest ones alone. The kernel is kept at one length, which changes nothing where a
normalisation follows. Keras's own Muon leaves kernels of convolutions to AdamW.

Source: Jordan et al., https://kellerjordan.github.io/posts/muon, 2024; convolutions as in
https://github.com/KellerJordan/cifar10-airbench, airbench94_muon.py.
"""

from typing import Any

import keras
from keras import ops

KERNEL_MOMENTUM = 0.95
"""Nesterov momentum of the kernels."""
KERNEL_RATE = 0.2
"""Learning rate of the kernels, in learning rates of everything else. In batches of 128 the 2.4 of
airbench, which has batches of 2,000, learned slower than SGD (LOG.md)."""
_STEPS = 3
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that is iterated, which takes singular values towards 1."""


class ConvolutionMuon(keras.optimizers.SGD):  # type: ignore[misc]
    """Muon for kernels of (rows, columns, channels, outputs), SGD for everything else.

    For networks in which a normalisation follows every convolution: kernels lose their length. The
    options are SGD's.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable; Keras calls it."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.momentums[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(momentum, KERNEL_MOMENTUM * momentum + gradient)
        ahead = gradient + KERNEL_MOMENTUM * momentum
        step = ops.reshape(orthogonal(ops.reshape(ahead, (-1, variable.shape[-1]))), ahead.shape)
        length = variable.shape[-1] ** 0.5 / (ops.norm(ops.ravel(variable)) + 1e-7)
        rate = KERNEL_RATE * ops.cast(learning_rate, variable.dtype)
        self.assign(variable, length * variable - rate * step)


def orthogonal(matrix: Any) -> Any:
    """About the nearest matrix with orthonormal rows or columns, whichever are fewer.

    By the Newton-Schulz iteration, which takes products alone.

    Args:
        matrix: float32 (m, n), a tensor of Keras.

    Returns:
        float32 (m, n). Singular values come near 1, those of random matrices between 0.5 and 1.25;
        far smaller ones than the largest stay smaller.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if is_tall else matrix
    x = x / (ops.norm(x) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_STEPS):
        square = x @ ops.transpose(x)
        x = a * x + (b * square + c * square @ square) @ x
    return ops.transpose(x) if is_tall else x
