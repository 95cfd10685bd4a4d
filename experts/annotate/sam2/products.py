"""Linear layers in an ONNX graph, with 8-bit matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experts.annotate.sam2.onnx_file import Array, Graph

WEIGHT_LEVELS = 63
"""Weights are quantized to −63…63 rather than ±127. Without VNNI, processors add two products of
8 bits in 16, which more than 63 × 255 × 2 overflows; so all of them give the same sums."""

Layer = tuple[Array, Array]
"""Matrix [K, N] and bias of a linear layer, [N] or one for each token."""


def product(graph: Graph, x: str, weight: Array, bias: Array) -> str:
    """One linear layer in float32."""
    return graph.add("Add", graph.add("MatMul", x, weight), bias)


def quantized_products(
    graph: Graph, x: str, matrices: Sequence[Array], biases: Sequence[Array] | None = None
) -> list[str]:
    """Products of one input, which is quantized once, as a whole, with matrices [K, N], which are
    quantized per column; `biases` [N] are added."""
    small, scale, zero = graph.split("DynamicQuantizeLinear", x, outputs=3)
    products = []
    for number, (matrix, matrix_scale) in enumerate(map(quantize, matrices)):
        zeros = np.zeros(len(matrix_scale), np.int8)
        bias = () if biases is None else (biases[number],)
        inputs = small, matrix, scale, matrix_scale, zero, zeros, *bias
        products.append(graph.add("MatMulIntegerToFloat", *inputs, domain="com.microsoft"))
    return products


def quantize(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A [K, N] matrix as int8 and a scale per column: `int8 * scale` is nearly the matrix."""
    scale = np.abs(matrix).max(axis=0) / np.float32(WEIGHT_LEVELS)
    scale[scale == 0] = 1
    return np.round(matrix / scale).astype(np.int8), scale.astype(np.float32)
