"""SAM 2's mask decoder with its prompt encoder, written anew as an ONNX graph.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024 (`sam2/modeling/sam/`). The
weights are those of the exported decoder; in float32 this graph gives the same masks (relative
error 1e-6). What differs from the export:

- The products over the picture's 4096 tokens multiply 8-bit integers, and the position encodings'
  share of them, which is the same for every picture, is computed when the graph is written.
- Channels come last throughout, so that nothing is transposed and back.
- It decodes one box, given as two corners, into the three masks that SAM offers for an ambiguous
  prompt; the one for unambiguous prompts is left out.
"""

from __future__ import annotations

import numpy as np

from experts.annotate.sam2.hiera import SIDE, Constants
from experts.annotate.sam2.onnx_file import Array, Graph
from experts.annotate.sam2.products import Layer, product, quantized_products

CELLS = SIDE // 16
"""Tokens along a side of the picture."""

CHANNELS = 256
HEADS = 8
LAYERS = 2
MOST_LOGIT = 32.0
"""Masks' logits are cut to ±32, as in SAM 2's own predictors."""

_FIRST_MATRIX = 1998
_MATRICES_PER_LAYER = 23
_PARTS = {
    "self_attn": 0,
    "cross_attn_token_to_image": 7,
    "mlp": 14,
    "cross_attn_image_to_token": 16,
    "final_attn_token_to_image": LAYERS * _MATRICES_PER_LAYER,
}
_PROJECTIONS = {"q_proj": 0, "k_proj": 1, "v_proj": 2, "out_proj": 6, "0": 0, "1": 1}
"""The export names its matrices by running numbers, as "onnx::MatMul_1998": what comes first in a
part of a layer, and in its projections, is so many after the part's and the layer's first."""


def mask_decoder(constants: Constants, quantized: bool = True) -> bytes:
    """The decoder as an ONNX file.

    `constants` are those of the exported decoder, by its names. Inputs, all float32: `image_embed`
    [1, 64, 64, 256], `high_res_feats_0` [1, 256, 256, 32], `high_res_feats_1` [1, 128, 128, 64];
    `point_coords` [1, 2, 2], a box's corners (x, y) in px of the square picture; `mask_input`
    [1, 1, 256, 256], logits, and `has_mask_input` [1], 0 where there are none. Outputs: `masks`
    [1, 3, 256, 256], logits, and `iou_predictions` [1, 3]. `quantized=False` keeps float32
    throughout, to compare.
    """
    return _Builder(constants, quantized).file()


