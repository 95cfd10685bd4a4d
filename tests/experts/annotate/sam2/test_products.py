"""Weights in eight bits."""

import numpy as np

from experts.annotate.sam2.products import quantize


def test_quantized_weights_are_near_and_their_sums_fit_sixteen_bits() -> None:
    matrix = np.random.default_rng(0).normal(size=(96, 288)).astype(np.float32)
    matrix[:, 5] = 0
    levels, scale = quantize(matrix)
    assert np.abs(levels * scale - matrix).max() <= np.abs(matrix).max() / 126 * 1.001
    assert 2 * 255 * int(np.abs(levels.astype(int)).max()) < 2**15
    assert not (levels * scale)[:, 5].any()
