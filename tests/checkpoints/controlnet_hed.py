"""A tiny Stable Diffusion 1.5 and a ControlNet for it, in diffusers' layout."""

from __future__ import annotations

from pathlib import Path

from tests.checkpoints.text_side import WIDTH, clip

UNET = {
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "in_channels": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "cross_attention_dim": WIDTH,
    "norm_num_groups": 1,
    "attention_head_dim": 4,
}


def make(folder: Path) -> Path:
    """Both, in `folder/sd15` and `folder/controlnet`; the same bytes each time, latents of 2 px."""
    import torch
    from diffusers import (
        AutoencoderKL,
        ControlNetModel,
        PNDMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer, text_encoder = clip()
        unet = UNet2DConditionModel(
            **UNET, out_channels=4, up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")
        )
        vae = AutoencoderKL(
            block_out_channels=(4, 4),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=1,
        )
        StableDiffusionPipeline(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            scheduler=PNDMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                skip_prk_steps=True,
                steps_offset=1,
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ).save_pretrained(folder / "sd15")
        controlnet = ControlNetModel(**UNET, conditioning_embedding_out_channels=(4, 8))
        zero = (
            controlnet.controlnet_cond_embedding.conv_out,
            *controlnet.controlnet_down_blocks,
            controlnet.controlnet_mid_block,
        )
        for part in zero:  # in a fresh one: no edge would bind
            torch.nn.init.normal_(part.weight, std=0.5)
        controlnet.save_pretrained(folder / "controlnet")
    return folder
