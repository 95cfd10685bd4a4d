"""The shape of CogVideoX's video latents, as its causal video autoencoder makes them.

4 (T − 1) + 1 frames of 8 H × 8 W pixels are latents [T, 16, H, W]. The first latent frame stands
for the first frame alone, each other one for four frames.
"""

from __future__ import annotations

from catalog.errors import EditmillError

CHANNELS = 16
"""Latent channels."""

SPATIAL = 8
"""Pixels per latent in height and width."""

TEMPORAL = 4
"""Frames per latent frame after the first."""

PATCH = 2
"""Latents per token in height and width."""

Size = tuple[int, int, int]
"""Frames (or latent frames), height, width."""


def latent_size(size: Size) -> Size:
    """The size of the latents of a video of `size`."""
    return (size[0] - 1) // TEMPORAL + 1, size[1] // SPATIAL, size[2] // SPATIAL


def check_size(frames: int, height: int, width: int) -> None:
    """Raises EditmillError for a video size that CogVideoX has no latents or patches for."""
    unit = PATCH * SPATIAL
    if height % unit or width % unit or (frames - 1) % TEMPORAL:
        raise EditmillError(
            f"{frames} frames of {width}×{height}: CogVideoX takes 4 n + 1 frames and sides that "
            f"are multiples of {unit}; change the size"
        )
