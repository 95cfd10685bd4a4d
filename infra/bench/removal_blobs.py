"""Composites of the removal bench that any clip can make: a large, slow, textured blob.

As a passer-by close to the camera: its outline wobbles, its texture is another clip's and moves
within it, and it goes slowly over whatever the clip shows: people before a camera that stands, a
close foreground with parallax, grain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experts.base import Frames, Masks


@dataclass(frozen=True)
class Blob:
    """What is known of a case: the truth, and the frames and masks every method gets."""

    truth: Frames
    frames: Frames
    masks: Masks


def blob(clip: Frames, donor: Frames, seed: int) -> Blob:
    """`clip` [T, H, W, 3] with a blob of `donor`'s texture (same shape) on it; the numbers are
    those of footage of 592×336 and grow with the frame."""
    random = np.random.default_rng(seed)
    count, height, width, _ = clip.shape
    y, x = np.mgrid[:height, :width]
    scale = width / 592
    masks, frames = np.zeros((count, height, width), bool), clip.copy()
    centre = random.uniform(0.25, 0.4) * width, random.uniform(0.4, 0.6) * height
    speed = random.uniform(3, 7) * scale, random.uniform(-1.5, 1.5) * scale
    radii = random.uniform(35, 50) * scale, random.uniform(60, 85) * scale
    mirrored = bool(seed % 2)
    for t in range(count):
        at_x, at_y = (c + v * t for c, v in zip(centre, speed, strict=True))
        if mirrored:
            at_x = width - at_x
        outline = 1 + 0.15 * np.sin(3 * np.arctan2(y - at_y, x - at_x) + 0.2 * t)
        masks[t] = ((x - at_x) / radii[0]) ** 2 + ((y - at_y) / radii[1]) ** 2 < outline**2
        texture = np.roll(donor[t], (int(at_y - height / 2), int(at_x - width / 2)), (0, 1))
        frames[t][masks[t]] = texture[masks[t]]
    return Blob(clip, frames, masks)
