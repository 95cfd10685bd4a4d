"""A CLIP of open_clip's own class and layout, tiny and never trained."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def make(folder: Path, weights: str = "open_clip_model.safetensors", seed: int = 0) -> Path:
    """Writes it to `folder`, which it returns; the tokenizer is the one that open_clip carries."""
    from open_clip.model import CLIP

    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_file(CLIP(**CONFIG).state_dict(), folder / weights)
    config = {"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder
