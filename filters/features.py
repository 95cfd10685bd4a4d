"""What the filters measure of a pair, computed once and shared by all of them.

With a mask the view of a frame is a box around the mask that follows it: an edit of a small object
is a few pixels of the whole frame, and global features hardly move. Without one it is the frame.
Both sides are seen through the same boxes, so that camera and box motion cancel in comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.base import PairSample
from filters.encoder.embedded import EmbeddedEncoder, Encoding, view_size
from filters.quality.artefacts import signs

CONTEXT = 1.6
"""A view's side over the mask's largest box: some surroundings, to see what was edited outside."""

LEAST_VIEW = 0.25
"""A view's side over the frame's, at least: a tinier one shows only blur and block edges."""

PIXEL_SIDE = 208
"""Long side, px, at which pixel measures are taken."""

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
class PairFeatures:
    """Per frame, T of them: the encoder's view of both sides, and pixel measures.

    `pixels` [T, 2, len(PIXEL_MEASURES)]: inside the mask, then around it; without one, twice all.
    `signs` [SIGNS] of the ways to fail, over all frames (see filters.quality.artefacts).
    """

    source: Encoding
    target: Encoding
    pixels: NDArray[np.float32]
    signs: NDArray[np.float32]


def describe(
    samples: Sequence[PairSample], encoder: EmbeddedEncoder, workers: int = 1
) -> list[PairFeatures]:
    """Features of each pair. A side shared by several samples (the same array) is encoded once."""
    encoder.load()
    sides = {
        (id(frames), id(s.mask)): (frames, s.mask)
        for s in samples
        for frames in (s.source, s.target)
    }
    with ThreadPoolExecutor(workers) as pool:
        encodings = pool.map(lambda side: encode_view(side[0], side[1], encoder), sides.values())
        encoded = dict(zip(sides, encodings, strict=True))
        known: _Known = {}
        measures = pool.map(lambda sample: _measures(sample, known), samples)
        return [
            PairFeatures(encoded[id(s.source), id(s.mask)], encoded[id(s.target), id(s.mask)], *m)
            for s, m in zip(samples, measures, strict=True)
        ]


def encode_view(
    frames: NDArray[np.uint8], mask: NDArray[np.bool_] | None, encoder: EmbeddedEncoder
) -> Encoding:
    """Encodes frames [T, h, w, 3] through the mask's view. The mask may differ in size."""
    if mask is None or not mask.any():
        return encoder.images(list(frames))
    boxes = view_boxes(mask)
    images = [_crop(f, box) for f, box in zip(frames, boxes, strict=True)]
    rows, columns = view_size(*images[0].shape[:2])
    cut = [_crop(m.astype(np.uint8), box) for m, box in zip(mask, boxes, strict=True)]
    masks = [cv2.resize(m, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0 for m in cut]
    size = images[0].shape[1], images[0].shape[0]
    return encoder.images([cv2.resize(i, size) for i in images], masks)


def view_boxes(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Boxes [T, 4] (x0, y0, x1, y1 as shares of the frame), all of one size, that follow the mask.

    Where the mask is empty the box stays between its neighbours in time.
    """
    frames, height, width = mask.shape
    present = np.asarray(mask.any(axis=(1, 2)))
    centre, extent = np.zeros((2, frames)), np.zeros((2, frames))
    for axis, size in ((0, width), (1, height)):
        line = np.asarray(mask.any(axis=1 + axis))  # [T, w], then [T, h]
        for t in np.flatnonzero(present):
            marked = np.flatnonzero(line[t])
            first, last = marked[0], marked[-1] + 1
            centre[axis, t] = (first + last) / 2 / size
            extent[axis, t] = (last - first) / size
    when = np.flatnonzero(present)
    boxes = np.empty((frames, 4))
    for axis in (0, 1):
        side = min(1.0, max(LEAST_VIEW, CONTEXT * extent[axis].max()))
        middle = np.interp(np.arange(frames), when, centre[axis, when])
        boxes[:, axis] = np.clip(middle - side / 2, 0, 1 - side)
        boxes[:, axis + 2] = boxes[:, axis] + side
    return boxes


def _crop(image: NDArray, box: NDArray[np.float64]) -> NDArray:
    height, width = image.shape[:2]
    x, y = int(box[0] * width), int(box[1] * height)
    w = max(1, round((box[2] - box[0]) * width))
    h = max(1, round((box[3] - box[1]) * height))
    return image[y : y + h, x : x + w]


def _measures(sample: PairSample, known: _Known) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    before, after, inside = _small(sample.source, sample.target, sample.mask, known)
    real, made = (after, before) if sample.made == "source" else (before, after)
    found = np.array(signs(real.rgb, made.rgb, inside), np.float32)
    return _pixels(before, after, inside), found


def measure(
    source: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """[T, 2, len(PIXEL_MEASURES)]: inside the mask, then around it; without one, twice all."""
    return _pixels(*_small(source, target, mask, {}))


def _small(
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    known: _Known,
) -> tuple[_Planes, _Planes, NDArray[np.float32] | None]:
    """Both sides and how far each pixel is inside the mask, 0–1, at PIXEL_SIDE or less.

    With a mask they are cut to a still box around it, so that a small object is not lost among
    few pixels. A side's planes are kept in `known` for other pairs that share side and mask.
    """
    if mask is None or not mask.any():
        mask, box = None, np.array([0.0, 0.0, 1.0, 1.0])
    else:
        box = view_boxes(np.asarray(mask.any(axis=0, keepdims=True)))[0]
    height, width = _crop(target[0], box).shape[:2]
    scale = min(1.0, PIXEL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for side in (source, target):
        if (id(side), id(mask), size) not in known:
            cut = [_crop(frame, box) for frame in side]
            known[id(side), id(mask), size] = _planes(cut, size)
    before, after = (known[id(side), id(mask), size] for side in (source, target))
    if mask is None:
        return before, after, None
    area = cv2.INTER_AREA
    inside = [cv2.resize(_crop(m.astype(np.float32), box), size, interpolation=area) for m in mask]
    return before, after, np.stack(inside)


def _pixels(
    before: _Planes, after: _Planes, inside: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    if inside is None:
        out = [_measure_region(before, after, np.ones(before.luma.shape, np.float32))] * 2
    else:
        out = [_measure_region(before, after, weight) for weight in (inside, 1 - inside)]
    return np.stack(out, axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Planes:
    rgb: NDArray[np.float32]  # [T, h, w, 3], 0–1
    luma: NDArray[np.float32]  # [T, h, w]
    saturation: NDArray[np.float32]
    detail: NDArray[np.float32]
    dx: NDArray[np.float32]
    dy: NDArray[np.float32]


_Known = dict[tuple[int, int, tuple[int, int]], _Planes]
"""Planes of a side by the identities of its frames and of the mask, and by size."""


def _planes(frames: Sequence[NDArray[np.uint8]], size: tuple[int, int]) -> _Planes:
    small = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
    rgb: NDArray[np.float32] = small.astype(np.float32) / np.float32(255)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, np.float32)  # ITU-R BT.601
    highest = np.maximum(np.maximum(red, green), blue)  # tenfold faster than .max(-1)
    lowest = np.minimum(np.minimum(red, green), blue)
    return _Planes(
        rgb,
        luma,
        highest - lowest,
        np.stack([np.abs(cv2.Laplacian(f, cv2.CV_32F)) for f in luma]),
        np.stack([cv2.Sobel(f, cv2.CV_32F, 1, 0) for f in luma]),
        np.stack([cv2.Sobel(f, cv2.CV_32F, 0, 1) for f in luma]),
    )


def _measure_region(
    before: _Planes, after: _Planes, weight: NDArray[np.float32]
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
