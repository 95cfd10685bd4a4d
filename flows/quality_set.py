"""Good edits with known truth, made from footage by the real experts, for the quality filter.

An object is pasted onto footage, so that its removal has a truth; the other tasks are what their
experts make. Experts' own results count as good where a truth says how good they are. Pairs come
one at a time: the set is larger than memory should be.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media import probe, read_video
from experts.base import EditRequest
from experts.edit.materials import MATERIALS
from experts.edit.styles import STYLES
from experts.edit.tasks import expert_for
from filters.base import FRAMES, PairSample

WINDOWS = 6
"""Clips taken from each video: one from each of as many equal parts, so that none overlap."""

STRIDE = 2
"""Frames between two that are taken: 17 of them span the 33 of an edit."""

LONG_SIDE = 320
"""px; features are taken at about 210, so a larger frame would cost time and show little more."""

ZOOM = 0.6

GOOD_FILL = 25.0
"""dB. A real fill at least this close to the truth inside the mask is a good edit."""

SLIGHT = 1.2
"""Standard deviation, levels of 255, of the harmless noise laid on some good edits."""

_CONDITIONAL = ("canny_to_video", "colorization", "deblur", "upscaling")
_COLOURS = ("red", "blue", "green", "yellow", "purple", "turquoise")

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]


def good_pairs(videos: Sequence[tuple[str, Path]], seed: int) -> Iterator[tuple[str, PairSample]]:
    """Good pairs of all task groups from (source id, path) of videos, each with its clip's id."""
    for number, (source_id, path) in enumerate(videos):
        for k in range(WINDOWS):
            rng = np.random.default_rng((seed, number, k))
            for pair in _pairs(_window(path, k, rng), k, number + k, rng):
                yield f"{source_id}:{k}", dataclasses.replace(pair, source_id=source_id)


def _pairs(
    frames: Frames, window: int, turn: int, rng: np.random.Generator
) -> Iterator[PairSample]:
    """Cheap edits of every window; the slow experts' once per video; `turn` picks among tasks."""
    yield from _removals(frames, window, rng)
    yield from _looks(frames, window, rng, painted=window == 1 and turn % 2 == 1)
    hole = ("inpainting", "outpainting")[turn % 2]
    made = _made(hole, frames, None, rng)
    yield PairSample(hole, made.frames, frames, made.masks)
    task = _CONDITIONAL[turn % len(_CONDITIONAL)]
    yield PairSample(task, _made(task, frames, None, rng).frames, frames)
    if window % 2:
        masks = moving_masks(frames.shape[:3], rng)
        painted = _made("object_grounding", frames, masks, rng).frames
        yield PairSample("object_grounding", frames, painted, masks)
    if window == 2:
        edges = _made("hed_detection", frames, None, rng).frames
        yield PairSample("hed_detection", frames, edges)
        yield PairSample("hed_to_video", edges, frames)


