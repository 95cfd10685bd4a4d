"""What an expert sees beside the noise: its conditions as latents, joined into channels.

Latents are [B, T, C, H, W]: T latent frames for 4 (T − 1) + 1 frames, H and W an eighth of the
frame's. Main branch: noise 16, first frame 16, masked video 16, mask 1, source video 16, each where
the expert has it. Control branch: 16 for each of its conditions, in the spec's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from catalog.errors import EditmillError
from experts.diffusion.specs import ExpertSpec

SPATIAL = 8
"""Pixels of a frame per latent, each way."""

TEMPORAL = 4
"""Frames per latent frame, after the first, which stands alone."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """A batch's conditions, each None or absent where the expert has none.

    first_frame: latents of the edited first frame [B, 1, 16, H, W].
    masked: latents of the video with the masked region blacked out [B, T, 16, H, W].
    mask: share of each latent that is masked, 0 … 1 [B, T, 1, H, W].
    control: latents of each condition, by name [B, T, 16, H, W].
    source: latents of the video to edit [B, T, 16, H, W].
    """

    first_frame: Tensor | None = None
    masked: Tensor | None = None
    mask: Tensor | None = None
    control: Mapping[str, Tensor] = field(default_factory=dict)
    source: Tensor | None = None


def main_input(spec: ExpertSpec, noisy: Tensor, conditions: Conditions) -> Tensor:
    """The main branch's channels for `noisy` [B, T, 16, H, W]."""
    parts = [noisy]
    if spec.first_frame:
        first = _needed(spec, "first_frame", conditions.first_frame)
        rest = first.new_zeros(*noisy.shape[:1], noisy.shape[1] - 1, *first.shape[2:])
        parts.append(torch.cat([first, rest], dim=1))  # CogVideoX-I2V: zero after the first
    elif spec.frame_channels:
        parts.append(torch.zeros_like(noisy))
    if spec.mask:
        parts.append(_needed(spec, "masked", conditions.masked))
        parts.append(_needed(spec, "mask", conditions.mask))
    if spec.source:
        parts.append(_needed(spec, "source", conditions.source))
    return torch.cat([part.to(noisy.dtype) for part in parts], dim=2)


def control_input(spec: ExpertSpec, conditions: Conditions) -> Tensor | None:
    """The control branch's channels; None for an expert without one."""
    if not spec.control:
        return None
    parts = [_needed(spec, name, conditions.control.get(name)) for name in spec.control]
    return torch.cat(parts, dim=2)


def latent_mask(masks: Tensor) -> Tensor:
    """Masks [B, F, H, W] of 0 and 1 as the share of each latent that is masked [B, T, 1, h, w].

    A latent frame stands for the frames the video encoder put into it: the first for the first
    frame, each other for the next four. Raises EditmillError for sizes that do not divide.
    """
    check_size(masks.shape[1], masks.shape[2], masks.shape[3])
    space = F.avg_pool2d(masks.float(), SPATIAL)  # frames are channels here
    first, rest = space[:, :1], space[:, 1:]
    groups = rest.unflatten(1, (-1, TEMPORAL)).mean(dim=2) if rest.shape[1] else rest
    return torch.cat([first, groups], dim=1)[:, :, None]


def check_size(frames: int, height: int, width: int) -> None:
    """EditmillError for a size CogVideoX has no latents or patches for."""
    unit = 2 * SPATIAL  # a patch is two latents wide
    if height % unit or width % unit or (frames - 1) % TEMPORAL:
        raise EditmillError(
            f"{frames} frames of {height}×{width}: CogVideoX takes 4 n + 1 frames and sides that "
            f"are multiples of {unit}; change the size"
        )


def _needed(spec: ExpertSpec, name: str, value: Tensor | None) -> Tensor:
    if value is None:
        raise EditmillError(f"{spec.name} needs the condition {name!r}; give it with the clip")
    return value
