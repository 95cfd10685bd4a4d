"""The random numbers of a training step, a function of the seed and the step's number alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experts.diffusion.sampling.schedule import TIMESTEPS


@dataclass(frozen=True, slots=True)
class StepRandomness:
    """Of a batch of n examples, over all devices.

    timesteps: [n], int64, 0 … 999. CogVideoX's explicit uniform sampling: the range is cut into n
        equal parts and each example gets a timestep of one, which varies the loss less than n
        independent timesteps.
    drop_prompt: [n], bool; examples trained with the empty prompt.
    noise_seeds: [n]; of each example's noise.
    """

    timesteps: Tensor
    drop_prompt: Tensor
    noise_seeds: list[int]

    @classmethod
    def at(cls, seed: int, step: int, batch_size: int, prompt_dropout: float) -> StepRandomness:
        """The random numbers of step `step`; `prompt_dropout` is a probability."""
        rng = np.random.default_rng([seed, step, 1])
        parts = (rng.permutation(batch_size) + rng.random(batch_size)) / batch_size
        timesteps = (parts * TIMESTEPS).astype(np.int64).clip(max=TIMESTEPS - 1)
        return cls(
            timesteps=torch.from_numpy(timesteps),
            drop_prompt=torch.from_numpy(rng.random(batch_size) < prompt_dropout),
            noise_seeds=[int(s) for s in rng.integers(2**63 - 1, size=batch_size)],
        )

    def part(self, begin: int, end: int) -> StepRandomness:
        """Those of the batch's examples from `begin` up to, but not including, `end`."""
        return StepRandomness(
            self.timesteps[begin:end], self.drop_prompt[begin:end], self.noise_seeds[begin:end]
        )

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise [n, *shape], drawn on the CPU: the same on every machine."""
        rows = [
            torch.randn(shape, generator=torch.Generator().manual_seed(seed))
            for seed in self.noise_seeds
        ]
        return torch.stack(rows)
