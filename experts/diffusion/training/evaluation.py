"""Scores of an expert on held-out examples: its loss, and the PSNR of what it samples.

Examples are encoded as for training. Every version gets the same examples, timesteps and noise, so
that two scores differ by the weights alone. The PSNR's reference is the target decoded by the
autoencoder: what the autoencoder loses is not counted against an expert.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor
from torch.nn import functional as F

from catalog.keys import digest
from experts.diffusion.conditioning.vae import decode
from experts.diffusion.latents import SPATIAL, TEMPORAL
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import TIMESTEPS, Scheduler
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.comparison import Scores
from experts.diffusion.training.data.examples import Examples, Item
from experts.diffusion.training.data.randomness import StepRandomness
from experts.diffusion.training.loss import conditions_of, loss_of

MAX_PSNR = 99.0
"""dB for equal videos, whose PSNR is infinite."""


@torch.no_grad()
def evaluate(
    editor: VideoEditor,
    spec: ExpertSpec,
    schedule: Scheduler,
    examples: Examples,
    vae: AutoencoderKLCogVideoX,
    *,
    max_examples: int,
    noise_levels: int,
    sampled: int,
    steps: int,
    bf16: bool = False,
) -> Scores:
    """The scores on at most `max_examples` examples of the last stage, the same ones each time.

    noise_levels: timesteps per example, evenly over the schedule.
    sampled: examples that are also sampled, in `steps` denoising steps without guidance.
    bf16: whether to compute in bfloat16.
    """
    device = next(editor.parameters()).device
    last = max(row.stage for row in examples.rows)
    rows = [k for k, row in enumerate(examples.rows) if row.stage == last]
    rows = sorted(rows, key=lambda k: digest("measure", examples.rows[k].key))[:max_examples]
    empty = examples.empty_prompt()
    editor.eval()
    losses, psnrs = [], []
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for k in rows:
            batch = {name: t[None].to(device) for name, t in examples[k].items()}
            for level in range(noise_levels):
                timestep = int((level + 0.5) / noise_levels * TIMESTEPS)
                seed = int(digest("noise", examples.rows[k].key, level)[:15], 16)
                random = StepRandomness(torch.tensor([timestep]), torch.tensor([False]), [seed])
                losses.append(float(loss_of(editor, spec, schedule, batch, random, empty)))
        # The prompt of a remover's exact masks is "Generate …", the opposite of its task.
        removals = [
            k for k in rows if not (spec.name == "remover" and examples.rows[k].kind == "exact")
        ]
        for k in removals[:sampled]:
            batch = {name: t[None].to(device) for name, t in examples[k].items()}
            seed = int(digest("paint", examples.rows[k].key)[:15], 16)
            latents = _sample(editor, spec, schedule, batch, empty.to(device), seed, steps)
            psnrs.append(_psnr(vae, batch, latents))
    psnr = float(np.mean(psnrs)) if psnrs else None
    return Scores(float(np.mean(losses)), psnr, len(rows), len(psnrs))


def _sample(
    editor: VideoEditor,
    spec: ExpertSpec,
    schedule: Scheduler,
    batch: Item,
    empty: Tensor,
    seed: int,
    steps: int,
) -> Tensor:
    target = batch["target"]
    return sample(
        editor,
        spec,
        schedule,
        conditions_of(batch),
        Prompts(batch["prompt"], empty[None], batch.get("negative_prompt")),
        size=(target.shape[1], target.shape[3], target.shape[4]),
        seeds=[seed],
        steps=steps,
        guidance_scale=1.0,
    )


def _psnr(vae: AutoencoderKLCogVideoX, batch: Item, latents: Tensor) -> float:
    target, sampled = decode(vae, batch["target"]).float(), decode(vae, latents).float()
    error = ((target - sampled) ** 2).mean(dim=-1)  # [1, F, H, W]
    if "mask" in batch:
        error = error[_upsampled(batch["mask"], error.shape[1]) >= 0.5]
    mean = float(error.mean()) if error.numel() else 0.0
    return min(MAX_PSNR, 10 * float(np.log10(255**2 / mean))) if mean else MAX_PSNR


def _upsampled(mask: Tensor, frames: int) -> Tensor:
    """A latent mask [1, T, 1, h, w] as [1, frames, 8 h, 8 w]."""
    space = F.interpolate(mask[:, :, 0].float(), scale_factor=SPATIAL, mode="nearest")
    later = space[:, 1:].repeat_interleave(TEMPORAL, dim=1)
    return torch.cat([space[:, :1], later], dim=1)[:, :frames].to(mask.device)
