"""A tiny Wan2.1-VACE in diffusers' layout."""

from __future__ import annotations

from pathlib import Path

from tests.checkpoints.text_side import WIDTH, umt5

LATENT = 16
"""Channels of a latent, as in the real one: VACE's mask takes 64 more, a latent's 8 × 8 px."""


def make(folder: Path) -> Path:
    """The same bytes each time: 4 frames and 8 px to a latent, as in the real one."""
    import torch
    from diffusers import (
        AutoencoderKLWan,
        UniPCMultistepScheduler,
        WanVACEPipeline,
        WanVACETransformer3DModel,
    )

    with torch.random.fork_rng():
        torch.manual_seed(0)
        tokenizer, text_encoder = umt5()
        transformer = WanVACETransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=LATENT,
            out_channels=LATENT,
            text_dim=WIDTH,
            freq_dim=16,
            ffn_dim=32,
            num_layers=2,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
            rope_max_seq_len=32,
            vace_layers=[0, 1],
            vace_in_channels=2 * LATENT + 64,
        )
        for name, weights in transformer.named_parameters():
            if "proj_out" in name and weights.ndim > 1:
                torch.nn.init.normal_(weights, std=0.2)  # zero in a fresh one: nothing would bind
        vae = AutoencoderKLWan(
            base_dim=3,
            z_dim=LATENT,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        )
        WanVACEPipeline(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            vae=vae,
            scheduler=UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
            ),
            transformer=transformer,
        ).save_pretrained(folder)
    return folder
