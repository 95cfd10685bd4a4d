"""The quality filter's training set: good edits, and the same edits broken on purpose.

All frames go once through the video encoder, good and broken alike: real pairs are files, and a
classifier must not recognise broken ones by compression artefacts. Pairs are made, described and
dropped one after the other: memory does not grow with the set.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.media import read_video, write_video
from filters.base import Frames, PairFrames
from filters.encoder.base import Encoder
from filters.features import describe, measures_of
from filters.quality.descriptor import (
    BY_MEASURES,
    GROUPS,
    Vector,
    descriptor,
    measures_descriptor,
    stacked,
)
from filters.quality.training.breakages import BREAKAGES, Breakage

GOOD = "good"

BROKEN_SWAPS = 4
"""So many broken ones are made of a good swap, of other edits two: choices. With two, some kinds
come up a handful of times, and swaps fail both as fills do and in what is put there."""

LABELLED_GOOD, LABELLED_BAD = "labelled_good", "labelled_bad"
"""Kinds of a build's pairs, by what people said of them (filters.quality.training.labelled)."""

VISIBLE_LEVELS = 10.0
"""Levels of 255 by which a broken edit must differ, else its label would be wrong: nobody rejects
an edit for 4 levels, a difference of 36 dB, and what is static on a fixed camera is not frozen."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Descriptors `x` [n, F] and per row: kind (GOOD, the breakage's name, or what a person said),
    task, source id, and the clip of that source. Of a pair only the side that the expert made is
    broken."""

    x: NDArray[np.float32]
    kinds: tuple[str, ...]
    tasks: tuple[str, ...]
    sources: tuple[str, ...]
    clips: tuple[str, ...]

    @property
    def good(self) -> NDArray[np.bool_]:
        """Labels [n]: True for a good edit."""
        return np.isin(self.kinds, (GOOD, LABELLED_GOOD))

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """[n]: True for a pair that a person labelled."""
        return np.isin(self.kinds, (LABELLED_GOOD, LABELLED_BAD))


def joined(sets: Sequence[TrainingSet]) -> TrainingSet:
    """Several sets as one; what a descriptor of some lacks is 0."""
    x = stacked([row for each in sets for row in each.x])
    facts = (
        tuple(value for each in sets for value in getattr(each, name))
        for name in ("kinds", "tasks", "sources", "clips")
    )
    return TrainingSet(x, *facts)


def training_set(
    pairs: Iterable[tuple[str, str, PairFrames]], seed: int, encoder: Encoder
) -> TrainingSet:
    """From (clip id, kind, pair), of which the good ones are broken as well. Frames are dropped as
    soon as they are described."""
    rng = np.random.default_rng(seed)
    queue: list[str] = []
    rows: list[NDArray[np.float32]] = []
    facts: list[tuple[str, str, str, str]] = []
    for clip, kind, pair in pairs:
        count = BROKEN_SWAPS if pair.task == "object_swap" else 2
        versions = with_broken(pair, rng, queue, count) if kind == GOOD else [(kind, stored(pair))]
        samples = [sample for _, sample in versions]
        rows += described(samples, encoder)
        facts += [(kind, pair.task, pair.source_id, clip) for kind, _ in versions]
    kinds, tasks, sources, clips = zip(*facts, strict=True)
    return TrainingSet(stacked(rows), kinds, tasks, sources, clips)


def described(samples: Sequence[PairFrames], encoder: Encoder) -> list[Vector]:
    """The descriptor of each pair, all of one task; the encoder is asked where its group needs
    it."""
    if GROUPS.get(samples[0].task) in BY_MEASURES:
        measured = zip(measures_of(samples), samples, strict=True)
        return [measures_descriptor(measures, sample) for measures, sample in measured]
    seen = zip(describe(samples, encoder), samples, strict=True)
    return [descriptor(features, sample) for features, sample in seen]


def with_broken(
    pair: PairFrames, rng: np.random.Generator, queue: list[str], broken_per_good: int = 2
) -> list[tuple[str, PairFrames]]:
    """The pair as read from files and `broken_per_good` broken ones or fewer, each with its kind.

    Kinds are taken from `queue`, refilled in random order when it is empty: over many pairs every
    kind comes up equally often. One that would not be visible on this pair goes back to the queue.
    """
    right = stored(pair)
    out = [(GOOD, right)]
    unfit: list[str] = []
    while len(out) <= broken_per_good and len(unfit) < len(BREAKAGES):
        if not queue:
            queue += [str(k) for k in rng.permutation(list(BREAKAGES))]
        kind = queue.pop()
        broken = broken_side(pair, BREAKAGES[kind], rng, float(rng.random()))
        if broken is None:
            unfit.append(kind)
        else:
            out.append((kind, _with_made(right, encoded(broken))))
    queue[:0] = unfit
    return out


def broken_side(
    pair: PairFrames, breakage: Breakage, rng: np.random.Generator, strength: float
) -> Frames | None:
    """The pair's made side, broken; None if the breakage would not be visible there."""
    real, made = pair.sides
    size = made.shape[2], made.shape[1]
    fitting = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in real])
    mask = pair.mask
    if mask is not None:
        nearest = cv2.INTER_NEAREST
        mask = np.stack([cv2.resize(m.astype(np.uint8), size, interpolation=nearest) for m in mask])
        mask = mask > 0
    frames = breakage(fitting, made, mask, rng, strength)
    return frames if _visible(made, frames, mask) else None


def stored(pair: PairFrames) -> PairFrames:
    """The pair as read from files."""
    return dataclasses.replace(pair, source=encoded(pair.source), target=encoded(pair.target))


def _with_made(pair: PairFrames, frames: Frames) -> PairFrames:
    if pair.made == "source":
        return dataclasses.replace(pair, source=frames)
    return dataclasses.replace(pair, target=frames)


def _visible(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    levels: float = VISIBLE_LEVELS,
) -> bool:
    """Whether frames [T, h, w, 3] changed by `levels` of 255, the mean over the mask in the third
    of the frames that changed most."""
    difference = cv2.absdiff(before, after)
    change = difference.sum(-1, dtype=np.uint16) / 3
    area = change[0].size if mask is None else max(1.0, float(mask.sum(axis=(1, 2)).mean()))
    per_frame = change.sum(axis=(1, 2)) / area
    strongest = np.sort(per_frame)[-max(2, len(per_frame) // 3) :]
    return bool(strongest.mean() >= levels)


def encoded(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames [T, h, w, 3] as they come back from a video file, which drops the last line of an odd
    side: they are scaled back to the size they had."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.mp4"
        write_video(path, frames, fps=25)
        back = read_video(path)
    if back.shape == frames.shape:
        return back
    size = frames.shape[2], frames.shape[1]
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_LINEAR) for f in back])
