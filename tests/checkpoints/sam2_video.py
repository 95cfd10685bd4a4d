"""A tiny SAM 2 video checkpoint with random weights, in the hub's layout."""

from __future__ import annotations

from pathlib import Path

SIDE = 128
"""px; its square input."""

WIDTH = 128
"""Channels; more than a memory's 64, so that object pointers are split as in the real sizes."""


def make(folder: Path, side: int = SIDE) -> Path:
    """Written to `folder` as transformers saves one: configuration, weights, processor."""
    import torch
    from transformers import (
        Sam2HieraDetConfig,
        Sam2ImageProcessor,
        Sam2VideoConfig,
        Sam2VideoMaskDecoderConfig,
        Sam2VideoModel,
        Sam2VideoProcessor,
        Sam2VideoPromptEncoderConfig,
        Sam2VideoVideoProcessor,
        Sam2VisionConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=16,
        image_size=[side, side],
        blocks_per_stage=[1, 2, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        global_attention_blocks=[4],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[side // stride] * 2 for stride in (4, 8, 16)],
        fpn_hidden_size=WIDTH,
    )
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=WIDTH, image_size=side),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(hidden_size=WIDTH),
        image_size=side,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=2,
        memory_attention_rope_feat_sizes=[side // 16] * 2,
        memory_attention_feed_forward_hidden_size=64,
        memory_encoder_hidden_size=WIDTH,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=4 * WIDTH,
    )
    torch.manual_seed(15)
    model = Sam2VideoModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # What starts at zero or one would hide a wrong name.
            parameter.add_(torch.randn_like(parameter) * (0.02 if "norm" in name else 0.05))
        # One table of positions, saved twice, in every real one.
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
        # Random scores would say of half the frames that the object is not there.
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(4.0)
    model.save_pretrained(folder)
    size = {"height": side, "width": side}
    Sam2VideoProcessor(
        image_processor=Sam2ImageProcessor(size=size),
        video_processor=Sam2VideoVideoProcessor(size=size),
    ).save_pretrained(folder)
    return folder
