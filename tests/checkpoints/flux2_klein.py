"""A tiny FLUX.2 [klein] in diffusers' layout."""

from __future__ import annotations

from pathlib import Path

from tests.checkpoints.text_side import WIDTH, qwen_tokenizer

LATENT = 4
"""Channels of a latent; the transformer's are packed two by two."""

LAYERS = 28
"""Of the text encoder: the pipeline reads what its layers 9, 18 and 27 say."""


def make(folder: Path) -> Path:
    """The same bytes each time: latents of 2 px, so sides are multiples of 4 px."""
    import torch
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer = qwen_tokenizer()
        text_encoder = Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=16,
                num_hidden_layers=LAYERS,
                num_attention_heads=2,
                num_key_value_heads=2,
                head_dim=8,
            )
        ).eval()
        transformer = Flux2Transformer2DModel(
            patch_size=1,
            in_channels=4 * LATENT,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        )
        vae = AutoencoderKLFlux2(
            block_out_channels=(4, 4),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=LATENT,
            norm_num_groups=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
        Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(),
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            transformer=transformer,
            is_distilled=True,
        ).save_pretrained(folder)
    return folder
