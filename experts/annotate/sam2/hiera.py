"""SAM 2's image encoder, Hiera tiny, written anew as an ONNX graph with 8-bit matrix products.

Ryali et al., "Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles", ICML 2023;
as in SAM 2 (`sam2/modeling/backbones/hieradet.py`, `image_encoder.py`). The weights are those of
the exported encoder; in float32 this graph gives the same features (relative error 1e-6). What
differs from the export:

- Channels come last in what is given out, too.
- Linear layers multiply 8-bit integers: activations are quantized per tensor as they come,
  weights per output channel, once. That halves the encoder's time on a processor with VNNI.
- The keys and values of global attention are averaged, two neighbouring tokens each, along the
  picture's shorter side: it is stretched to a square, so along that side they lie closest.
- Attention is one operator, which never holds the whole matrix of weights (268 MB a layer at
  1024 px).
- The first two stages, which attend within windows alone, go over the picture strip by strip, so
  that their activations stay small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experts.annotate.sam2.onnx_file import Array, Graph
from experts.annotate.sam2.products import Layer, product, quantized_products

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
STRIPS = 8
"""Strips that the windowed stages are computed in; a strip's sides are whole windows."""

Constants = Mapping[str, Array]

Keys = Literal["by rows", "by columns", "all"]
"""How global attention's keys and values are averaged in twos."""

_TRUNK = "model.image_encoder.trunk."
_NECK = "model.image_encoder.neck."
_FIRST_OF_STAGE = tuple(np.cumsum((0, *DEPTHS[:-1])).tolist())  # blocks' indices
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


def encoder(constants: Constants, keys: Keys = "by rows", quantized: bool = True) -> bytes:
    """The encoder as an ONNX file.

    `constants` are those of the exported encoder, by its names. Input `image` [1, 3, 1024, 1024],
    normalized; outputs `high_res_feats_0` [1, 256, 256, 32], `high_res_feats_1` [1, 128, 128, 64]
    and `image_embed` [1, 64, 64, 256], all float32, channels last. `keys` says how those of global
    attention are averaged: two rows each, for wide pictures, two columns each, or not at all.
    `quantized=False` keeps float32 throughout, to compare.
    """
    return _Builder(constants, keys, quantized).file()


def _blocks() -> list[_Block]:
    blocks: list[_Block] = []
    for stage, depth in enumerate(DEPTHS):
        for number in range(depth):
            # The first block of a later stage pools, and still has the windows of the one before.
            before = stage - 1 if stage and not number else stage
            index = len(blocks)
            window = 0 if index in GLOBAL_BLOCKS else WINDOWS[before]
            blocks.append(
                _Block(
                    index, CHANNELS[before], CHANNELS[stage], HEADS[stage], window, before < stage
                )
            )
    return blocks


