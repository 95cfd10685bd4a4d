"""Encoding frames to CogVideoX's latents, and decoding them, by its causal video autoencoder."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor

from catalog.errors import EditmillError
from experts.diffusion.latents import check_size


def open_vae(
    folder: str | Path, dtype: torch.dtype = torch.bfloat16, tiling: bool = False
) -> AutoencoderKLCogVideoX:
    """The autoencoder of a CogVideoX checkpoint in diffusers' layout; nothing is fetched.

    With `tiling`, frames are encoded in overlapping tiles of half the trained height and width:
    less memory, with small differences near the seams.
    """
    path = Path(folder) / "vae"
    if not (path / "config.json").is_file():
        raise EditmillError(f"{path}: no autoencoder there; name the whole checkpoint's folder")
    try:
        vae: AutoencoderKLCogVideoX = AutoencoderKLCogVideoX.from_pretrained(
            path, torch_dtype=dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EditmillError(f"{path}: can't be read ({reason}); copy the folder again") from None
    if tiling:
        vae.enable_tiling()
    return vae.eval()


@torch.no_grad()
def encode(vae: AutoencoderKLCogVideoX, frames: Tensor, as_image: bool = False) -> Tensor:
    """Latents [B, T, 16, H / 8, W / 8], float32, of RGB frames [B, 4 (T − 1) + 1, H, W, 3], uint8.

    The posterior's mode, so that the same frames have the same latents. `as_image`: as the first
    frame of an image-to-video model, which some checkpoints scale the other way.
    """
    check_size(frames.shape[1], frames.shape[2], frames.shape[3])
    pixels = frames.to(vae.device, torch.float32).permute(0, 4, 1, 2, 3) / 127.5 - 1
    latents = vae.encode(pixels.to(vae.dtype)).latent_dist.mode().float()
    scale = vae.config.scaling_factor
    if as_image and vae.config.invert_scale_latents:
        scale = 1 / scale
    scaled: Tensor = latents.permute(0, 2, 1, 3, 4) * scale
    return scaled


@torch.no_grad()
def decode(vae: AutoencoderKLCogVideoX, latents: Tensor) -> Tensor:
    """RGB frames [B, 4 (T − 1) + 1, 8 H, 8 W, 3], uint8, of latents [B, T, 16, H, W]."""
    scaled = latents.permute(0, 2, 1, 3, 4).to(vae.device, vae.dtype) / vae.config.scaling_factor
    pixels = vae.decode(scaled).sample.float()
    frames = ((pixels.permute(0, 2, 3, 4, 1) + 1) * 127.5).round().clamp(0, 255)
    return frames.to(torch.uint8)
