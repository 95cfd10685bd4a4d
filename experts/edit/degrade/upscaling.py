"""Small video: the source side of upscaling, kept at its true smaller size.

Shrunk as footage is on its way to a viewer: blurred, resized and with a sensor's noise, once or
twice over, then compressed (`degrade.py`, `codec.py`).
"""

from __future__ import annotations

import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames
from experts.edit.degrade.codec import draw_codec, recompressed
from experts.edit.degrade.optics import (
    INTERPOLATIONS,
    Drawn,
    blur_kernel,
    blurred,
    draw_blur,
    draw_noise,
    levels,
    noisy,
    resized,
)
from experts.edit.weightless import Weightless

FACTORS = (2, 4)

MIN_SIDE = 32
"""px; a smaller short side holds nothing that an upscaler could learn from."""

TWICE = 0.5
"""Share of clips that are shrunk in two steps (Real-ESRGAN: all; its second blur in 0.8)."""

SIGMA = (0.05, 0.5)
"""Standard deviation of the first blur, px of the large video times the factor: 0.2–2 px for 4×.
Real-ESRGAN goes to 3 px for 4×, and looks more like a restoration than like an enlargement."""

SECOND_SIGMA = (0.2, 0.7)
"""px, at the size between (Real-ESRGAN: 0.2–1.5)."""

NOISE_SIGMA = (0.3, 4.0)
SHOT_SCALE = (0.03, 0.35)
"""Levels, see deblur.py; Real-ESRGAN's first order starts at 1 and goes to 30."""

CRF = (18, 30)
"""x264's at the small size: from hardly seen to that of a messenger."""


def _even(length: float) -> int:
    """The nearest even number: 4:2:0 chroma, which every encoder of ours uses, needs one."""
    return 2 * round(length / 2)


class Downscaling(Weightless):
    """Shrinks by a factor drawn from the seed, and degrades as footage is degraded.

    Output [T, H/factor, W/factor, 3], both sides rounded to even. `info`: `factor`, `stages` (each
    with its blur, its size in px `height` and `width`, how it was resized `by`, its noise), and the
    codec. Raises :class:`BadInput` (`too_small`) if even the smallest factor leaves a side under
    MIN_SIDE.
    """

    name = "downscaling"
    version = "2"

    def edit(self, request: EditRequest) -> EditResult:
        frames = request.frames
        height, width = frames.shape[1:3]
        factors = [f for f in FACTORS if min(height, width) / f >= MIN_SIDE]
        if not factors:
            raise BadInput(
                "too_small",
                f"{width}x{height} is too small to be an upscaling target: "
                f"the short side needs {MIN_SIDE * FACTORS[0]} px",
            )
        rng = np.random.default_rng(request.seed)
        factor = int(rng.choice(factors))
        stages = _draw_stages(rng, (height, width), factor)
        codec = draw_codec(rng, CRF)
        small = _shrunk(frames, stages, rng)
        return EditResult(
            recompressed(small, codec), info={"factor": factor, "stages": stages} | codec
        )


def _draw_stages(rng: np.random.Generator, size: tuple[int, int], factor: int) -> list[Drawn]:
    height, width = size
    steps = [(float(factor), (SIGMA[0] * factor, SIGMA[1] * factor))]
    if rng.random() < TWICE:
        between = float(rng.uniform(1, factor))
        steps = [(between, steps[0][1]), (float(factor), SECOND_SIGMA)]
    return [
        draw_blur(rng, sigma)
        | {"height": _even(height / by), "width": _even(width / by)}
        | {"by": str(rng.choice(list(INTERPOLATIONS)))}
        | draw_noise(rng, NOISE_SIGMA, SHOT_SCALE)
        for by, sigma in steps
    ]


def _shrunk(frames: Frames, stages: list[Drawn], rng: np.random.Generator) -> Frames:
    kernels = [blur_kernel(stage) for stage in stages]
    made = np.empty((len(frames), stages[-1]["height"], stages[-1]["width"], 3), np.uint8)
    for frame, out in zip(frames, made, strict=True):
        picture = frame.astype(np.float32)
        for stage, kernel in zip(stages, kernels, strict=True):
            picture = resized(
                blurred(picture, kernel), (stage["height"], stage["width"]), stage["by"]
            )
            picture = noisy(picture, stage, rng)
        out[:] = levels(picture)
    return made