class _Builder:
    def __init__(self, constants: Constants, keys: Keys, quantized: bool) -> None:
        self.constants = constants
        self.keys = keys
        self.quantized = quantized
        self.graph = Graph()

    def file(self) -> bytes:
        sharp, medium, stage_3, stage_4 = self._trunk()
        add = self.graph.add
        cells = SIDE // 32
        coarse = add(
            "Reshape", product(self.graph, stage_4, *self._neck(0)), _ints(cells, 1, cells, 1, 256)
        )
        coarse = add("Expand", coarse, _ints(cells, 2, cells, 2, 256))  # nearest, twofold
        coarse = add("Reshape", coarse, _ints(1, 2 * cells, 2 * cells, 256))
        weight, bias = self._neck(1)
        no_memory = self.constants["no_mem_embed"][0, :, 0]
        embedding = add("Add", product(self.graph, stage_3, weight, bias + no_memory), coarse)
        return self.graph.serialized(
            {"image": (1, 3, SIDE, SIDE)},
            {
                "high_res_feats_0": (sharp, (1, SIDE // 4, SIDE // 4, 32)),
                "high_res_feats_1": (medium, (1, SIDE // 8, SIDE // 8, 64)),
                "image_embed": (embedding, (1, SIDE // 16, SIDE // 16, 256)),
            },
        )

    def _trunk(self) -> tuple[str, str, str, str]:
        """The decoder's two skip connections, and the features after the last two stages; all
        [1, H, W, C]."""
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
        rows = _ints(*[tokens // STRIPS] * STRIPS)
        strips = [
            self._windowed(strip, tokens // STRIPS, tokens)
            for strip in self.graph.split("Split", x, rows, outputs=STRIPS, axis=1)
        ]
        sharp, medium, x = (add("Concat", *parts, axis=1) for parts in zip(*strips, strict=True))
        side = tokens >> 2
        stages = []
        for block in _blocks()[_FIRST_OF_STAGE[2] + 1 :]:
            x = self._block(x, block, side, side)
            if block.pools:
                side //= 2
            if block.index + 1 in (*_FIRST_OF_STAGE, sum(DEPTHS)):
                stages.append(x)
        stage_3, stage_4 = stages
        return sharp, medium, stage_3, stage_4

    def _windowed(self, x: str, rows: int, columns: int) -> tuple[str, str, str]:
        """Of a strip: both skip connections, and what the first block of the third stage gives."""
        stages = []
        for block in _blocks()[: _FIRST_OF_STAGE[2] + 1]:
            if block.index in _FIRST_OF_STAGE:
                stages.append(x)
            x = self._block(x, block, rows, columns)
            if block.pools:
                rows, columns = rows // 2, columns // 2
        return (
            self._skip_connection(stages[1], level=3, to_decoder="conv_s0"),
            self._skip_connection(stages[2], level=2, to_decoder="conv_s1"),
            x,
        )

    def _block(self, x: str, block: _Block, rows: int, columns: int) -> str:
        """One block over `rows` × `columns` tokens, [1, H, W, C]."""
        add = self.graph.add
        normed = self._norm(x, f"{block.weights}norm1")
        if block.pools:
            shortcut = self._linear(normed, block, "proj")
            x = self._pooled(shortcut)
        if block.window:
            attended = self._windows(normed, block, rows, columns)
        else:
            attended = self._global(normed, block, rows)
        x = add("Add", x, attended)
        hidden = self._linear(self._norm(x, f"{block.weights}norm2"), block, "mlp.layers.0")
        hidden = add("Gelu", hidden, domain="com.microsoft")
        return add("Add", x, self._linear(hidden, block, "mlp.layers.1"))

    def _global(self, x: str, block: _Block, side: int) -> str:
        """Attention of all tokens to all others, or to averages of two of them."""
        add, channels = self.graph.add, block.channels
        tokens = add("Reshape", x, _ints(1, side * side, channels))
        (q,) = self._projections(tokens, block, "q")
        if self.keys != "all":
            # Before the projections, which are linear and so have half the work too.
            twos = (side // 2, 2, side) if self.keys == "by rows" else (side, side // 2, 2)
            x = add("Reshape", x, _ints(*twos, channels))
            x = add("ReduceMean", x, axes=(twos.index(2),), keepdims=0)
            tokens = add("Reshape", x, _ints(1, side * side // 2, channels))
        k, v = self._projections(tokens, block, "kv")
        x = add("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=block.heads)
        return add("Reshape", self._linear(x, block, "attn.proj"), _ints(1, side, side, channels))

    def _windows(self, x: str, block: _Block, rows: int, columns: int) -> str:
        """Attention within windows, which are padded at the right and the bottom to be whole."""
        add, channels, window = self.graph.add, block.out_channels, block.window
        missing = -rows % window, -columns % window
        if any(missing):
            x = add("Pad", x, _ints(0, 0, 0, 0, 0, *missing, 0))
        down, across = (rows + missing[0]) // window, (columns + missing[1]) // window
        # Windows are rows of a batch: [windows, tokens, C].
        x = add("Reshape", x, _ints(down, window, across, window * block.channels))
        x = add("Transpose", x, perm=(0, 2, 1, 3))
        x = add("Reshape", x, _ints(down * across, window * window, block.channels))
        q, k, v = self._projections(x, block, "qkv")
        if block.pools:
            q = self._pooled(add("Reshape", q, _ints(down * across, window, window, channels)))
            window, rows, columns = window // 2, rows // 2, columns // 2
            q = add("Reshape", q, _ints(down * across, window * window, channels))
        x = add("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=block.heads)
        x = self._linear(x, block, "attn.proj")
        x = add("Reshape", x, _ints(down, across, window, window * channels))
        x = add("Transpose", x, perm=(0, 2, 1, 3))
        x = add("Reshape", x, _ints(1, down * window, across * window, channels))
        if any(missing):
            x = add("Slice", x, _ints(0, 0), _ints(rows, columns), _ints(1, 2))
        return x

    def _projections(self, x: str, block: _Block, which: str) -> list[str]:
        """Queries, keys, values, as `which` names them, of the tokens `x`, quantized once."""
        weights, biases = self._weights(block, "attn.qkv")
        size = block.out_channels
        parts = [slice(at * size, (at + 1) * size) for at in map("qkv".index, which)]
        return self._products(x, [(weights[:, part], biases[part]) for part in parts])

    def _linear(self, x: str, block: _Block, name: str) -> str:
        return self._products(x, [self._weights(block, name)])[0]

    def _weights(self, block: _Block, name: str) -> Layer:
        """Matrix [K, N] and bias [N] of a linear layer."""
        weight = self.constants[f"{block.matrices}{name.replace('.', '/', 1)}/Transpose_output_0"]
        return weight, self.constants[f"{block.weights}{name}.bias"]

    def _products(self, x: str, layers: Sequence[Layer]) -> list[str]:
        if not self.quantized:
            return [product(self.graph, x, *layer) for layer in layers]
        return quantized_products(self.graph, x, *zip(*layers, strict=True))

    def _norm(self, x: str, name: str) -> str:
        scale, bias = self.constants[f"{name}.weight"], self.constants[f"{name}.bias"]
        return self.graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-6)

    def _pooled(self, x: str) -> str:
        """[N, H, W, C] at half its sides, the larger of each two by two."""
        x = self.graph.add("Transpose", x, perm=(0, 3, 1, 2))
        x = self.graph.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
        return self.graph.add("Transpose", x, perm=(0, 2, 3, 1))

    def _neck(self, level: int) -> tuple[Array, Array]:
        """Matrix [C, 256] and bias of the pyramid's 1×1 convolution; level 0 is the coarsest."""
        weight = self.constants[f"{_NECK}convs.{level}.conv.weight"][:, :, 0, 0]
        return weight.T, self.constants[f"{_NECK}convs.{level}.conv.bias"]

    def _skip_connection(self, x: str, level: int, to_decoder: str) -> str:
        """The pyramid's 1×1 convolution and the decoder's behind it, as the one they amount to."""
        inner, inner_bias = self._neck(level)
        name = f"model.sam_mask_decoder.{to_decoder}"
        outer = self.constants[f"{name}.weight"][:, :, 0, 0].T
        bias = self.constants[f"{name}.bias"]
        return product(self.graph, x, inner @ outer, inner_bias @ outer + bias)


def _ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)
