"""SAM 2's image encoder, Hiera tiny, written anew as an ONNX graph with 8-bit matrix products.

Ryali et al., "Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles", ICML 2023;
as in SAM 2 (`sam2/modeling/backbones/hieradet.py`, `image_encoder.py`). The weights are those of
the exported encoder; in float32 this graph gives the same features (relative error 1e-6). What
differs from the export:

- Linear layers multiply 8-bit integers: activations are quantized per tensor as they come,
  weights per output channel, once. That halves the encoder's time on a processor with VNNI.
- Attention is one operator, which never holds the whole matrix of weights (268 MB a layer at
  1024 px).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experts.annotate.sam2.onnx_file import Array, Graph

# Hiera tiny as in SAM 2's `sam2_hiera_t.yaml`, by stage.
DEPTHS = (1, 2, 7, 2)
CHANNELS = (96, 192, 384, 768)
HEADS = (1, 2, 4, 8)
WINDOWS = (8, 4, 14, 7)  # tokens, the side of an attention window
GLOBAL_BLOCKS = (5, 7, 9)
"""Blocks that attend to the whole picture, not to windows."""

SIDE = 1024
"""px; the square that a picture is stretched to. Another size costs less and other masks: at 896 px
mean IoU .95 with the masks at 1024 px, at 1024×576 .91 and lost tracks."""

PATCH_STRIDE = 4  # px per token of the first stage
WEIGHT_LEVELS = 63
"""Weights are quantized to −63…63 rather than ±127. Without VNNI, processors add two products of
8 bits in 16, which more than 63 × 255 × 2 overflows; so all of them give the same sums."""

Constants = Mapping[str, Array]

_TRUNK = "model.image_encoder.trunk."
_NECK = "model.image_encoder.neck."
_FOLDED = "/image_encoder/trunk/"  # constants that the export had transposed


@dataclass(frozen=True, slots=True)
class _Block:
    """One transformer block: what it is called and what it does."""

    index: int
    channels: int  # given
    out_channels: int
    heads: int
    window: int  # tokens; 0: global attention
    pools: bool  # halves both sides

    @property
    def weights(self) -> str:
        return f"{_TRUNK}blocks.{self.index}."

    @property
    def matrices(self) -> str:
        return f"{_FOLDED}blocks.{self.index}/"


def encoder(constants: Constants, quantized: bool = True) -> bytes:
    """The encoder as an ONNX file.

    `constants` are those of the exported encoder, by its names. Input `image` [1, 3, 1024, 1024],
    normalized; outputs `high_res_feats_0` [1, 32, 256, 256], `high_res_feats_1` [1, 64, 128, 128]
    and `image_embed` [1, 256, 64, 64], all float32. `quantized=False` keeps float32 throughout, to
    compare.
    """
    return _Builder(constants, quantized).file()


def quantize(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A [K, N] matrix as int8 and a scale per column: `int8 * scale` is nearly the matrix."""
    scale = np.abs(matrix).max(axis=0) / np.float32(WEIGHT_LEVELS)
    scale[scale == 0] = 1
    return np.round(matrix / scale).astype(np.int8), scale.astype(np.float32)


def _blocks() -> Iterator[_Block]:
    index = 0
    for stage, depth in enumerate(DEPTHS):
        for number in range(depth):
            # The first block of a later stage pools, and still has the windows of the one before.
            before = stage - 1 if stage and not number else stage
            window = 0 if index in GLOBAL_BLOCKS else WINDOWS[before]
            yield _Block(
                index, CHANNELS[before], CHANNELS[stage], HEADS[stage], window, before < stage
            )
            index += 1


