"""A tiny SAM 3 video checkpoint with random weights, in the hub's layout."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase

SIDE = 112
"""px; its square input: 8×8 patches of 14."""

WIDTH = 128
"""Channels; more than the 64 of a memory, as in the real size."""

START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = [*ascii_lowercase, *(f"{letter}</w>" for letter in ascii_lowercase), START, END]
"""Words are spelt: single letters, and those that end a word."""


def make(folder: Path) -> Path:
    """Written to `folder` as transformers saves one: configuration, weights, processor."""
    import torch
    from transformers import Sam3VideoConfig, Sam3VideoModel

    torch.manual_seed(15)
    model = Sam3VideoModel(
        Sam3VideoConfig(
            detector_config=_detector(),
            tracker_config=_tracker(),
            low_res_mask_size=4 * SIDE // 14,
            # Random scores lie about one half.
            score_threshold_detection=0.2,
            new_det_thresh=0.2,
            # Nor does it find twice what it found once.
            hotstart_delay=0,
        )
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.02 if "norm" in name else 0.05))
        model.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(4.0)
        model.detector_model.detr_decoder.presence_head.layer3.bias.fill_(4.0)
    model.save_pretrained(folder)
    _processor().save_pretrained(folder)
    return folder


def _vision() -> dict[str, object]:
    return {
        "model_type": "sam3_vision_model",
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "pretrain_image_size": SIDE,
            "window_size": 4,
            "global_attn_indexes": [1],
        },
        "fpn_hidden_size": WIDTH,
        "backbone_feature_sizes": [[scale * SIDE // 14] * 2 for scale in (4, 2, 1)],
    }


def _detector() -> dict[str, object]:
    layers = {
        "hidden_size": WIDTH,
        "num_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    return {
        "model_type": "sam3",
        "vision_config": _vision(),
        "text_config": {
            "model_type": "clip_text_model",
            "vocab_size": len(TOKENS),
            "bos_token_id": TOKENS.index(START),
            "eos_token_id": TOKENS.index(END),
            "pad_token_id": TOKENS.index(END),
            "hidden_size": 32,
            "intermediate_size": 64,
            "projection_dim": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 32,
        },
        "geometry_encoder_config": layers,
        "detr_encoder_config": layers,
        "detr_decoder_config": {**layers, "num_queries": 3},
        "mask_decoder_config": {"hidden_size": WIDTH, "num_attention_heads": 2},
    }


def _tracker() -> dict[str, object]:
    return {
        "model_type": "sam3_tracker_video",
        "vision_config": _vision(),
        "image_size": SIDE,
        "prompt_encoder_config": {"hidden_size": WIDTH, "image_size": SIDE},
        "mask_decoder_config": {"hidden_size": WIDTH},
        "memory_attention_hidden_size": WIDTH,
        "memory_attention_num_layers": 1,
        "memory_attention_rope_feat_sizes": [SIDE // 14] * 2,
        "memory_attention_feed_forward_hidden_size": 64,
        "memory_encoder_hidden_size": WIDTH,
        "mask_downsampler_embed_dim": WIDTH,
        "memory_fuser_embed_dim": WIDTH,
        "memory_fuser_intermediate_dim": 4 * WIDTH,
    }


def _processor() -> object:
    from transformers import (
        CLIPTokenizer,
        Sam2VideoVideoProcessor,
        Sam3ImageProcessor,
        Sam3VideoProcessor,
    )

    tokenizer = CLIPTokenizer(vocab={token: n for n, token in enumerate(TOKENS)}, merges=[])
    size = {"height": SIDE, "width": SIDE}
    return Sam3VideoProcessor(
        image_processor=Sam3ImageProcessor(size=size),
        video_processor=Sam2VideoVideoProcessor(size=size),
        tokenizer=tokenizer,
    )