def _window(path: Path, k: int, rng: np.random.Generator) -> Frames:
    info = probe(path)
    part = (info.frames or FRAMES * WINDOWS) // WINDOWS
    stride = max(1, min(STRIDE, (part - 1) // (FRAMES - 1)))
    first = k * part + int(rng.integers(max(1, part - (FRAMES - 1) * stride)))
    scale = min(1.0, LONG_SIDE / max(info.width, info.height))
    size = round(info.height * scale) // 2 * 2, round(info.width * scale) // 2 * 2
    frames = read_video(path, first, FRAMES, stride, size)
    frames = frames[np.minimum(np.arange(FRAMES), len(frames) - 1)]
    return _part(frames, rng)


def _part(frames: Frames, rng: np.random.Generator) -> Frames:
    """A crop of ZOOM of the sides or more, perhaps mirrored: few sources, more scenes."""
    height, width = frames.shape[1:3]
    h, w = (int(side * rng.uniform(ZOOM, 1)) // 4 * 4 for side in (height, width))
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    part = frames[:, y : y + h, x : x + w]
    return np.ascontiguousarray(part[:, :, ::-1] if rng.random() < 0.5 else part)


def _made(
    task: str, frames: Frames, masks: Masks | None, rng: np.random.Generator, **params: Any
) -> Any:
    expert = expert_for(task)
    expert.load()
    seed = int(rng.integers(2**31))
    return expert.edit(EditRequest(task, frames, masks, label="object", seed=seed, params=params))


def _removals(frames: Frames, window: int, rng: np.random.Generator) -> Iterator[PairSample]:
    """The truth as the removal's result, clean or not quite; once the real remover's."""
    masks = moving_masks(frames.shape[:3], rng)
    pasted = paste(frames, masks, rng)
    clean = frames if window % 2 else _slightly(frames, masks, rng)
    yield PairSample("object_removal", pasted, clean, masks)
    if window == 0:
        filled = _made("object_removal", pasted, masks, rng).frames
        if _psnr(filled[masks], frames[masks]) >= GOOD_FILL:
            yield PairSample("object_removal", pasted, filled, masks)
            yield PairSample("object_addition", filled, pasted, masks)
    else:
        yield PairSample("object_addition", clean, pasted, masks)


def _looks(
    frames: Frames, window: int, rng: np.random.Generator, painted: bool
) -> Iterator[PairSample]:
    """A new colour or material, and a style for the whole; if `painted` a local style too."""
    masks = moving_masks(frames.shape[:3], rng)
    local, whole = (str(rng.choice([s.name for s in STYLES])) for _ in range(2))
    looks = [
        {"kind": "color", "color": str(rng.choice(_COLOURS))},
        {"kind": "material", "material": str(rng.choice(list(MATERIALS)))},
    ][window % 2 :][:1]
    if painted:
        looks.append({"kind": "style", "style": local})
    for look in looks:
        with contextlib.suppress(BadInput):  # the region has that colour already
            made = _made("local_style_transfer", frames, masks, rng, **look).frames
            yield PairSample("local_style_transfer", frames, made, masks)
    styled = _made("global_style_transfer", frames, None, rng, style=whole).frames
    yield PairSample("global_style_transfer", frames, styled)


def moving_masks(shape: tuple[int, ...], rng: np.random.Generator) -> Masks:
    """A smooth blob of 4–14 % of the frame that drifts and breathes; [T, h, w]."""
    frames, height, width = shape
    area = rng.uniform(0.04, 0.14) * height * width
    radius = np.sqrt(area / np.pi)
    stretch = rng.uniform(0.7, 1.4)
    waves = rng.normal(0, 0.12, 3), rng.uniform(0, 2 * np.pi, 3)
    margin = min(radius * 1.2, height / 2.2)
    x, y = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
    speed = rng.uniform(-0.012, 0.012, 2) * width
    ys, xs = np.mgrid[:height, :width]
    masks = np.empty((frames, height, width), bool)
    for t in range(frames):
        cx = np.clip(x + speed[0] * t, margin, width - margin)
        cy = np.clip(y + speed[1] * t * 0.5, margin, height - margin)
        dx, dy = (xs - cx) / stretch, (ys - cy) * stretch
        angle = np.arctan2(dy, dx)
        edge = 1 + sum(
            a * np.sin((k + 2) * angle + p) for k, (a, p) in enumerate(zip(*waves, strict=True))
        )
        masks[t] = np.hypot(dx, dy) < radius * edge * (1 + 0.05 * np.sin(t / 3))
    return masks


def paste(frames: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """An object laid over the frames with a soft edge, moving with the mask.

    It is the footage itself turned upside down, enlarged, backwards in time and in other colours:
    another clip's would tie the two, and one might be trained on, the other tested with.
    """
    gain, order = rng.uniform(0.7, 1.3, 3), rng.permutation(3)
    size = frames.shape[2], frames.shape[1]
    out = []
    for frame, mask, other in zip(frames, masks, frames[::-1], strict=True):
        middle = other[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4]
        piece = cv2.resize(middle[::-1, :, order], size).astype(np.float32) * gain
        soft = (cv2.blur(mask.astype(np.float32), (3, 3)) * mask)[..., None]
        out.append(np.clip(np.rint(frame + soft * (piece - frame)), 0, 255).astype(np.uint8))
    return np.stack(out)


def _slightly(frames: Frames, masks: Masks | None, rng: np.random.Generator) -> Frames:
    """Imperfect as a good expert's result is: a little soft, a little noise, above 30 dB."""
    soft = np.stack([cv2.GaussianBlur(f, (0, 0), 0.6) for f in frames])
    noisy = soft + rng.normal(0, SLIGHT, frames.shape)
    changed = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return changed if masks is None else np.where(masks[..., None], changed, frames)


def _psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = float(((a.astype(np.float32) - b) ** 2).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-6)))
