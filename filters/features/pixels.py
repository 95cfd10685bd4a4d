"""Pixel measures of a pair: change, motion, contrast, detail and the like, inside the mask and
around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.encoder.views import crop, view_boxes

PIXEL_SIDE = 208
"""px, long side at most, at which pixels are measured: about what the encoder sees."""

PIXEL_MEASURES = (
    "change",  # mean |target − source| of RGB, 0–1
    "change_luma",  # |mean luma of target − of source|
    "shared_edges",  # correlation of the two sides' gradients, −1…1: a ghost of the source
    "source_motion",  # mean |frame − previous frame| of luma
    "target_motion",
    "source_level_jump",  # |mean luma − previous frame's|
    "target_level_jump",
    "source_luma",
    "target_luma",
    "source_contrast",  # deviation of luma
    "target_contrast",
    "source_saturation",
    "target_saturation",
    "source_detail",  # mean |Laplacian| of luma
    "target_detail",
    "source_levels",
    "target_levels",  # share of distinct luma values in use, 0–1: low when posterised
    "unfinished",  # least over greatest change among the mask's four sides: 0 if one is untouched
)


@dataclass(frozen=True, slots=True)
class Planes:
    """One side at the size at which it is measured."""

    rgb: NDArray[np.float32]  # [T, h, w, 3], 0–1
    luma: NDArray[np.float32]  # [T, h, w]
    saturation: NDArray[np.float32]
    detail: NDArray[np.float32]
    dx: NDArray[np.float32]
    dy: NDArray[np.float32]


KnownPlanes = dict[tuple[int, int, tuple[int, int]], Planes]
"""Planes of a side by the identities of its frames and of the mask, and by size."""


def measure(
    source: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """[T, 2, len(PIXEL_MEASURES)]: inside the mask, then around it; without one, twice all."""
    return measure_planes(*planes_of(source, target, mask, {}))


def planes_of(
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    known: KnownPlanes,
) -> tuple[Planes, Planes, NDArray[np.float32] | None]:
    """Both sides and how far each pixel is inside the mask, 0–1, at PIXEL_SIDE or less.

    With a mask they are cut to a static box around it, so that a small object is not lost among
    few pixels. A side's planes are kept in `known` for other pairs that share side and mask.
    """
    if mask is None or not mask.any():
        mask, box = None, np.array([0.0, 0.0, 1.0, 1.0])
    else:
        box = view_boxes(np.asarray(mask.any(axis=0, keepdims=True)))[0]
    height, width = crop(target[0], box).shape[:2]
    scale = min(1.0, PIXEL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for side in (source, target):
        if (id(side), id(mask), size) not in known:
            cut = [crop(frame, box) for frame in side]
            known[id(side), id(mask), size] = _planes(cut, size)
    before, after = (known[id(side), id(mask), size] for side in (source, target))
    if mask is None:
        return before, after, None
    area = cv2.INTER_AREA
    inside = [cv2.resize(crop(m.astype(np.float32), box), size, interpolation=area) for m in mask]
    return before, after, np.stack(inside)


def measure_planes(
    before: Planes, after: Planes, inside: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """The same from planes; `inside` [T, h, w] 0–1, None without a mask."""
    if inside is None:
        out = [_measure_region(before, after, np.ones(before.luma.shape, np.float32))] * 2
    else:
        out = [_measure_region(before, after, weight) for weight in (inside, 1 - inside)]
    return np.stack(out, axis=1).astype(np.float32)


def _planes(frames: Sequence[NDArray[np.uint8]], size: tuple[int, int]) -> Planes:
    small = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
    rgb: NDArray[np.float32] = small.astype(np.float32) / np.float32(255)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, np.float32)  # ITU-R BT.601
    highest = np.maximum(np.maximum(red, green), blue)  # tenfold faster than .max(-1)
    lowest = np.minimum(np.minimum(red, green), blue)
    return Planes(
        rgb,
        luma,
        highest - lowest,
        np.stack([np.abs(cv2.Laplacian(f, cv2.CV_32F)) for f in luma]),
        np.stack([cv2.Sobel(f, cv2.CV_32F, 1, 0) for f in luma]),
        np.stack([cv2.Sobel(f, cv2.CV_32F, 0, 1) for f in luma]),
    )


def _measure_region(
    before: Planes, after: Planes, weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-3)

    def mean(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return (plane * weight).sum(axis=(1, 2)) / total

    def step(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.abs(np.diff(values, axis=0, prepend=values[:1]))

    difference = np.abs(after.rgb - before.rgb)
    change = (difference[..., 0] + difference[..., 1] + difference[..., 2]) / 3
    shared = mean(before.dx * after.dx + before.dy * after.dy)
    energy = mean(before.dx**2 + before.dy**2) * mean(after.dx**2 + after.dy**2)
    luma = mean(before.luma), mean(after.luma)
    contrast = [
        np.sqrt(np.maximum(mean(side.luma**2) - level**2, 0))
        for side, level in zip((before, after), luma, strict=True)
    ]
    columns = [
        mean(change),
        np.abs(luma[1] - luma[0]),
        shared / np.sqrt(energy + 1e-8),
        mean(step(before.luma)),
        mean(step(after.luma)),
        step(luma[0]),
        step(luma[1]),
        *luma,
        *contrast,
        mean(before.saturation),
        mean(after.saturation),
        mean(before.detail),
        mean(after.detail),
        _levels_in_use(before.luma, weight),
        _levels_in_use(after.luma, weight),
        _unfinished(change, weight),
    ]
    return np.stack(columns, axis=1)


def _levels_in_use(luma: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per frame the share of 64 luma bins that hold at least a five-hundredth of the region."""
    shares = []
    for frame, w in zip(luma, weight, strict=True):
        counts = np.bincount(
            np.clip(frame * 64, 0, 63).astype(int).ravel(), weights=w.ravel(), minlength=64
        )
        shares.append(float((counts > counts.sum() / 500).mean()))
    return np.array(shares, np.float32)


def _unfinished(change: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per frame, of the region's left, right, upper and lower halves: least / greatest change."""
    ratios = []
    ys, xs = np.mgrid[: change.shape[1], : change.shape[2]]
    for frame, w in zip(change, weight, strict=True):
        total = w.sum()
        if total < 1:
            ratios.append(1.0)
            continue
        cx, cy = (xs * w).sum() / total, (ys * w).sum() / total
        halves = [w * (xs < cx), w * (xs >= cx), w * (ys < cy), w * (ys >= cy)]
        means = [float((frame * h).sum() / max(h.sum(), 1e-3)) for h in halves]
        ratios.append(min(means) / (max(means) + 1e-4))
    return np.array(ratios, np.float32)
