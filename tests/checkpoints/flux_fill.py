"""A tiny FLUX.1-Fill in diffusers' layout."""

from __future__ import annotations

from pathlib import Path

from tests.checkpoints.text_side import WIDTH, clip, t5

LATENT = 4
"""Channels of a latent; the transformer's are packed two by two."""


def make(folder: Path) -> Path:
    """The same bytes each time: latents of 2 px, so sides are multiples of 4 px."""
    import torch
    from diffusers import (
        AutoencoderKL,
        FlowMatchEulerDiscreteScheduler,
        FluxFillPipeline,
        FluxTransformer2DModel,
    )

    with torch.random.fork_rng():
        torch.manual_seed(0)
        (tokenizer, text_encoder), (tokenizer_2, text_encoder_2) = clip(), t5()
        scale = 2
        transformer = FluxTransformer2DModel(
            patch_size=1,
            # noise, masked image and the mask of a latent's px, all packed
            in_channels=4 * LATENT + 4 * LATENT + 4 * scale**2,
            out_channels=4 * LATENT,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 4, 8),
        )
        vae = AutoencoderKL(
            block_out_channels=(4, 4),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=LATENT,
            norm_num_groups=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
            shift_factor=0.0609,
            scaling_factor=1.5035,
        )
        FluxFillPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            text_encoder_2=text_encoder_2,
            tokenizer_2=tokenizer_2,
            transformer=transformer,
        ).save_pretrained(folder)
    return folder
