"""A Depth Anything checkpoint of the real class with random weights and an input of 56 px."""

from __future__ import annotations

from pathlib import Path

import torch


def make(folder: Path) -> Path:
    """Writes it to `folder`, which it returns."""
    import transformers

    backbone = transformers.Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.DepthAnythingForDepthEstimation(config)
        # Fresh weights are so small that all answers are zero
        for part in (model.neck, model.head):
            for weights in part.parameters():
                if weights.ndim > 1:
                    torch.nn.init.kaiming_normal_(weights)
        torch.nn.init.ones_(model.head.conv3.bias)
        model.save_pretrained(folder)
    transformers.DPTImageProcessor(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return folder
