"""What is left to chance in a training step, as a function of the seed and the step alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experts.diffusion.sampling.schedule import STEPS


@dataclass(frozen=True, slots=True)
class Chance:
    """For a whole batch of n, over all devices.

    timesteps: [n], int64. CogVideoX's explicit uniform sampling: the levels are cut into n equal
        parts and each example gets one, which makes the loss less noisy than n free draws.
    null: [n], bool; examples that go without a prompt.
    seeds: [n]; of each example's noise.
    """

    timesteps: Tensor
    null: Tensor
    seeds: list[int]

    @classmethod
    def at(cls, seed: int, step: int, batch_size: int, null_prompt: float) -> Chance:
        """The chance of a step."""
        rng = np.random.default_rng([seed, step, 1])
        parts = (rng.permutation(batch_size) + rng.random(batch_size)) / batch_size
        return cls(
            timesteps=torch.from_numpy((parts * STEPS).astype(np.int64).clip(max=STEPS - 1)),
            null=torch.from_numpy(rng.random(batch_size) < null_prompt),
            seeds=[int(s) for s in rng.integers(2**63 - 1, size=batch_size)],
        )

    def part(self, begin: int, end: int) -> Chance:
        """That of the examples `begin` … `end` of the batch."""
        return Chance(self.timesteps[begin:end], self.null[begin:end], self.seeds[begin:end])

    def noise(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise [n, *shape], drawn on the CPU: the same on every machine."""
        rows = [
            torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in self.seeds
        ]
        return torch.stack(rows)
