"""How a trained expert samples: a file beside its weights, so that its version covers it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path

from pydantic import Field, model_validator

from catalog.errors import EditmillError
from catalog.storage.files import replacing
from catalog.validated import Part
from experts.diffusion.latents import Size
from experts.diffusion.sampling.options import Cache, Solver, cache_named, check

FILE = "serving.json"


class ServingSettings(Part):
    """The `serve` part of a training's settings: how the version samples."""

    steps: int = Field(default=30, ge=1)  # denoising steps (Señorita-2M's released editor)
    solver: Solver = "ddim"  # the same
    tiling: bool = False  # of the autoencoder: less memory, faint seams
    cache: Cache = "none"  # faster, with another result (experts/diffusion/sampling/caching.py)
    compile: bool = (
        False  # torch.compile of the blocks, on a GPU: a slow first edit, other rounding
    )

    @model_validator(mode="after")
    def _compatible(self) -> ServingSettings:
        try:
            check(self.cache, self.solver)
        except EditmillError as error:
            raise ValueError(str(error)) from None
        return self


@dataclass(frozen=True, slots=True)
class Serving:
    """What a trained version is run with.

    sizes: those it was trained at, landscape.
    steps: denoising steps.
    precision: of its weights, `bf16` or `fp32`.
    encoders: fingerprint of the autoencoder and text encoder it was trained with.
    tiling: of the autoencoder; compile: the blocks, where there is a GPU.
    """

    expert: str
    sizes: tuple[Size, ...]
    steps: int
    solver: Solver
    precision: str
    encoders: str
    tiling: bool = False
    cache: Cache = "none"
    compile: bool = False

    def write(self, folder: Path) -> None:
        with replacing(folder / FILE) as part:
            part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Serving:
        """Raises EditmillError where the folder holds none, or one with an unknown cache."""
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            serving = cls(**values | {"sizes": tuple(tuple(size) for size in values["sizes"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EditmillError(
                f"{folder / FILE}: can't be read ({error}); restore the folder from a copy"
            ) from None
        cache_named(serving.cache)
        return serving


def bucket(sizes: Sequence[Size], height: int, width: int) -> Size:
    """The trained size, or one with its sides swapped, nearest in shape to height × width; of
    several the one nearest in area."""
    both = [turned for t, h, w in sizes for turned in ((t, h, w), (t, w, h))]

    def distance(size: Size) -> tuple[float, float]:
        shape = abs(log(size[1] / size[2]) - log(height / width))
        return round(shape, 3), abs(log(size[1] * size[2]) - log(height * width))

    return min(both, key=distance)


def starts(length: int, frames: int) -> list[int]:
    """Where windows of `frames` begin that cover `length` frames: each on the last frame of the one
    before, the last one flush with the end. A shorter clip has one window."""
    if length <= frames:
        return [0]
    return [*range(0, length - frames, max(frames - 1, 1)), length - frames]
