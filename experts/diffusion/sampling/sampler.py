"""From noise to latents: classifier-free guidance over a batch, with DDIM or DPM-Solver++."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import CogVideoXDPMScheduler
from torch import Tensor

from experts.diffusion.conditioning.conditions import Conditions, control_input, main_input
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.caching import Cache, caching
from experts.diffusion.sampling.schedule import Scheduler
from experts.diffusion.specs import LATENT, ExpertSpec

STEPS = 30
"""Denoising steps (Señorita-2M's released editor)."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Embeddings [B, L, text width] of a batch.

    `positive` is asked for and guidance leads away from `negative`. `beside` goes through the
    negative channels of an expert that has them, in both passes.
    """

    positive: Tensor
    negative: Tensor
    beside: Tensor | None = None


@torch.no_grad()
def sample(
    editor: VideoEditor,
    spec: ExpertSpec,
    schedule: Scheduler,
    conditions: Conditions,
    prompts: Prompts,
    size: tuple[int, int, int],
    seeds: list[int],
    steps: int = STEPS,
    guidance: float | None = None,
    cache: Cache = "none",
) -> Tensor:
    """Edited latents [B, T, 16, H, W] for the batch's conditions; `size` is (T, H, W).

    Each row's noise comes from its own seed, drawn on the CPU, so that a row is the same in any
    batch and on any device, up to the order in which sums are taken. `guidance` None takes the
    expert's; 1 asks for the prompt alone, in one pass. `cache` other than `none` saves work and
    changes the result (`caching`).
    """
    scale = spec.guidance if guidance is None else guidance
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    shape = (len(seeds), size[0], LATENT, *size[1:])
    device, dtype = prompts.positive.device, editor.dtype

    def noise() -> Tensor:
        rows = [torch.randn(shape[1:], generator=generator) for generator in generators]
        return torch.stack(rows).to(device)

    guided = scale != 1
    twice = 2 if guided else 1
    text = torch.cat([prompts.negative, prompts.positive]) if guided else prompts.positive
    given = {"encoder_hidden_states": text.to(dtype)}
    if prompts.beside is not None:
        given["negative_hidden_states"] = prompts.beside.repeat(twice, 1, 1).to(dtype)
    control = control_input(spec, conditions)
    if control is not None:
        given["control"] = control.repeat(twice, 1, 1, 1, 1).to(device, dtype)

    latents = noise()
    schedule.set_timesteps(steps, device=device)
    levels = schedule.timesteps.tolist()
    previous: Tensor | None = None
    with caching(editor, cache, guided) as clock:
        for k, timestep in enumerate(schedule.timesteps):
            clock.timestep = levels[k]
            seen = main_input(spec, latents, conditions).repeat(twice, 1, 1, 1, 1)
            with editor.cache_context("cond_uncond"):
                predicted = editor(
                    hidden_states=seen.to(dtype),
                    timestep=timestep.expand(len(seen)),
                    return_dict=False,
                    **given,
                )[0].float()
            if guided:
                away, toward = predicted.chunk(2)
                predicted = away + scale * (toward - away)
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
