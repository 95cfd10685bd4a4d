"""A tiny Qwen-Image-Edit (2509 and later) in diffusers' layout."""

from __future__ import annotations

from pathlib import Path

from tests.checkpoints.text_side import WIDTH, qwen_tokenizer

LATENT = 4
"""Channels of a latent; the transformer's are packed two by two."""


def look_at_small_pictures() -> None:
    """Its pipeline shows the autoencoder each picture at a megapixel, whatever the edit's size,
    which takes a tiny one seconds on a processor; in this process it is a hundredth of that."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus

    pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE = 112 * 112


def make(folder: Path) -> Path:
    """The same bytes each time: latents of 8 px, so sides are multiples of 16 px."""
    import torch
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImageEditPlusPipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = qwen_tokenizer()
        numbers = tokenizer.get_vocab()
        text_encoder = Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(
                text_config={
                    "vocab_size": len(tokenizer),
                    "hidden_size": WIDTH,
                    "intermediate_size": 16,
                    "num_hidden_layers": 1,
                    "num_attention_heads": 2,
                    "num_key_value_heads": 2,
                    "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
                    "rope_theta": 10_000.0,
                    "bos_token_id": None,
                    "eos_token_id": None,
                },
                vision_config={
                    "depth": 1,
                    "hidden_size": 16,
                    "intermediate_size": 16,
                    "num_heads": 2,
                    "out_hidden_size": WIDTH,
                    "fullatt_block_indexes": [0],
                },
                image_token_id=numbers["<|image_pad|>"],
                video_token_id=numbers["<|video_pad|>"],
                vision_start_token_id=numbers["<|vision_start|>"],
                vision_end_token_id=numbers["<|vision_end|>"],
            )
        ).eval()
        transformer = QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=4 * LATENT,
            out_channels=LATENT,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            guidance_embeds=False,
            axes_dims_rope=(8, 4, 4),
        )
        vae = AutoencoderKLQwenImage(
            base_dim=8,  # the least that convolutions are vectorised for
            z_dim=LATENT,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.0] * LATENT,
            latents_std=[1.0] * LATENT,
        )
        QwenImageEditPlusPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            processor=Qwen2VLProcessor(
                image_processor=Qwen2VLImageProcessor(),
                tokenizer=tokenizer,
                video_processor=Qwen2VLVideoProcessor(),
                chat_template=tokenizer.chat_template,
            ),
            transformer=transformer,
        ).save_pretrained(folder)
    return folder
