"""Good edits with known truth, made from footage by the real experts, for the quality filter.

An object is pasted onto footage, so that its removal has a truth; looks are what their experts
make. What follows from footage by arithmetic is left out: the filter does not judge it. Pairs come
one at a time: the set is larger than memory should be.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media import probe, read_video
from experts.base import EditRequest
from experts.edit.style.materials import MATERIALS
from experts.edit.style.styles import STYLES
from experts.edit.tasks import expert_for
from filters.base import FRAMES, PairSample

WINDOWS = 6
"""Clips taken from each video: one from each of as many equal parts, so that none overlap."""

STRIDES = (2, 4)
"""Frames between two that are taken: 17 of them span the 33 of a local edit, the 65 of others."""

PARTS = 2
"""Crops of each clip that edits are made on: few sources, more scenes."""

LONG_SIDE = 360
"""px, before a crop, at which footage is read: features are taken at about 210."""

ZOOM = 0.6

SLIGHT = 1.2
"""Standard deviation, levels of 255, of the harmless noise laid on some good edits."""

STILL = 0.5
"""Share of the removals from a scene in which nothing else moves, as fixed cameras see it: a fill
that stands still there is right, though the object that went did move."""

NOISE = (0.5, 2.5)
"""Standard deviation, levels of 255, of a fixed camera's noise."""

AREAS = (0.008, 0.16)
"""Least and greatest share of the frame of an edited object, as in real pairs."""

FILLED = 0.6
"""Of its box by a polygon, about."""

TRIES = 12
"""Places from which a patch of like colour is grown before a polygon must do."""

CUT_OUT_SIDE = 200
"""px, long side, at which objects are cut out and followed."""

_COLOURS = ("red", "blue", "green", "yellow", "purple", "turquoise")

Frames = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Way = NDArray[np.float32]
"""[h, w, 2]: where, x and y, each pixel of a frame was in the frame before, px of CUT_OUT_SIDE."""


def good_pairs(videos: Sequence[tuple[str, Path]], seed: int) -> Iterator[tuple[str, PairSample]]:
    """Good pairs of all task groups from (source id, path) of videos, each with its clip's id."""
    for number, (source_id, path) in enumerate(videos):
        for k in range(WINDOWS):
            rng = np.random.default_rng((seed, number, k))
            frames = _window(path, k, rng)
            for part in range(PARTS):
                for pair in _pairs(_part(frames, rng), k + part, number + k + part, part == 0, rng):
                    yield f"{source_id}:{k}", dataclasses.replace(pair, source_id=source_id)


def _pairs(
    frames: Frames, window: int, turn: int, styled: bool, rng: np.random.Generator
) -> Iterator[PairSample]:
    """Edits of one part of a window; `turn` picks among tasks, `styled` says whether painters,
    which are slow, take part."""
    yield _removal(frames, window, rng)[turn % 2]
    yield from _looks(frames, turn, rng, painted=styled and turn % 2 == 1)
    if styled:
        style = str(rng.choice([s.name for s in STYLES]))
        made = _made("global_style_transfer", frames, None, rng, style=style).frames
        yield PairSample("global_style_transfer", frames, made, made="target")


