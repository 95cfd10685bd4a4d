"""Conditions as latents, concatenated with the noise along the channels.

Latents are [B, T, C, H, W]; `experts.diffusion.latents` gives their sizes. Channels of the main
branch: noise 16, first frame 16, masked video 16, mask 1, source video 16, each where the expert
has it. Channels of the control branch: 16 for each of its conditions, in the spec's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from catalog.errors import EditmillError
from experts.diffusion.latents import SPATIAL, TEMPORAL, check_size
from experts.diffusion.specs import ExpertSpec


@dataclass(frozen=True, slots=True)
class Conditions:
    """A batch's conditions, each None or absent where the expert has none.

    first_frame: latents of the edited first frame [B, 1, 16, H, W].
    masked: latents of the video with the masked region blacked out [B, T, 16, H, W].
    mask: masked share of each latent, 0 … 1 [B, T, 1, H, W].
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
    """Masks [B, F, H, W] of 0 and 1 as the masked share of each latent [B, T, 1, h, w].

    The mean over the frames and pixels that a latent stands for. Raises EditmillError for sizes
    without latents.
    """
    check_size(masks.shape[1], masks.shape[2], masks.shape[3])
    space = F.avg_pool2d(masks.float(), SPATIAL)  # frames are channels here
    first, rest = space[:, :1], space[:, 1:]
    groups = rest.unflatten(1, (-1, TEMPORAL)).mean(dim=2) if rest.shape[1] else rest
    return torch.cat([first, groups], dim=1)[:, :, None]


def _needed(spec: ExpertSpec, name: str, value: Tensor | None) -> Tensor:
    if value is None:
        raise EditmillError(f"{spec.name} needs the condition {name!r}; give it with the clip")
    return value
