"""CogVideoX's three kinds of positional embedding, at any size.

CogVideoX-2B adds a sine-cosine table, 5B rotates queries and keys (RoPE), and 5B-I2V does both,
with a learned table for its own size alone (60×90 latents). At other sizes that table is
interpolated at the coordinates of the rotary embedding, so that both give a token the same
position.
"""

from __future__ import annotations

import functools

import torch
from diffusers.models.embeddings import CogVideoXPatchEmbed, get_3d_rotary_pos_embed
from diffusers.pipelines.cogvideo.pipeline_cogvideox import get_resize_crop_region_for_grid
from torch import Tensor, nn
from torch.nn import functional as F

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines, [tokens, head width] each."""

Grid = tuple[int, int, int]
"""Latent frames, and height and width in patches."""


@functools.lru_cache(maxsize=32)  # the buckets' sizes, on each device
def rotary(grid: Grid, base: tuple[int, int], head_width: int, device: torch.device) -> Rotary:
    """The rotary embedding of `grid`, as diffusers' CogVideoX pipelines compute it.

    `base` is the height and width in patches the checkpoint was trained at.
    """
    cos, sin = get_3d_rotary_pos_embed(
        embed_dim=head_width,
        crops_coords=get_resize_crop_region_for_grid(grid[1:], base[1], base[0]),
        grid_size=grid[1:],
        temporal_size=grid[0],
        device=device,
    )
    return cos, sin


def resample(table: Tensor, trained: Grid, grid: Grid) -> Tensor:
    """A learned table [1, tokens of `trained`, width] as one for `grid` [1, tokens, width].

    Space is sampled bilinearly at the rotary embedding's coordinates; in time, as there, the k-th
    latent frame keeps the k-th position, and frames after the last trained one repeat its position.
    """
    frames, height, width = grid
    (top, left), (bottom, right) = get_resize_crop_region_for_grid(grid[1:], trained[2], trained[1])
    positions = table.float().reshape(*trained, -1).permute(0, 3, 1, 2)  # [T, D, H, W]
    positions = positions[torch.arange(frames, device=table.device).clamp(max=trained[0] - 1)]
    y = torch.linspace(top, bottom * (height - 1) / height, height, device=table.device)
    x = torch.linspace(left, right * (width - 1) / width, width, device=table.device)
    # grid_sample takes −1 … 1 from the first to the last centre, x before y.
    y, x = 2 * y / max(trained[1] - 1, 1) - 1, 2 * x / max(trained[2] - 1, 1) - 1
    points = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1)
    sampled = F.grid_sample(
        positions,
        points.expand(frames, -1, -1, -1),
        align_corners=True,
        padding_mode="border",
    )
    return sampled.permute(0, 2, 3, 1).reshape(1, -1, table.shape[-1]).to(table.dtype)


def patches(proj: nn.Module, latents: Tensor) -> Tensor:
    """[B, T, C, H, W] through a patch convolution: tokens [B, T · h · w, width]."""
    tokens: Tensor = proj(latents.flatten(0, 1))
    return tokens.unflatten(0, latents.shape[:2]).flatten(3).transpose(2, 3).flatten(1, 2)


class PatchEmbed(CogVideoXPatchEmbed):
    """diffusers' patch embedding, whose positional table is available at every size."""

    def forward(self, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        """Text [B, L, D] and latents [B, T, C, H, W] to tokens [B, L + T · h · w, width]."""
        tokens = torch.cat([self.text_proj(text_embeds), patches(self.proj, image_embeds)], dim=1)
        grid = self.grid(image_embeds)
        table = self.table(grid, tokens.device)
        return tokens if table is None else tokens + table.to(tokens.dtype)

    def grid(self, latents: Tensor) -> Grid:
        """The token grid of latents [B, T, C, H, W]."""
        frames, _, height, width = latents.shape[1:]
        return frames, height // self.patch_size, width // self.patch_size

    @property
    def trained(self) -> Grid:
        """The token grid the checkpoint was trained at."""
        frames = (self.sample_frames - 1) // self.temporal_compression_ratio + 1
        return frames, self.sample_height // self.patch_size, self.sample_width // self.patch_size

    def table(self, grid: Grid, device: torch.device) -> Tensor | None:
        """The table added to text and video tokens [1, L + tokens, width]; None for RoPE alone."""
        if not (self.use_positional_embeddings or self.use_learned_positional_embeddings):
            return None
        if grid == self.trained:
            return self.pos_embedding
        if not self.use_learned_positional_embeddings:
            return self._sincos(grid, device)
        text = self.pos_embedding[:, : -self.trained[0] * self.trained[1] * self.trained[2]]
        video = resample(self.pos_embedding[:, text.shape[1] :], self.trained, grid)
        return torch.cat([text, video], dim=1)

    def _sincos(self, grid: Grid, device: torch.device) -> Tensor:
        tables: dict[tuple[Grid, torch.device], Tensor] = self.__dict__.setdefault("_tables", {})
        key = (grid, device)
        if key not in tables:  # diffusers computes it at every step
            frames = (grid[0] - 1) * self.temporal_compression_ratio + 1
            height, width = grid[1] * self.patch_size, grid[2] * self.patch_size
            tables[key] = self._get_positional_embeddings(height, width, frames, device=device)
        return tables[key]