class _Builder:
    def __init__(self, constants: Constants, quantized: bool) -> None:
        self.constants = constants
        self.quantized = quantized
        self.graph = Graph()
        rows, columns = np.indices((CELLS, CELLS)) + 0.5
        places = np.stack([columns, rows], -1).reshape(1, -1, 2) / CELLS
        angles = (2 * places - 1) @ self._angles()
        self.positions = np.concatenate([np.sin(angles), np.cos(angles)], -1).astype(np.float32)

    def file(self) -> bytes:
        add = self.graph.add
        queries, image = self._transformer(self._prompt(), self._picture())
        masks, quality = self._masks(queries, image)
        side = SIDE // 4
        return self.graph.serialized(
            {
                "image_embed": (1, CELLS, CELLS, CHANNELS),
                "high_res_feats_0": (1, side, side, 32),
                "high_res_feats_1": (1, side // 2, side // 2, 64),
                "point_coords": (1, 2, 2),
                "mask_input": (1, 1, side, side),
                "has_mask_input": (1,),
            },
            {
                "masks": (add("Reshape", masks, _ints(1, 3, side, side)), (1, 3, side, side)),
                "iou_predictions": (quality, (1, 3)),
            },
        )

    # -- prompts -------------------------------------------------------------------------------

    def _prompt(self) -> str:
        """Object, quality and mask tokens, then both corners and the end of prompts: [1, 9, C]."""
        add, constants = self.graph.add, self.constants
        corners = [constants[f"prompt_encoder.point_embeddings.{label}.weight"] for label in (2, 3)]
        # Corners are moved to their pixels' middle.
        angles = add("Mul", add("Add", "point_coords", _float(0.5)), _float(2 / SIDE))
        angles = add("MatMul", add("Sub", angles, _float(1)), self._angles())
        angles = add("Concat", add("Sin", angles), add("Cos", angles), axis=-1)
        points = add("Add", angles, np.concatenate(corners)[None])
        end = constants["prompt_encoder.not_a_point_embed.weight"][None]
        return add("Concat", constants["onnx::Expand_1994"], points, end, axis=1)

    def _angles(self) -> Array:
        """Matrix [2, C / 2] that takes a place (x, y from −1 to 1) to its encoding's angles."""
        gaussian = self.constants["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
        return (gaussian * np.float32(2 * np.pi)).astype(np.float32)

    def _picture(self) -> str:
        """The picture's tokens with the mask prompt added, [1, 64, 64, C].

        They keep four axes: of three, onnxruntime adds and normalizes in one operator, which takes
        four times as long as two.
        """
        add, constants = self.graph.add, self.constants
        x = "mask_input"
        for level, (scale, shift) in enumerate(
            (("onnx::Mul_1985", "onnx::Add_1987"), ("onnx::Mul_1989", "onnx::Add_1991"))
        ):
            name = f"prompt_encoder.mask_downscaling.{3 * level}"
            x = add(
                "Conv",
                x,
                constants[f"{name}.weight"],
                constants[f"{name}.bias"],
                kernel_shape=(2, 2),
                strides=(2, 2),
            )
            x = self._norm(
                add("Transpose", x, perm=(0, 2, 3, 1)), constants[scale], constants[shift]
            )
            x = add("Gelu", x, domain="com.microsoft")
            if level == 0:
                x = add("Transpose", x, perm=(0, 3, 1, 2))
        name = "prompt_encoder.mask_downscaling.6"
        masked = product(
            self.graph, x, constants[f"{name}.weight"][:, :, 0, 0].T, constants[f"{name}.bias"]
        )
        none = constants["onnx::Mul_1992"].reshape(CHANNELS)
        dense = add("Add", add("Mul", add("Sub", masked, none), "has_mask_input"), none)
        return add("Add", "image_embed", dense)

    # -- transformer ---------------------------------------------------------------------------

    def _transformer(self, prompt: str, image: str) -> tuple[str, str]:
        """Tokens [1, 9, C] and the picture's [1, 64, 64, C] after both have attended to each other.

        Both carry their first state, for the tokens, or position, for the picture, into every
        attention.
        """
        queries = prompt
        for layer in range(LAYERS):
            name = f"layers.{layer}."
            given = self._with(queries, prompt) if layer else queries
            own = [self._layer(f"{name}self_attn.{one}") for one in ("q_proj", "k_proj", "v_proj")]
            q, k, v = (
                product(self.graph, x, *weights)
                for x, weights in zip((given, given, queries), own, strict=True)
            )
            attended = self._attention(q, k, v, f"{name}self_attn")
            queries = self._with(queries, attended) if layer else attended
            queries = self._named_norm(queries, f"{name}norm1")
            to_image, to_tokens = (
                f"{name}cross_attn_token_to_image",
                f"{name}cross_attn_image_to_token",
            )
            k, v, image_q = self._of_picture(
                image, (f"{to_image}.k_proj", f"{to_image}.v_proj", f"{to_tokens}.q_proj")
            )
            q = self._linear(self._with(queries, prompt), f"{to_image}.q_proj")
            queries = self._with(queries, self._attention(q, k, v, to_image))
            queries = self._named_norm(queries, f"{name}norm2")
            hidden = self.graph.add("Relu", self._linear(queries, f"{name}mlp.layers.0"))
            queries = self._with(queries, self._linear(hidden, f"{name}mlp.layers.1"))
            queries = self._named_norm(queries, f"{name}norm3")
            k = self._linear(self._with(queries, prompt), f"{to_tokens}.k_proj")
            v = self._linear(queries, f"{to_tokens}.v_proj")
            image = self._with(image, self._attention(image_q, k, v, to_tokens))
            image = self._named_norm(image, f"{name}norm4")
        last = "final_attn_token_to_image"
        k, v = self._of_picture(image, (f"{last}.k_proj", f"{last}.v_proj"))
        q = self._linear(self._with(queries, prompt), f"{last}.q_proj")
        queries = self._with(queries, self._attention(q, k, v, last))
        return self._named_norm(queries, "norm_final_attn"), image

    def _of_picture(self, image: str, names: tuple[str, ...]) -> list[str]:
        """Projections of the picture's tokens; all but the values' with their positions."""
        layers: list[Layer] = []
        for name in names:
            weight, bias = self._layer(name)
            seen = name.endswith("v_proj")
            layers.append((weight, bias if seen else self.positions @ weight + bias))
        return self._over_picture(image, layers)

    def _over_picture(self, x: str, layers: list[Layer]) -> list[str]:
        """Linear layers of the picture's tokens, [1, 4096, N] each."""
        x = self.graph.add("Reshape", x, _ints(1, -1, len(layers[0][0])))
        if not self.quantized:
            return [product(self.graph, x, *layer) for layer in layers]
        products = quantized_products(self.graph, x, [weight for weight, _ in layers])
        return [
            self.graph.add("Add", one, bias)
            for one, (_, bias) in zip(products, layers, strict=True)
        ]

    def _attention(self, q: str, k: str, v: str, name: str) -> str:
        add = self.graph.add
        x = add("MultiHeadAttention", q, k, v, domain="com.microsoft", num_heads=HEADS)
        layer = self._layer(f"{name}.out_proj")
        if not name.endswith("image_to_token"):
            return product(self.graph, x, *layer)
        return add("Reshape", self._over_picture(x, [layer])[0], _ints(1, CELLS, CELLS, CHANNELS))

    # -- masks ---------------------------------------------------------------------------------

    def _masks(self, queries: str, image: str) -> tuple[str, str]:
        """Logits [3, 256, 256] and predicted qualities [1, 3] of the masks after the first."""
        add, constants = self.graph.add, self.constants
        _, quality, *masks, _ = self.graph.split(
            "Split", queries, _ints(1, 1, 1, 1, 1, 1, 3), outputs=7, axis=1
        )
        x = self._upscaled(image, CELLS, "output_upscaling.0", "high_res_feats_1")
        x = self._norm(x, constants["onnx::Mul_2056"], constants["onnx::Add_2058"])
        x = add("Gelu", x, domain="com.microsoft")
        x = self._upscaled(x, 2 * CELLS, "output_upscaling.3", "high_res_feats_0")
        x = add("Gelu", x, domain="com.microsoft")
        kernels = [
            self._mlp(token, f"output_hypernetworks_mlps.{number}")
            for number, token in enumerate(masks)
            if number
        ]
        logits = add("MatMul", add("Concat", *kernels, axis=1), add("Transpose", x, perm=(0, 2, 1)))
        logits = add("Clip", logits, _float(-MOST_LOGIT), _float(MOST_LOGIT))
        qualities = add("Sigmoid", self._mlp(quality, "iou_prediction_head"))
        qualities = add("Slice", qualities, _ints(1), _ints(4), _ints(2))
        return logits, add("Reshape", qualities, _ints(1, 3))

    def _upscaled(self, x: str, side: int, name: str, skip: str) -> str:
        """A transposed convolution that doubles both sides, plus a skip connection: [1, 4 n, C]."""
        add = self.graph.add
        weight = self.constants[f"mask_decoder.{name}.weight"]  # [K, N, 2, 2]
        channels = weight.shape[1]
        matrix = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
        bias = np.tile(self.constants[f"mask_decoder.{name}.bias"], 4)
        x = self._over_picture(x, [(matrix, bias)])[0]
        x = add("Reshape", x, _ints(side, side, 2, 2 * channels))
        x = add("Transpose", x, perm=(0, 2, 1, 3))
        x = add("Reshape", x, _ints(1, 4 * side * side, channels))
        return add("Add", x, add("Reshape", skip, _ints(1, 4 * side * side, channels)))

    def _mlp(self, x: str, name: str) -> str:
        for number in range(3):
            layer = f"mask_decoder.{name}.layers.{number}"
            weight, bias = self.constants[f"{layer}.weight"].T, self.constants[f"{layer}.bias"]
            x = product(self.graph, self.graph.add("Relu", x) if number else x, weight, bias)
        return x

    # -- parts ---------------------------------------------------------------------------------

    def _with(self, x: str, y: str) -> str:
        return self.graph.add("Add", x, y)

    def _linear(self, x: str, name: str) -> str:
        return product(self.graph, x, *self._layer(name))

    def _layer(self, name: str) -> tuple[Array, Array]:
        """Matrix [K, N] and bias [N] of one of the transformer's linear layers."""
        matrix = self.constants[f"onnx::MatMul_{_matrix_number(name)}"]
        return matrix, self.constants[f"mask_decoder.transformer.{name}.bias"]

    def _named_norm(self, x: str, name: str) -> str:
        name = f"mask_decoder.transformer.{name}"
        scale, shift = self.constants[f"{name}.weight"], self.constants[f"{name}.bias"]
        return self._norm(x, scale, shift, epsilon=1e-5)

    def _norm(self, x: str, scale: Array, shift: Array, epsilon: float = 1e-6) -> str:
        scale, shift = scale.ravel(), shift.ravel()
        return self.graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)


def _matrix_number(name: str) -> int:
    """Of a linear layer of the transformer; the export numbers them in the order they are used."""
    parts, steps = name.split("."), 0
    if parts[0] == "layers":
        steps = _MATRICES_PER_LAYER * int(parts[1])
        parts = parts[2:]
    return _FIRST_MATRIX + steps + _PARTS[parts[0]] + _PROJECTIONS[parts[-1]]


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)


def _float(value: float) -> Array:
    return np.array(value, np.float32)
