"""Pairs as filters see them: a few frames of each side, scaled to one size."""

from __future__ import annotations

import numpy as np

from catalog import media
from experts.base import Frames, Masks
from experts.edit.tasks import TASKS
from filters.base import PairFrames

LONG_SIDE = 480
"""px of the long side that filters look at (`filters.base.PairFrames`)."""


def pair_sample(
    *,
    task: str,
    source: Frames,
    target: Frames,
    masks: Masks | None,
    prompt: str,
    label: str,
    instruction: str,
    source_id: str,
    sizes: tuple[tuple[int, int], tuple[int, int]],
) -> PairFrames:
    """A filter's view of a pair: `source` and `target` uint8 [FRAMES, h, w, 3]; `masks` bool
    [T, H, W] of any size and length are brought to the target's frames; `sizes` are the stored
    (height, width) of source and target, px."""
    mask = None
    if masks is not None:
        picked = masks[np.linspace(0, len(masks) - 1, len(target)).round().astype(int)]
        mask = media.crop_resize(picked, target.shape[1:3])
    made = TASKS[task].made_side
    return PairFrames(
        task, source, target, mask, prompt, label, instruction, source_id, sizes, made=made
    )
