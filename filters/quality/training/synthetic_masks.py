"""Masks with no object behind them, for edits with known truth: they have the outlines, sizes and
motions that objects' masks have."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks

AREAS = (0.008, 0.16)
"""Least and greatest share of the frame that a mask covers, as the masks of planned edits do."""

Plane = NDArray[np.float32]


def object_masks(
    frames: Frames,
    rng: np.random.Generator,
    *,
    areas: tuple[float, float] = AREAS,
    long_side: int = 200,
    tries: int = 12,
) -> Masks:
    """Masks [T, h, w] that follow a patch of the first frame along the optical flow of frames
    [T, h, w, 3]: the outline has corners and gaps, and it moves as the footage does.

    The patch covers `areas` of the frame. Patches are cut out and followed at `long_side` px, which
    is enough for an outline. As often as not it is a patch of similar colour, grown from one of
    `tries` random places; else, and where none has a fitting size, a random polygon.
    """
    height, width = frames.shape[1:3]
    scale = long_side / max(height, width)
    size = round(width * scale), round(height * scale)
    small = cv2.resize(frames[0], size, interpolation=cv2.INTER_AREA)
    masks = [_patch(small, rng, areas, tries)]
    for origin in _origins(frames, size):
        masks.append(cv2.remap(masks[-1], origin, None, cv2.INTER_LINEAR))
    full_size = [cv2.resize(m, (width, height), interpolation=cv2.INTER_CUBIC) for m in masks]
    found: Masks = np.stack(full_size) > 0.5
    return found if found.any(axis=(1, 2)).all() else blob_masks(frames.shape[:3], rng)


def _patch(
    picture: NDArray[np.uint8], rng: np.random.Generator, areas: tuple[float, float], tries: int
) -> Plane:
    """A patch of similar colour with what it surrounds, or a polygon: 0 or 1, [h, w]."""
    height, width = picture.shape[:2]
    smooth = cv2.medianBlur(picture, 5)
    closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    for _ in range(int(rng.integers(2)) * tries):
        seed = int(rng.integers(width)), int(rng.integers(height))
        tolerance = [float(rng.uniform(4, 20))] * 3
        found = np.zeros((height + 2, width + 2), np.uint8)
        how = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 1 << 8
        cv2.floodFill(smooth, found, seed, 0, [3 * t for t in tolerance], tolerance, how)
        closed = cv2.morphologyEx(found[1:-1, 1:-1], cv2.MORPH_CLOSE, closing)
        if areas[0] < closed.mean() < areas[1]:
            return np.asarray(closed, np.float32)
    polygon = np.zeros((height, width), np.float32)
    return cv2.fillPoly(polygon, [_polygon(height, width, rng, areas)], 1).astype(np.float32)


def _polygon(
    height: int, width: int, rng: np.random.Generator, areas: tuple[float, float]
) -> NDArray[np.int32]:
    """Corners [n, 2], px, of a star-shaped polygon, from upright as a person to wide as a car."""
    filled = 0.6  # of its bounding box, about
    area = np.exp(rng.uniform(*np.log(areas))) * height * width / filled
    stretch = np.exp(rng.uniform(-0.9, 0.6))
    size = np.clip(np.sqrt([area * stretch, area / stretch]), 6, (0.8 * width, 0.8 * height))
    corners = int(rng.integers(6, 14))
    angles = (np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) / corners * 2 * np.pi
    star = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.5, 1, (corners, 1))
    star = (star - star.min(0)) / np.ptp(star, axis=0)
    return np.rint(star * size + rng.uniform(0, (width, height) - size)).astype(np.int32)


def _origins(frames: Frames, size: tuple[int, int]) -> list[Plane]:
    """Of each frame but the first [h, w, 2]: where (x, y) each pixel was one frame earlier."""
    greys = [cv2.cvtColor(cv2.resize(f, size), cv2.COLOR_RGB2GRAY) for f in frames]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size)), axis=-1)
    return [grid + flow.calc(now, before, None) for before, now in itertools.pairwise(greys)]


def translated_masks(
    mask: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
    *,
    fastest: float = 0.025,
    static: float = 0.25,
) -> Masks:
    """The mask [h, w] moved at constant speed through `count` frames, by at most `fastest` of the
    picture's sides a frame; with the probability `static` it stands still."""
    height, width = mask.shape
    speed = rng.uniform(-fastest, fastest, 2) * (width, height) * (rng.random() >= static)
    out = []
    for t in range(count):
        matrix = np.array([[1, 0, speed[0] * t], [0, 1, speed[1] * t]], np.float32)
        out.append(cv2.warpAffine(mask.astype(np.uint8), matrix, (width, height)) > 0)
    moved: Masks = np.stack(out)
    return moved if moved.any(axis=(1, 2)).all() else np.repeat(mask[None], count, 0)


def blob_masks(shape: tuple[int, ...], rng: np.random.Generator) -> Masks:
    """A smooth blob of 4–14 % of the frame that drifts and changes its size a little; `shape` and
    result are [T, h, w]."""
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
