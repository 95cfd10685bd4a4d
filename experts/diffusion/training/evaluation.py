"""A first measure of an expert: its loss on fixed noise, and how near its painting comes to what
the footage shows.

Both are of latents it never learnt from, prepared like its training's. The same examples, noise
levels and noise are put to every version, so that two of them differ by what they learnt alone.
Painting is compared with the truth as the autoencoder gives it back: what the autoencoder loses is
no expert's fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from torch import Tensor
from torch.nn import functional as F

from catalog.keys import digest
from experts.diffusion.conditioning.conditions import SPATIAL, Conditions
from experts.diffusion.conditioning.vae import decode
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import STEPS, Scheduler
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.examples import Examples, Item
from experts.diffusion.training.data.randomness import Chance
from experts.diffusion.training.loss import conditions_of, loss_of

MOST_DB = 99.0
"""PSNR of what is equal."""


@dataclass(frozen=True, slots=True)
class Measures:
    """`loss`: mean squared error of the velocity over `examples`. `psnr`: dB, mean over `sampled`,
    inside the mask (everywhere, for an expert without); None where none was painted."""

    loss: float
    psnr: float | None
    examples: int
    sampled: int


@torch.no_grad()
def measure(
    editor: VideoEditor,
    spec: ExpertSpec,
    schedule: Scheduler,
    examples: Examples,
    vae: AutoencoderKLCogVideoX,
    *,
    most: int,
    levels: int,
    sampled: int,
    steps: int,
    bf16: bool = False,
) -> Measures:
    """Of the examples of the last stage, `most` at the most; `levels` noise levels, evenly over the
    schedule; `sampled` of the examples are painted in `steps` steps, by the prompt alone."""
    device = next(editor.parameters()).device
    last = max(row.stage for row in examples.rows)
    rows = [k for k, row in enumerate(examples.rows) if row.stage == last]
    rows = sorted(rows, key=lambda k: digest("measure", examples.rows[k].key))[:most]
    empty = examples.empty_prompt()
    editor.eval()
    losses, ratios = [], []
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for k in rows:
            batch = {name: t[None].to(device) for name, t in examples[k].items()}
            for level in range(levels):
                timestep = int((level + 0.5) / levels * STEPS)
                seed = int(digest("noise", examples.rows[k].key, level)[:15], 16)
                chance = Chance(torch.tensor([timestep]), torch.tensor([False]), [seed])
                losses.append(float(loss_of(editor, spec, schedule, batch, chance, empty)))
        # A remover's exact masks say "Generate": what it must not do.
        wanted = [
            k for k in rows if not (spec.name == "remover" and examples.rows[k].kind == "exact")
        ]
        for k in wanted[:sampled]:
            batch = {name: t[None].to(device) for name, t in examples[k].items()}
            seed = int(digest("paint", examples.rows[k].key)[:15], 16)
            made = _paint(editor, spec, schedule, batch, empty.to(device), seed, steps)
            ratios.append(_psnr(vae, batch, made))
    psnr = float(np.mean(ratios)) if ratios else None
    return Measures(float(np.mean(losses)), psnr, len(rows), len(ratios))


def _paint(
    editor: VideoEditor,
    spec: ExpertSpec,
    schedule: Scheduler,
    batch: Item,
    empty: Tensor,
    seed: int,
    steps: int,
) -> Tensor:
    target = batch["target"]
    conditions: Conditions = conditions_of(batch)
    return sample(
        editor,
        spec,
        schedule,
        conditions,
        Prompts(batch["prompt"], empty[None], batch.get("beside")),
        size=(target.shape[1], target.shape[3], target.shape[4]),
        seeds=[seed],
        steps=steps,
        guidance=1.0,
    )


def _psnr(vae: AutoencoderKLCogVideoX, batch: Item, made: Tensor) -> float:
    truth, got = decode(vae, batch["target"]).float(), decode(vae, made).float()
    error = ((truth - got) ** 2).mean(dim=-1)  # [1, F, H, W]
    if "mask" in batch:
        error = error[_frames(batch["mask"], error.shape[1]) >= 0.5]
    mean = float(error.mean()) if error.numel() else 0.0
    return min(MOST_DB, 10 * float(np.log10(255**2 / mean))) if mean else MOST_DB


def _frames(mask: Tensor, count: int) -> Tensor:
    """A latent mask [1, T, 1, h, w] at the frames' size, [1, count, 8 h, 8 w]."""
    grown = F.interpolate(mask[:, :, 0].float(), scale_factor=SPATIAL, mode="nearest")
    later = grown[:, 1:].repeat_interleave(4, dim=1)
    return torch.cat([grown[:, :1], later], dim=1)[:, :count].to(mask.device)
