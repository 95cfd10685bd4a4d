"""The quality filter's training set: good edits, and the same edits broken on purpose.

All frames go once through the video encoder, good and broken alike: real pairs are files, and a
classifier must not tell broken ones by what compression left of them.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.media import read_video, write_video
from filters.base import PairSample
from filters.breakages import BREAKAGES, Breakage
from filters.descriptor import MADE_ON_SOURCE

BROKEN_PER_GOOD = 3
"""Breakages drawn for each good pair; over the set every kind comes up equally often."""

VISIBLE = 4.0
"""Least mean change, levels of 255, over the changed frames' mask: what stands still on a fixed
camera is not frozen, and such a sample's label would be wrong."""

GOOD = "good"


def training_set(
    good: Sequence[PairSample], seed: int
) -> tuple[list[PairSample], list[bool], list[str], list[str]]:
    """Samples, labels (True: good), groups (source ids) and kinds (`good` or the breakage's name).

    The side that the expert made is broken; the other one is shared with the good sample.
    """
    rng = np.random.default_rng(seed)
    samples: list[PairSample] = []
    kinds: list[str] = []
    queue: list[str] = []
    for pair in good:
        whole = dataclasses.replace(pair, source=encoded(pair.source), target=encoded(pair.target))
        samples.append(whole)
        kinds.append(GOOD)
        made = 0
        for _ in range(3 * BROKEN_PER_GOOD):  # some kinds cannot show on this pair
            if made == BROKEN_PER_GOOD:
                break
            queue = queue or [str(k) for k in rng.permutation(list(BREAKAGES))]
            kind = queue.pop()
            broken = broken_pair(pair, BREAKAGES[kind], rng, float(rng.random()))
            if broken is None:
                continue
            made += 1
            kinds.append(kind)
            if pair.task in MADE_ON_SOURCE:
                samples.append(dataclasses.replace(whole, source=encoded(broken.source)))
            else:
                samples.append(dataclasses.replace(whole, target=encoded(broken.target)))
    labels = [kind == GOOD for kind in kinds]
    return samples, labels, [s.source_id for s in samples], kinds


def broken_pair(
    pair: PairSample, breakage: Breakage, rng: np.random.Generator, strength: float
) -> PairSample | None:
    """The pair with its made side broken; None if one would not see it there."""
    on_source = pair.task in MADE_ON_SOURCE
    made, real = (pair.source, pair.target) if on_source else (pair.target, pair.source)
    size = made.shape[2], made.shape[1]
    fitting = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in real])
    mask = pair.mask
    if mask is not None:
        nearest = cv2.INTER_NEAREST
        mask = np.stack([cv2.resize(m.astype(np.uint8), size, interpolation=nearest) for m in mask])
        mask = mask > 0
    frames = breakage(fitting, made, mask, rng, strength)
    if not _visible(made, frames, mask):
        return None
    changed = {"source": frames} if on_source else {"target": frames}
    return dataclasses.replace(pair, **changed)  # type: ignore[arg-type]


def _visible(
    before: NDArray[np.uint8], after: NDArray[np.uint8], mask: NDArray[np.bool_] | None
) -> bool:
    change = np.abs(after.astype(np.int16) - before).mean(-1)
    area = change[0].size if mask is None else max(1.0, float(mask.sum(axis=(1, 2)).mean()))
    per_frame = change.sum(axis=(1, 2)) / area
    strongest = np.sort(per_frame)[-max(2, len(per_frame) // 3) :]
    return bool(strongest.mean() >= VISIBLE)


def encoded(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frames as they come back from a video file; odd sides lose their last line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.mp4"
        write_video(path, frames, fps=25)
        back = read_video(path)
    if back.shape == frames.shape:
        return back
    size = frames.shape[2], frames.shape[1]
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_LINEAR) for f in back])
