"""Low-rank layers (Hu et al. 2021) beside a transformer's attention, by peft."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig

LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
"""VIVID-10M gives the rank and not the layers; these are the ones of diffusers' own CogVideoX
scripts: attention is where the conditions' tokens meet the rest."""


def add_lora(model: Any, rank: int) -> None:
    """Put low-rank layers beside the attention's, in place; what the model computes stays the same.

    Their scale is 1 (alpha is the rank). One of the two factors starts at zero, the other is the
    same in every process.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LAYERS))
        model.add_adapter(config)
