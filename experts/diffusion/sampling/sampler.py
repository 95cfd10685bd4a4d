"""Sampling of latents from noise: classifier-free guidance with DDIM or DPM-Solver++."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import CogVideoXDPMScheduler
from torch import Tensor

from experts.diffusion.conditioning.conditions import Conditions, control_input, main_input
from experts.diffusion.latents import CHANNELS, Size
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.caching import caching
from experts.diffusion.sampling.options import Cache
from experts.diffusion.sampling.schedule import Scheduler
from experts.diffusion.specs import ExpertSpec
from experts.progress import over

STEPS = 30
"""Denoising steps (Señorita-2M's released editor)."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Embeddings [B, L, text width] of a batch.

    positive, negative: classifier-free guidance leads towards the first, away from the second.
    negative_hidden_states: input of the model's negative channels, in both passes of guidance; None
        for an expert without them.
    """

    positive: Tensor
    negative: Tensor
    negative_hidden_states: Tensor | None = None


@torch.no_grad()
def sample(
    editor: VideoEditor,
    spec: ExpertSpec,
    schedule: Scheduler,
    conditions: Conditions,
    prompts: Prompts,
    size: Size,
    seeds: list[int],
    steps: int = STEPS,
    guidance_scale: float | None = None,
    cache: Cache = "none",
) -> Tensor:
    """Edited latents [B, T, 16, H, W], float32, for the batch's conditions.

    size: (T, H, W) of the latents.
    seeds: of each row's noise, which is drawn on the CPU: a row is the same in any batch and on any
        device, up to the order of summation.
    steps: denoising steps.
    guidance_scale: None takes the expert's; 1 is no guidance, in one pass per step.
    cache: another than `none` saves computation and changes the result (`caching`).
    """
    scale = spec.guidance_scale if guidance_scale is None else guidance_scale
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    shape = (len(seeds), size[0], CHANNELS, *size[1:])
    device, dtype = prompts.positive.device, editor.dtype

    def noise() -> Tensor:
        rows = [torch.randn(shape[1:], generator=generator) for generator in generators]
        return torch.stack(rows).to(device)

    guided = scale != 1
    passes = 2 if guided else 1
    text = torch.cat([prompts.negative, prompts.positive]) if guided else prompts.positive
    inputs = {"encoder_hidden_states": text.to(dtype)}
    if prompts.negative_hidden_states is not None:
        inputs["negative_hidden_states"] = prompts.negative_hidden_states.repeat(passes, 1, 1).to(
            dtype
        )
    control = control_input(spec, conditions)
    if control is not None:
        inputs["control"] = control.repeat(passes, 1, 1, 1, 1).to(device, dtype)

    latents = noise()
    schedule.set_timesteps(steps, device=device)
    timesteps = schedule.timesteps.tolist()
    previous: Tensor | None = None
    with caching(editor, cache, guided) as current:
        for k, timestep in enumerate(over(schedule.timesteps, "denoising", len(timesteps))):
            current.timestep = timesteps[k]
            latent_input = main_input(spec, latents, conditions).repeat(passes, 1, 1, 1, 1)
            with editor.cache_context("cond_uncond"):
                predicted = editor(
                    hidden_states=latent_input.to(dtype),
                    timestep=timestep.expand(len(latent_input)),
                    return_dict=False,
                    **inputs,
                )[0].float()
            if guided:
                unguided, prompted = predicted.chunk(2)
                predicted = unguided + scale * (prompted - unguided)
            if isinstance(schedule, CogVideoXDPMScheduler):
                latents, previous = schedule.step(
                    predicted,
                    previous,
                    timestep,
                    schedule.timesteps[k - 1] if k else None,
                    latents,
                    generator=generators if len(generators) > 1 else generators[0],
                    return_dict=False,
                )
            else:
                latents = schedule.step(predicted, timestep, latents, return_dict=False)[0]
    return latents