class _Builder:
    def __init__(self, constants: Constants, quantized: bool) -> None:
        self.constants = constants
        self.quantized = quantized
        self.graph = Graph()

    def file(self) -> bytes:
        levels = self._trunk()
        add = self.graph.add
        sharp = self._skip_connection(levels[0], level=3, to_decoder="conv_s0")
        medium = self._skip_connection(levels[1], level=2, to_decoder="conv_s1")
        coarse = self._conv(levels[3], *self._neck(0))
        cells = SIDE // 32
        coarse = add("Reshape", coarse, _ints(1, 256, cells, 1, cells, 1))
        coarse = add("Expand", coarse, _ints(1, 256, cells, 2, cells, 2))  # nearest, twofold
        coarse = add("Reshape", coarse, _ints(1, 256, 2 * cells, 2 * cells))
        weight, bias = self._neck(1)
        no_memory = self.constants["no_mem_embed"][0, :, 0]
        embedding = add("Add", self._conv(levels[2], weight, bias + no_memory), coarse)
        return self.graph.serialized(
            {"image": (1, 3, SIDE, SIDE)},
            {
                "high_res_feats_0": (sharp, (1, 32, SIDE // 4, SIDE // 4)),
                "high_res_feats_1": (medium, (1, 64, SIDE // 8, SIDE // 8)),
                "image_embed": (embedding, (1, 256, SIDE // 16, SIDE // 16)),
            },
        )

    def _trunk(self) -> list[str]:
        """The features after each stage, [1, C, H, W]."""
        add, constants = self.graph.add, self.constants
        tokens = SIDE // PATCH_STRIDE
        x = add(
            "Conv",
            "image",
            constants[f"{_TRUNK}patch_embed.proj.weight"],
            constants[f"{_TRUNK}patch_embed.proj.bias"],
            kernel_shape=(7, 7),
            strides=(PATCH_STRIDE, PATCH_STRIDE),
            pads=(3, 3, 3, 3),
        )
        positions = constants[f"{_FOLDED}Transpose_output_0"]
        x = add("Transpose", add("Add", x, positions), perm=(0, 2, 3, 1))
        levels = []
        last = np.cumsum(DEPTHS) - 1
        for block in _blocks():
            x = self._block(x, block, tokens)
            if block.pools:
                tokens //= 2
            if block.index in last:
                levels.append(add("Transpose", x, perm=(0, 3, 1, 2)))
        return levels

    def _block(self, x: str, block: _Block, side: int) -> str:
        """One block over `side` × `side` tokens, [1, H, W, C]."""
        add = self.graph.add
        normed = self._norm(x, f"{block.weights}norm1")
        if block.pools:
            shortcut = self._linear(normed, block, "proj")
            x = self._pooled(shortcut)
        x = add("Add", x, self._attention(normed, block, side))
        hidden = self._linear(self._norm(x, f"{block.weights}norm2"), block, "mlp.layers.0")
        hidden = add("Gelu", hidden, domain="com.microsoft")
        return add("Add", x, self._linear(hidden, block, "mlp.layers.1"))

    def _attention(self, x: str, block: _Block, side: int) -> str:
        add, channels = self.graph.add, block.out_channels
        window = block.window or side
        padded = side + -side % window
        if padded > side:
            x = add("Pad", x, _ints(0, 0, 0, 0, 0, padded - side, padded - side, 0))
        across = padded // window
        # Windows are rows of a batch: [windows, tokens, C].
        x = add("Reshape", x, _ints(across, window, across, window * block.channels))
        x = add("Transpose", x, perm=(0, 2, 1, 3))
        x = add("Reshape", x, _ints(across * across, window * window, block.channels))
        q, k, v = self.graph.split(
            "Split",
            self._linear(x, block, "attn.qkv"),
            _ints(channels, channels, channels),
            outputs=3,
            axis=-1,
        )
        if block.pools:
            q = self._pooled(add("Reshape", q, _ints(across * across, window, window, channels)))
            window, padded, side = window // 2, padded // 2, side // 2
            q = add("Reshape", q, _ints(across * across, window * window, channels))
        x = add("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=block.heads)
        x = self._linear(x, block, "attn.proj")
        x = add("Reshape", x, _ints(across, across, window, window * channels))
        x = add("Transpose", x, perm=(0, 2, 1, 3))
        x = add("Reshape", x, _ints(1, padded, padded, channels))
        if padded > side:
            x = add("Slice", x, _ints(0, 0), _ints(side, side), _ints(1, 2))
        return x

    def _linear(self, x: str, block: _Block, name: str) -> str:
        weight = self.constants[f"{block.matrices}{name.replace('.', '/', 1)}/Transpose_output_0"]
        bias = self.constants[f"{block.weights}{name}.bias"]
        if not self.quantized:
            return self.graph.add("Add", self.graph.add("MatMul", x, weight), bias)
        matrix, scale = quantize(weight)
        zeros = np.zeros(len(scale), np.int8)
        return self.graph.add(
            "DynamicQuantizeMatMul", x, matrix, scale, zeros, bias, domain="com.microsoft"
        )

    def _norm(self, x: str, name: str) -> str:
        scale, bias = self.constants[f"{name}.weight"], self.constants[f"{name}.bias"]
        return self.graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-6)

    def _pooled(self, x: str) -> str:
        """[N, H, W, C] at half its sides, the larger of each two by two."""
        x = self.graph.add("Transpose", x, perm=(0, 3, 1, 2))
        x = self.graph.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
        return self.graph.add("Transpose", x, perm=(0, 2, 3, 1))

    def _neck(self, level: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weight [256, C] and bias of the pyramid's 1×1 convolution; level 0 is the coarsest."""
        weight = self.constants[f"{_NECK}convs.{level}.conv.weight"][:, :, 0, 0]
        return weight, self.constants[f"{_NECK}convs.{level}.conv.bias"]

    def _skip_connection(self, x: str, level: int, to_decoder: str) -> str:
        """The pyramid's 1×1 convolution and the decoder's behind it, as the one they amount to."""
        inner, inner_bias = self._neck(level)
        name = f"model.sam_mask_decoder.{to_decoder}"
        outer = self.constants[f"{name}.weight"][:, :, 0, 0]
        return self._conv(x, outer @ inner, outer @ inner_bias + self.constants[f"{name}.bias"])

    def _conv(self, x: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        return self.graph.add("Conv", x, weight[:, :, None, None], bias, kernel_shape=(1, 1))


def _ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)
