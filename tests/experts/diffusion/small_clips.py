"""Hand-made clips with objects, and a transparent stand-in for the encoders.

The stand-in's latents are plain averages of blocks, so that a test can look at what was edited; a
random autoencoder's latents can't be decoded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from experts.base import Frames, Masks
from experts.diffusion.training.data.clip import TrainingClip

WIDTH, LENGTH = 12, 5


@dataclass(frozen=True)
class Source:
    """A gradient of its own colours with a disc that crosses it."""

    seed: int
    frames: int = 20
    height: int = 40
    width: int = 56
    owner: bool = True

    @property
    def key(self) -> str:
        return f"source-{self.seed}"

    @property
    def labels(self) -> tuple[str, ...]:
        return (f"disc {self.seed}",) if self.owner else ()

    def clip(self) -> TrainingClip:
        frames = self._frames()
        controls = {
            "hed": 255 - frames,
            "canny": np.flip(frames, axis=-1).copy(),
            "depth": frames // 2,
        }
        return TrainingClip(frames, f"scene {self.seed}", controls)

    def masks(self, index: int) -> Masks:
        assert index == 0
        rng = np.random.default_rng([self.seed, 1])
        start, speed = rng.uniform(8, 20, 2), rng.uniform(0.3, 1.2, 2)
        y, x = np.mgrid[: self.height, : self.width]
        places = start + speed * np.arange(self.frames)[:, None]
        return np.stack([(y - py) ** 2 + (x - px) ** 2 < 121 for py, px in places])

    def _frames(self) -> Frames:
        rng = np.random.default_rng([self.seed, 0])
        top, bottom, disc = rng.uniform(20, 235, (3, 3))
        ramp = np.linspace(0, 1, self.height)[:, None, None]
        scene = np.broadcast_to(top + ramp * (bottom - top), (self.height, self.width, 3))
        shown = np.where(self.masks(0)[..., None], disc, scene) if self.owner else scene[None]
        return np.broadcast_to(shown, (self.frames, *scene.shape)).astype(np.uint8)


class BlockEncoders:
    """Means of 4×4 blocks, 12 channels, and 4 of how the middle blocks change in time."""

    key = "blocks"

    def video(self, frames: Tensor, as_image: bool = False) -> Tensor:
        pixels = frames.float().permute(0, 1, 4, 2, 3) / 127.5 - 1  # [B, F, 3, H, W]
        batch, count = pixels.shape[:2]
        small = F.avg_pool2d(pixels.flatten(0, 1), 4).unflatten(0, (batch, count))
        groups = [small[:, :1]] + [small[:, k : k + 4] for k in range(1, count, 4)]
        mean = torch.stack([group.mean(dim=1) for group in groups], dim=1)
        change = torch.stack([group[:, -1] - group[:, 0] for group in groups], dim=1)
        packed = [F.pixel_unshuffle(x, 2) for x in (mean, change.mean(dim=2, keepdim=True))]
        return torch.cat(packed, dim=2) * 1.5

    def text(self, prompts: list[str]) -> Tensor:
        rows = []
        for prompt in prompts:
            generator = torch.Generator().manual_seed(sum(map(ord, prompt)))
            rows.append(torch.randn(LENGTH, WIDTH, generator=generator))
        return torch.stack(rows)


def pixels(latents: Tensor) -> Any:
    """Means of 4×4 blocks, 0 … 255, [B, T, 3, H, W], of BlockEncoders' latents."""
    return (F.pixel_shuffle(latents[:, :, :12] / 1.5, 2) + 1) * 127.5
