"""The encoders of a checkpoint, for the preparation of examples."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from catalog.keys import digest, file_digest
from experts.diffusion.conditioning.text import LENGTH, TextEncoder
from experts.diffusion.conditioning.vae import encode, open_vae


class CheckpointEncoders:
    """The autoencoder and text encoder of a CogVideoX checkpoint in diffusers' layout."""

    def __init__(
        self,
        folder: str | Path,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.bfloat16,
        length: int = LENGTH,
    ) -> None:
        self._vae = open_vae(folder, dtype).to(device)
        self._text = TextEncoder(folder, dtype, length).to(device)
        configs = [Path(folder) / part / "config.json" for part in ("vae", "text_encoder")]
        sizes = sorted(
            (str(path.relative_to(folder)), path.stat().st_size)
            for part in ("vae", "text_encoder")
            for path in (Path(folder) / part).glob("*.safetensors")
        )
        # Hashing all weights would take longer than encoding a clip.
        self._key = digest([file_digest(path) for path in configs], sizes, str(dtype), length)

    @property
    def key(self) -> str:
        """Of the encoders' configurations, file sizes, precision and prompt length."""
        return self._key

    def video(self, frames: Tensor, as_image: bool = False) -> Tensor:
        """Latents of frames [B, F, H, W, 3]; see `vae.encode`."""
        return encode(self._vae, frames, as_image)

    def text(self, prompts: list[str]) -> Tensor:
        """Embeddings of prompts; see `TextEncoder.encode`."""
        return self._text.encode(prompts)