def _window(path: Path, k: int, rng: np.random.Generator) -> Frames:
    info = probe(path)
    part = (info.frames or FRAMES * WINDOWS) // WINDOWS
    stride = max(1, min(int(rng.choice(STRIDES)), (part - 1) // (FRAMES - 1)))
    first = k * part + int(rng.integers(max(1, part - (FRAMES - 1) * stride)))
    scale = min(1.0, LONG_SIDE / max(info.width, info.height))
    size = round(info.height * scale) // 2 * 2, round(info.width * scale) // 2 * 2
    frames = read_video(path, first, FRAMES, stride, size)
    return frames[np.minimum(np.arange(FRAMES), len(frames) - 1)]


def _part(frames: Frames, rng: np.random.Generator) -> Frames:
    """A crop of ZOOM of the sides or more, perhaps mirrored."""
    height, width = frames.shape[1:3]
    h, w = (int(side * rng.uniform(ZOOM, 1)) // 8 * 8 for side in (height, width))
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


def _removal(frames: Frames, turn: int, rng: np.random.Generator) -> tuple[PairSample, PairSample]:
    """The truth as the removal's result, clean or not quite, and the same as an addition."""
    still = rng.random() < STILL
    scene, frames = frames[:1], _still(frames, rng) if still else frames
    masks = drifting(object_masks(scene, rng)[0], len(frames), rng)
    pasted = paste(frames, masks, rng)
    # A remover's mask is wider than its object: the rim of one is seldom found exactly
    brush = np.ones([2 * int(rng.integers(1, 5)) + 1] * 2, np.uint8)
    masks = np.stack([cv2.dilate(m.astype(np.uint8), brush) for m in masks]) > 0
    clean = frames if turn % 2 else _slightly(frames, masks, rng)
    if still:  # where nothing moves, a remover takes the mean of many frames: no noise is left
        clean = np.where(masks[..., None], scene, frames)
    removal = PairSample("object_removal", pasted, clean, masks, made="target")
    return removal, PairSample("object_addition", clean, pasted, masks, made="source")


def _still(frames: Frames, rng: np.random.Generator) -> Frames:
    """The first frame for all time, under a camera's own noise."""
    noise = rng.normal(0, rng.uniform(*NOISE), frames.shape).astype(np.float32)
    return np.clip(np.rint(frames[:1] + noise), 0, 255).astype(np.uint8)


def _looks(
    frames: Frames, turn: int, rng: np.random.Generator, painted: bool
) -> Iterator[PairSample]:
    """A new colour or material for something in the footage; if `painted` a style too."""
    masks = object_masks(frames, rng)
    style = {"kind": "style", "style": str(rng.choice([s.name for s in STYLES]))}
    looks = [
        {"kind": "color", "color": str(rng.choice(_COLOURS))},
        {"kind": "material", "material": str(rng.choice(list(MATERIALS)))},
    ][turn % 2 :][:1]
    for look in looks + [style] * painted:
        with contextlib.suppress(BadInput):  # the region has that colour already
            made = _made("local_style_transfer", frames, masks, rng, **look).frames
            yield PairSample("local_style_transfer", frames, made, masks, made="target")


def object_masks(frames: Frames, rng: np.random.Generator) -> Masks:
    """A patch of AREAS of the frame followed through the footage, [T, h, w]: its outline has
    corners and gaps as an object's has, and it moves as the footage does."""
    height, width = frames.shape[1:3]
    small = cv2.resize(frames[0], _small_size(height, width), interpolation=cv2.INTER_AREA)
    mask = _cut_out(small, rng)
    masks = [mask]
    for way in _way(frames):
        masks.append(cv2.remap(masks[-1], way, None, cv2.INTER_LINEAR))
    whole = [cv2.resize(m, (width, height), interpolation=cv2.INTER_CUBIC) for m in masks]
    found: Masks = np.stack(whole) > 0.5
    return found if found.any(axis=(1, 2)).all() else moving_masks(frames.shape[:3], rng)


def _cut_out(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """A patch of like colour with what it surrounds, or as often a polygon, 0 or 1 [h, w]."""
    height, width = picture.shape[:2]
    smooth = cv2.medianBlur(picture, 5)
    closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    for _ in range(int(rng.integers(2)) * TRIES):
        seed = int(rng.integers(width)), int(rng.integers(height))
        tolerance = [float(rng.uniform(4, 20))] * 3
        found = np.zeros((height + 2, width + 2), np.uint8)
        how = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 1 << 8
        cv2.floodFill(smooth, found, seed, 0, [3 * t for t in tolerance], tolerance, how)
        closed = cv2.morphologyEx(found[1:-1, 1:-1], cv2.MORPH_CLOSE, closing)
        if AREAS[0] < closed.mean() < AREAS[1]:
            return np.asarray(closed, np.float32)
    polygon = np.zeros((height, width), np.float32)
    return cv2.fillPoly(polygon, [_polygon(height, width, rng)], 1).astype(np.float32)


def _polygon(height: int, width: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Corners [n, 2], px, of a star: upright as a person is, or wide as a car."""
    area = np.exp(rng.uniform(*np.log(AREAS))) * height * width / FILLED
    stretch = np.exp(rng.uniform(-0.9, 0.6))
    size = np.clip(np.sqrt([area * stretch, area / stretch]), 6, (0.8 * width, 0.8 * height))
    corners = int(rng.integers(6, 14))
    angles = (np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) / corners * 2 * np.pi
    star = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.5, 1, (corners, 1))
    star = (star - star.min(0)) / np.ptp(star, axis=0)
    return np.rint(star * size + rng.uniform(0, (width, height) - size)).astype(np.int32)


def _way(frames: Frames) -> list[Way]:
    """Of each frame but the first."""
    height, width = frames.shape[1:3]
    size = _small_size(height, width)
    greys = [cv2.cvtColor(cv2.resize(f, size), cv2.COLOR_RGB2GRAY) for f in frames]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size)), axis=-1)
    return [grid + flow.calc(now, before, None) for before, now in itertools.pairwise(greys)]


def _small_size(height: int, width: int) -> tuple[int, int]:
    """Width and height, px, at which objects are cut out: enough for an outline, and quick."""
    scale = CUT_OUT_SIDE / max(height, width)
    return round(width * scale), round(height * scale)


def drifting(mask: NDArray[np.bool_], count: int, rng: np.random.Generator) -> Masks:
    """The mask moved steadily through `count` frames or, as often, standing still."""
    height, width = mask.shape
    speed = rng.uniform(-0.012, 0.012, 2) * (width, height) * (rng.random() < 0.5)
    out = []
    for t in range(count):
        matrix = np.array([[1, 0, speed[0] * t], [0, 1, speed[1] * t]], np.float32)
        out.append(cv2.warpAffine(mask.astype(np.uint8), matrix, (width, height)) > 0)
    moved: Masks = np.stack(out)
    return moved if moved.any(axis=(1, 2)).all() else np.repeat(mask[None], count, 0)


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
