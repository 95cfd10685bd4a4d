"""Pairs as filters see them: a few frames of each side, scaled to one size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from catalog import media
from catalog.records import Pair
from experts.base import Frames, Masks
from experts.edit.tasks import TASKS
from filters.base import FRAMES, PairFrames

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


def stored_sample(pair: Pair, path: Callable[[str], Path]) -> PairFrames:
    """A filter's view of a catalog's pair; `path` gives the files behind its media references.

    Raises BadInput where one of them cannot be read.
    """
    return pair_sample(
        task=pair.task,
        source=media.sample_frames(path(pair.source_video), FRAMES, LONG_SIDE),
        target=media.sample_frames(path(pair.target_video), FRAMES, LONG_SIDE),
        masks=media.sample_masks(path(pair.mask), FRAMES) if pair.mask else None,
        prompt=pair.target_prompt,
        label=pair.label,
        instruction=pair.instruction,
        source_id=pair.source_id,
        sizes=((pair.source_height, pair.source_width), (pair.target_height, pair.target_width)),
    )
