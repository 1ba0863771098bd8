"""Muon: orthogonal steps of convolutions, SGD's of everything else."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

import keras

from mien.training.muon import KERNEL_RATE, ConvolutionMuon, orthogonal


@pytest.mark.parametrize("shape", [(288, 32), (27, 16), (16, 27), (64, 64)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).normal(0, 3, shape).astype(np.float32)
    u, s, v = np.linalg.svd(np.array(orthogonal(keras.ops.array(matrix))), full_matrices=False)
    assert s.max() < 1.25 and np.median(s) > 0.6
    nearest = np.linalg.svd(matrix, full_matrices=False)
    assert np.vdot(u @ np.diag(s) @ v, nearest[0] @ nearest[2]) / len(s) > 0.6


def test_kernels_turn_and_keep_their_length_and_the_rest_is_sgd() -> None:
    keras.utils.set_random_seed(2)
    kernel = keras.Variable(np.random.default_rng(2).normal(0, 1, (3, 3, 8, 16)), name="kernel")
    bias, twin = keras.Variable(np.ones(16), name="bias"), keras.Variable(np.ones(16), name="bias")
    muon = ConvolutionMuon(learning_rate=0.05, momentum=0.9, nesterov=True)
    sgd = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9, nesterov=True)
    muon.build([kernel, bias])
    sgd.build([twin])
    for seed in range(3):
        random = np.random.default_rng(seed)
        before = np.array(kernel)
        slope, other = random.normal(0, 1, kernel.shape), random.normal(0, 1, 16)
        muon.apply([keras.ops.array(slope, "float32"), keras.ops.array(other, "float32")])
        sgd.apply([keras.ops.array(other, "float32")])
        step = 4 * before / np.linalg.norm(before) - np.array(kernel)
        values = np.linalg.svd(step.reshape(-1, 16), compute_uv=False) / (0.05 * KERNEL_RATE)
        assert values.min() > 0.5 and values.max() < 1.25
        assert np.vdot(step, slope) > 0 or seed  # downhill, before momentum
    np.testing.assert_allclose(np.array(bias), np.array(twin), rtol=1e-6)
