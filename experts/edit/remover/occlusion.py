"""Objects that the removed one occludes: they pass behind it, and must come out of it again.

No flow of the background brings them back: along it the frames agree on what lies behind both
objects. But an occluded object's own masks tell its trajectory. So it is cut out of the nearest
frame that shows all of it, composited where its trajectory leads, and registered to what is still
visible of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import Frames, Masks
from experts.edit.matte import alpha, foreground_colours, signed_distance
from experts.masks.geometry import box_of, dilate

# Set by hand and measured by the `cross` cases of infra/bench/removal/run.py.

WHOLE = 0.85
"""Share of its usual area from which on an object counts as seen whole."""

MIN_MOTION = 0.3
"""Of its own size, against the background: an object that moves less is filled as background is."""

ALWAYS_BEHIND = 0.1
"""Share of its outline that lies along the holes in every frame, from which on an object is never
seen whole. Of the demo's removals two have one, .21 and .30 of it, and left it broken."""

EXTRAPOLATED = 4
"""Frames before the first and after the last whole sight that the trajectory extrapolates to."""

EDGE_PX = 2.0
"""Width over which a cut-out's alpha falls to 0."""

MIN_VISIBLE_PX = 80
"""Pixels of an object that must be visible for it to be registered to them."""

MAX_ADJUSTMENT_PX = 8.0
"""A registration that moves it further is a wrong match."""

ECC_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)


@dataclass(frozen=True, slots=True)
class OccludedObject:
    """An object that stays: its visible `masks` [T, H, W], the frames that show the `whole` of it,
    and its `centre` [T, 2] (x, y, px) and `size` [T] (square root of the area, px) in every frame,
    interpolated where it is not whole."""

    masks: Masks
    whole: NDArray[np.int64]
    centre: NDArray[np.float64]
    size: NDArray[np.float64]


def occluded_objects(
    others: Sequence[Masks], holes: Masks, camera: NDArray[np.float64]
) -> list[OccludedObject]:
    """Those of `others` (masks [T, H, W] each) that move on their own and come to touch the
    `holes`; `camera` [T, 2] is the background's path, px. Raises BadInput (`occludes_another`)
    where one is behind the holes all the time, so that nothing tells what to show there."""
    found = []
    for masks in others:
        areas = masks.sum(axis=(1, 2))
        contact = _contact(masks, holes)
        touching = contact > 0
        free = (areas > 0) & ~touching
        if not touching.any():
            continue
        if not free.any():
            _refuse_if_behind(masks, contact, camera)
            continue
        usual = np.median(areas[free])
        whole = np.flatnonzero(free & (areas >= WHOLE * usual))
        on_ground = _on_ground(masks, whole, camera)
        size = np.sqrt(areas[whole].astype(np.float64))
        if np.ptp(on_ground, axis=0).max() < MIN_MOTION * size.mean():
            continue
        every = np.arange(len(masks))
        trajectory = np.stack([_interpolate(every, whole, axis) for axis in on_ground.T], axis=1)
        found.append(
            OccludedObject(masks, whole, trajectory + camera, np.interp(every, whole, size))
        )
    return found


def _contact(masks: Masks, holes: Masks) -> NDArray[np.float64]:
    """Share of an object's outline that lies along the holes, in each frame; 0 where it is not."""
    outlines = [dilate(mask, 1) & ~mask for mask in masks]
    pairs = zip(outlines, holes, strict=True)
    return np.array([(line & hole).sum() / max(line.sum(), 1) for line, hole in pairs])


def _on_ground(
    masks: Masks, frames: NDArray[np.int64], camera: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The middle of an object's box in these frames, as seen by a camera that stands, [N, 2]."""
    boxes = np.array([box_of(masks[t]) for t in frames])
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2 - camera[frames])


def _refuse_if_behind(
    masks: Masks, contact: NDArray[np.float64], camera: NDArray[np.float64]
) -> None:
    alive = np.flatnonzero(masks.any(axis=(1, 2)))
    moved = np.ptp(_on_ground(masks, alive, camera), axis=0).max()
    size = np.sqrt(masks[alive].sum(axis=(1, 2)).mean())
    if moved >= MIN_MOTION * size and np.median(contact[alive]) >= ALWAYS_BEHIND:
        raise BadInput(
            "occludes_another",
            "another object moves behind this one all the time and is never seen whole; remove "
            "both, or use another part of the clip",
        )


def _interpolate(
    every: NDArray[np.int64], at: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear between the frames `at`; beyond them as over the five nearest."""
    out = np.interp(every, at, values)
    for end, beyond in ((slice(None, 5), every < at[0]), (slice(-5, None), every > at[-1])):
        if beyond.any() and len(at[end]) > 1:
            out[beyond] = np.polyval(np.polyfit(at[end], values[end], 1), every[beyond])
    return out


def restore_occluded(
    filled: Frames, frames: Frames, holes: Masks, objects: Sequence[OccludedObject]
) -> Masks:
    """Composites the objects into the holes of `filled` (in place) and returns where, [T, H, W];
    `frames` are the footage."""
    restored = np.zeros_like(holes)
    for one in objects:
        first, last = one.whole[0] - EXTRAPOLATED, one.whole[-1] + EXTRAPOLATED
        for t in np.flatnonzero(holes.any(axis=(1, 2))):
            if first <= t <= last and t not in one.whole:
                restored[t] |= _composite(int(t), filled, frames, holes[t], one)
    return restored


def _composite(
    t: int, filled: Frames, frames: Frames, hole: NDArray[np.bool_], one: OccludedObject
) -> NDArray[np.bool_]:
    s = int(one.whole[np.abs(one.whole - t).argmin()])
    distance = signed_distance(one.masks[s])
    colours = foreground_colours(frames[s], distance)
    matte = alpha(distance, 0.0, EDGE_PX)
    scale = one.size[t] / one.size[s]
    move = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
    move[:, 2] = one.centre[t] - scale * one.centre[s]
    move[:, 2] += _registration(colours, frames[t], move, one.masks[t] & ~hole)
    size = hole.shape[::-1]
    weight = cv2.warpAffine(matte, move, size, flags=cv2.INTER_LINEAR)[..., None]
    shown = cv2.warpAffine(colours, move, size, flags=cv2.INTER_CUBIC)
    where = np.asarray(hole & (weight[..., 0] > 0))
    mixed = weight * shown + (1 - weight) * filled[t]
    filled[t][where] = np.clip(np.rint(mixed[where]), 0, 255).astype(np.uint8)
    return where


def _registration(
    colours: NDArray[np.float32],
    frame: NDArray[np.uint8],
    move: NDArray[np.float64],
    visible: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The further translation [2], px, that registers the cut-out to the `visible` part of the
    object in `frame`; 0 where that is too little to tell (ECC: Evangelidis, Psarakis, PAMI 2008).
    """
    none = np.zeros(2)
    visible = dilate(visible, -1)
    if np.count_nonzero(visible) < MIN_VISIBLE_PX:
        return none
    laid = cv2.warpAffine(colours, move, visible.shape[::-1], flags=cv2.INTER_LINEAR)
    model = cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY)
    seen = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        # from the frame's pixels to the model's, over what is visible in the frame
        _, found = cv2.findTransformECC(
            seen, model, start, cv2.MOTION_TRANSLATION, ECC_CRITERIA, visible.astype(np.uint8), 5
        )
    except cv2.error:  # it does not converge on a plain surface
        return none
    by = -np.asarray(found[:, 2], np.float64)
    return by if float(np.abs(by).max()) <= MAX_ADJUSTMENT_PX else none
