"""The loss of a batch: squared error of the predicted velocity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experts.diffusion.conditioning.conditions import Conditions, control_input, main_input
from experts.diffusion.sampling.schedule import Scheduler, velocity
from experts.diffusion.specs import ExpertSpec
from experts.diffusion.training.data.examples import Item
from experts.diffusion.training.data.randomness import StepRandomness


def conditions_of(batch: Item) -> Conditions:
    """The conditions of a batch of cached examples."""
    control = {
        name.removeprefix("control."): tensor
        for name, tensor in batch.items()
        if name.startswith("control.")
    }
    return Conditions(
        first_frame=batch.get("first_frame"),
        masked=batch.get("masked"),
        mask=batch.get("mask"),
        control=control,
        source=batch.get("source"),
    )


def loss_of(
    model: nn.Module,
    spec: ExpertSpec,
    schedule: Scheduler,
    batch: Item,
    random: StepRandomness,
    empty: Tensor,
) -> Tensor:
    """The mean over the batch and all latents; a scalar, float32.

    `model` is the editor, perhaps wrapped by accelerate; `empty` is the embedding of the empty
    prompt [L, text width].
    """
    clean = batch["target"]
    noise = random.noise(tuple(clean.shape[1:])).to(clean.device)
    timesteps = random.timesteps.to(clean.device)
    noisy = schedule.add_noise(clean, noise, timesteps)
    drop = random.drop_prompt.to(clean.device)[:, None, None]
    conditions = conditions_of(batch)
    predicted = model(
        main_input(spec, noisy, conditions),
        torch.where(drop, empty.to(clean.device), batch["prompt"]),
        timesteps,
        control=control_input(spec, conditions),
        negative_hidden_states=batch.get("negative_prompt"),
        return_dict=False,
    )[0]
    return F.mse_loss(predicted.float(), velocity(schedule, clean, noise, timesteps))
