"""The models that are measured, at their published sizes and at a tiny one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from experts.diffusion.specs import EXPERTS, ExpertSpec

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

Config = dict[str, Any]

SMALL: Config = {  # CogVideoX-2b, transformer/config.json
    "num_attention_heads": 30,
    "num_layers": 30,
    "sample_height": 60,
    "sample_width": 90,
    "sample_frames": 49,
    "text_embed_dim": 4096,
    "max_text_seq_length": 226,
}
LARGE: Config = SMALL | {  # CogVideoX-5b-I2V
    "num_attention_heads": 48,
    "num_layers": 42,
    "in_channels": 32,
    "use_rotary_positional_embeddings": True,
    "use_learned_positional_embeddings": True,
}
TINY: Config = SMALL | {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 2,
    "text_embed_dim": 16,
    "max_text_seq_length": 8,
    "time_embed_dim": 16,
}
TINY_AUTOENCODER: Config = {
    "block_out_channels": (4, 4, 4, 4),
    "layers_per_block": 1,
    "norm_num_groups": 2,
}


@dataclass(frozen=True)
class Model:
    """What is measured: an expert, its base's configuration, and a size in frames and px."""

    expert: str
    config: Config
    frames: int = 33
    height: int = 336
    width: int = 592
    autoencoder: Config = field(default_factory=dict)

    @property
    def spec(self) -> ExpertSpec:
        layers = min(EXPERTS[self.expert].control_layers, self.config["num_layers"])
        return replace(EXPERTS[self.expert], control_layers=layers)

    @property
    def latents(self) -> tuple[int, int, int]:
        return (self.frames - 1) // 4 + 1, self.height // 8, self.width // 8

    def text(self, batch: int) -> Tensor:
        shape = batch, self.config["max_text_seq_length"], self.config["text_embed_dim"]
        return torch.randn(shape, device=DEVICE)

    def base(self, dtype: torch.dtype, **changes: Any) -> CogVideoXTransformer3DModel:
        torch.manual_seed(0)
        with DEVICE:
            return CogVideoXTransformer3DModel(**self.config | changes).to(dtype).eval()


MODELS = {
    "2b": Model("remover", SMALL),
    "5b": Model("inpainter", LARGE),
    "tiny": Model("remover", TINY, 5, 48, 64, TINY_AUTOENCODER),
    "tiny-i2v": Model(
        "inpainter",
        LARGE | TINY | {"in_channels": 32, "attention_head_dim": 16},
        5,
        48,
        64,
        TINY_AUTOENCODER,
    ),
}
