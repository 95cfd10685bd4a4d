"""Another object passes behind the one that goes, and has to come out of it on the other side.

No motion of the background brings it back: along the background's way the frames agree on what
lies behind both. But its own masks tell where it goes. So it is cut out of the nearest frame that
shows all of it, laid where its way leads, and moved until it meets what is still to be seen of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.matte import depth_in, own_colours, share
from experts.masks.geometry import box_of, dilate

WHOLE = 0.85
"""Share of its usual area from which all of an object is seen."""

MOVES = 0.3
"""Of its own size, against the background: what moves less is filled as background is."""

BEYOND = 4
"""Frames before the first and after the last whole sight in which an object's way is trusted."""

EDGE_PX = 2.0
"""Width over which a cut-out's edge fades."""

VISIBLE_PX = 80
"""Pixels of an object that must still be seen for it to be moved into place by them."""

ADJUST_PX = 8.0
"""Most by which it is; more is a wrong match."""

MATCHING = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)


@dataclass(frozen=True, slots=True)
class Passing:
    """An object that stays: its `masks` [T, H, W], the frames that show `whole` of it, and its
    `centre` [T, 2] (x, y, px) and `size` [T] (px) in all, guessed in between."""

    masks: Masks
    whole: NDArray[np.int64]
    centre: NDArray[np.float64]
    size: NDArray[np.float64]


def passing(others: Sequence[Masks], holes: Masks, camera: NDArray[np.float64]) -> list[Passing]:
    """Those of `others` that go their own way and come to touch the `holes`; `camera` [T, 2] is
    the background's way, px."""
    found = []
    for masks in others:
        areas = masks.sum(axis=(1, 2))
        pairs = zip(masks, holes, strict=True)
        touched = np.array([bool((dilate(mask, 1) & hole).any()) for mask, hole in pairs])
        free = (areas > 0) & ~touched
        if not touched.any() or not free.any():
            continue
        usual = np.median(areas[free])
        whole = np.flatnonzero(free & (areas >= WHOLE * usual))
        boxes = np.array([box_of(masks[t]) for t in whole])
        ground = (boxes[:, :2] + boxes[:, 2:]) / 2 - camera[whole]
        size = np.sqrt(areas[whole].astype(np.float64))
        if np.ptp(ground, axis=0).max() < MOVES * size.mean():
            continue
        every = np.arange(len(masks))
        way = np.stack([_between(every, whole, column) for column in ground.T], axis=1)
        found.append(Passing(masks, whole, way + camera, np.interp(every, whole, size)))
    return found


def _between(
    every: NDArray[np.int64], at: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear in between; beyond the ends it goes on as over the last few."""
    out = np.interp(every, at, values)
    for end, beyond in ((slice(None, 5), every < at[0]), (slice(-5, None), every > at[-1])):
        if beyond.any() and len(at[end]) > 1:
            out[beyond] = np.polyval(np.polyfit(at[end], values[end], 1), every[beyond])
    return out


def lay_back(filled: Frames, frames: Frames, holes: Masks, objects: Sequence[Passing]) -> Masks:
    """Lays the objects into the holes of `filled` (in place) and answers where, [T, H, W]; `frames`
    are the footage."""
    laid = np.zeros_like(holes)
    for one in objects:
        first, last = one.whole[0] - BEYOND, one.whole[-1] + BEYOND
        for t in np.flatnonzero(holes.any(axis=(1, 2))):
            if first <= t <= last and t not in one.whole:
                laid[t] |= _lay(int(t), filled, frames, holes[t], one)
    return laid


def _lay(
    t: int, filled: Frames, frames: Frames, hole: NDArray[np.bool_], one: Passing
) -> NDArray[np.bool_]:
    s = int(one.whole[np.abs(one.whole - t).argmin()])
    depth = depth_in(one.masks[s])
    colours = own_colours(frames[s], depth)
    alpha = share(depth, 0.0, EDGE_PX)
    scale = one.size[t] / one.size[s]
    move = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
    move[:, 2] = one.centre[t] - scale * one.centre[s]
    move[:, 2] += _adjustment(colours, frames[t], move, one.masks[t] & ~hole)
    size = hole.shape[::-1]
    there = cv2.warpAffine(alpha, move, size, flags=cv2.INTER_LINEAR)[..., None]
    shown = cv2.warpAffine(colours, move, size, flags=cv2.INTER_CUBIC)
    where = np.asarray(hole & (there[..., 0] > 0))
    mixed = there * shown + (1 - there) * filled[t]
    filled[t][where] = np.clip(np.rint(mixed[where]), 0, 255).astype(np.uint8)
    return where


def _adjustment(
    colours: NDArray[np.float32],
    frame: NDArray[np.uint8],
    move: NDArray[np.float64],
    visible: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """What more the cut-out must be moved, [2] px, to meet what is seen of the object; 0 where
    that is too little to tell (ECC: Evangelidis, Psarakis, PAMI 2008)."""
    none = np.zeros(2)
    visible = dilate(visible, -1)
    if np.count_nonzero(visible) < VISIBLE_PX:
        return none
    laid = cv2.warpAffine(colours, move, visible.shape[::-1], flags=cv2.INTER_LINEAR)
    model = cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY)
    seen = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        # from the frame's pixels to the model's, over what is visible in the frame
        _, found = cv2.findTransformECC(
            seen, model, start, cv2.MOTION_TRANSLATION, MATCHING, visible.astype(np.uint8), 5
        )
    except cv2.error:  # it does not converge on a plain surface
        return none
    by = -np.asarray(found[:, 2], np.float64)
    return by if float(np.abs(by).max()) <= ADJUST_PX else none
