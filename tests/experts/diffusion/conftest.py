"""Tiny models of the real classes, with random weights."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

TINY: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "in_channels": 16,
    "out_channels": 16,
    "time_embed_dim": 8,
    "text_embed_dim": 12,
    "num_layers": 4,
    "sample_width": 8,
    "sample_height": 6,
    "sample_frames": 9,
    "max_text_seq_length": 5,
}

KINDS: dict[str, dict[str, Any]] = {
    "2B": {},
    "5B": {"use_rotary_positional_embeddings": True},
    "5B-I2V": {
        "use_rotary_positional_embeddings": True,
        "use_learned_positional_embeddings": True,
        "in_channels": 32,
    },
}
"""What tells CogVideoX's checkpoints apart, from their own config.json."""

Make = Callable[..., CogVideoXTransformer3DModel]


def tiny_base(kind: str = "2B", seed: int = 0, **changes: Any) -> CogVideoXTransformer3DModel:
    torch.manual_seed(seed)
    model = CogVideoXTransformer3DModel(**TINY | KINDS[kind] | changes)
    if model.config.use_learned_positional_embeddings:
        table = model.patch_embed.pos_embedding
        model.patch_embed.pos_embedding = 0.5 * torch.randn(table.shape)
    for parameter in model.parameters():  # biases and norms too: nothing is zero by chance
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(scope="session")
def base() -> Make:
    """`base(kind)`: an untrained CogVideoX of 2B's, 5B's or 5B-I2V's make, some KB large."""
    return tiny_base
