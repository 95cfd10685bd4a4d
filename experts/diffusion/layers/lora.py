"""LoRA layers (Hu et al. 2021) on a transformer's attention, by peft."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig

TARGET_MODULES = ("to_q", "to_k", "to_v", "to_out.0")
"""VIVID-10M gives the rank, not the modules; these are those of diffusers' CogVideoX scripts."""


def add_lora(model: Any, rank: int) -> None:
    """Add LoRA layers to the attention's, in place; the model's output stays the same.

    Their scale is 1 (alpha is the rank). One of the two factors is zero at first, the other is the
    same in every process.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(TARGET_MODULES))
        model.add_adapter(config)
