"""Good edits with known truth, made from footage by the real experts, for the quality filter.

An object is pasted onto footage, so that its removal has a truth; the other tasks are what their
experts make. Experts' own results count as good where a truth says how good they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media import probe, read_video
from experts.base import EditRequest
from experts.edit.tasks import expert_for
from filters.base import FRAMES, PairSample

WINDOWS = 2
"""Stretches taken from each video."""

STRIDE = 2
"""Frames between two that are taken: 17 of them span the 33 of an edit."""

LONG_SIDE = 320
"""px; features are taken at about 210, so a larger frame would cost time and show little more."""

ZOOM = 0.6

GOOD_FILL = 25.0
"""dB. A real fill at least this close to the truth inside the mask is a good edit."""

SLIGHT = 1.2
"""Standard deviation, levels of 255, of the harmless noise laid on some good edits."""

HED_EVERY = 2
"""Windows per one whose HED maps are made: the network takes seconds per window."""

_CONDITIONAL = ("canny_to_video", "colorization", "deblur", "upscaling")
_COLOURS = ("red", "blue", "green", "yellow", "purple", "turquoise")
_STYLES = (
    "charcoal",
    "fiery_oil",
    "starry_swirls",
    "watercolor",
    "pencil_sketch",
    "cartoon",
    "ochre_impressionism",
    "pop_art",
    "olive_woodcut",
    "dusk",
)

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]


def good_pairs(videos: Sequence[tuple[str, Path]], seed: int) -> list[PairSample]:
    """Good pairs of all task groups from (source id, path) of two or more videos."""
    rng = np.random.default_rng(seed)
    clips = [(source_id, _window(path, rng)) for source_id, path in videos for _ in range(WINDOWS)]
    pairs: list[PairSample] = []
    for i, (source_id, frames) in enumerate(clips):
        # The pasted object comes from other footage
        other = clips[(i + WINDOWS) % len(clips)][1]
        made = [
            *_fills(frames, other, rng),
            *_looks(frames, rng),
            *_holes(frames, rng),
            *_conditionals(frames, i, rng),
        ]
        pairs += [dataclasses.replace(pair, source_id=source_id) for pair in made]
    return pairs


def _window(path: Path, rng: np.random.Generator) -> Frames:
    info = probe(path)
    count = info.frames or FRAMES
    stride = max(1, min(STRIDE, (count - 1) // (FRAMES - 1)))
    last = max(0, count - (FRAMES - 1) * stride - 1)
    scale = min(1.0, LONG_SIDE / max(info.width, info.height))
    size = round(info.height * scale) // 2 * 2, round(info.width * scale) // 2 * 2
    frames = read_video(path, int(rng.integers(last + 1)), FRAMES, stride, size)
    frames = frames[np.minimum(np.arange(FRAMES), len(frames) - 1)]
    return _part(frames, rng)


def _part(frames: Frames, rng: np.random.Generator) -> Frames:
    """A crop of ZOOM of the sides or more, perhaps mirrored: few sources, more scenes."""
    height, width = frames.shape[1:3]
    h, w = (int(side * rng.uniform(ZOOM, 1)) // 4 * 4 for side in (height, width))
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    part = frames[:, y : y + h, x : x + w]
    return np.ascontiguousarray(part[:, :, ::-1] if rng.random() < 0.5 else part)


def _made(task: str, frames: Frames, masks: Masks | None, seed: int, **params: Any) -> Any:
    expert = expert_for(task)
    expert.load()
    return expert.edit(EditRequest(task, frames, masks, label="object", seed=seed, params=params))


def _fills(frames: Frames, other: Frames, rng: np.random.Generator) -> list[PairSample]:
    masks = moving_masks(frames.shape[:3], rng)
    pasted = paste(frames, other, masks)
    filled = _made("object_removal", pasted, masks, _seed(rng)).frames
    pairs = [
        PairSample("object_removal", pasted, frames, masks),
        PairSample("object_removal", pasted, _slightly(frames, masks, rng), masks),
    ]
    if _psnr(filled[masks], frames[masks]) >= GOOD_FILL:
        pairs.append(PairSample("object_removal", pasted, filled, masks))
        pairs.append(PairSample("object_addition", filled, pasted, masks))
    return pairs


def _looks(frames: Frames, rng: np.random.Generator) -> list[PairSample]:
    masks = moving_masks(frames.shape[:3], rng)
    colour, style, whole = (str(rng.choice(x)) for x in (_COLOURS, _STYLES, _STYLES))
    pairs = []
    for look in ({"kind": "color", "color": colour}, {"kind": "style", "style": style}):
        with contextlib.suppress(BadInput):  # the region has that colour already
            made = _made("local_style_transfer", frames, masks, _seed(rng), **look).frames
            pairs.append(PairSample("local_style_transfer", frames, made, masks))
    styled = _made("global_style_transfer", frames, None, _seed(rng), style=whole).frames
    return [
        *pairs,
        PairSample("global_style_transfer", frames, styled),
        PairSample("global_style_transfer", frames, _slightly(styled, None, rng)),
    ]


def _holes(frames: Frames, rng: np.random.Generator) -> list[PairSample]:
    pairs = []
    for task in ("inpainting", "outpainting"):
        made = _made(task, frames, None, _seed(rng))
        pairs.append(PairSample(task, made.frames, frames, made.masks))
    return pairs


def _conditionals(frames: Frames, index: int, rng: np.random.Generator) -> list[PairSample]:
    masks = moving_masks(frames.shape[:3], rng)
    painted = _made("object_grounding", frames, masks, _seed(rng)).frames
    pairs = [PairSample("object_grounding", frames, painted, masks)]
    for k in range(2):
        task = _CONDITIONAL[(2 * index + k) % len(_CONDITIONAL)]
        pairs.append(PairSample(task, _made(task, frames, None, _seed(rng)).frames, frames))
    if index % HED_EVERY == 0:
        edges = _made("hed_detection", frames, None, _seed(rng)).frames
        pairs.append(PairSample("hed_detection", frames, edges))
        pairs.append(PairSample("hed_to_video", edges, frames))
    return pairs


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


def paste(frames: Frames, other: Frames, masks: Masks) -> Frames:
    """A piece of other footage, moving with the mask, laid over the frames with a soft edge."""
    size = frames.shape[2], frames.shape[1]
    texture = np.stack([cv2.resize(f, size) for f in other]).astype(np.float32)
    out = []
    for frame, mask, piece in zip(frames, masks, texture, strict=True):
        soft = (cv2.blur(mask.astype(np.float32), (3, 3)) * mask)[..., None]
        out.append(np.rint(frame + soft * (piece - frame)).astype(np.uint8))
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


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
