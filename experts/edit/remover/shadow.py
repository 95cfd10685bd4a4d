"""The shadow an object casts: where it stays, one sees that something was removed.

A shadow darkens what lies beneath it and leaves its pattern and nearly its colour alone (Horprasert
et al., "A statistical approach for real-time robust background subtraction and shadow detection",
1999). What lies beneath is known wherever the shadow has moved on: other frames saw it. So beside
the object each pixel is held against what the far frames show there, and counts as shadow if it is
darker by one factor in all channels, evenly among its neighbours, together with its place beside
the object in most frames around, and in one piece with the object.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.gather import LUMA, disc, gather, region
from experts.edit.remover.merge import merge

REACH = 0.7
"""How far from its object a shadow is looked for, share of the object's longer side."""

STEPS = (6, 9, 13, 18, 24)
"""Distances, in frames, of the frames asked: near ones still lie in the shadow."""

EVERY = 2
"""Only every second frame is looked at: its neighbours' shadows lie in the same place beside it."""

SPAN = 6
"""Frames to either side that have a vote on a frame's shadow."""

DARKENED = (0.25, 0.92)
"""Factor of brightness in a shadow: below it is a dark thing, above it noise and vignetting."""

LEAST = 8.0
"""Gray values a shadow takes away; less is not seen."""

COLOUR = 0.12
"""How far the channels' factors may lie apart: skylight makes a shadow a little bluer."""

EVEN = 0.07
"""Deviation of the factor among a pixel's neighbours; a thing has a pattern of its own."""

SMOOTH_PX = 1.5
"""The factor is averaged over this, for noise and codec."""

MOST = 1.5
"""Of the object's area; more is no shadow but a change of light."""

RIM_PX = 3
"""Width of a shadow's edge, where the factor is not even and nothing is found."""

SPECK_PX = 2
"""A patch no disc of this radius fits into is noise."""


def shadows(frames: Frames, holes: Masks, motion: BackgroundFlow) -> Masks:
    """Where the objects of `holes` [T, H, W] cast a shadow on `frames` [T, H, W, 3]; outside of the
    holes. Nothing where it is not sure, and nothing for an object that stays where it is.

    `holes` must hold the objects with their soft edges. `motion` is the camera's over a still
    world: optical flow would follow the shadow.
    """
    found = np.zeros_like(holes)
    alive = np.flatnonzero(holes.any(axis=(1, 2)))
    looked = {int(t): _darkened(int(t), frames, holes, motion) for t in alive[::EVERY]}
    places = {int(t): _middle(holes[t]) for t in alive}
    for t in alive:
        voters = [s for s in looked if abs(s - t) <= SPAN]
        votes = np.zeros((*holes.shape[1:], 2), np.float32)
        for s in voters:
            votes += _moved(looked[s], places[int(t)] - places[s])
        dark, known = votes[..., 0], votes[..., 1]
        found[t] = _attached((dark >= known / 2) & (known > 0.5), holes[t])
    if found.sum() > MOST * holes.sum():
        return np.zeros_like(holes)
    return found


def _darkened(t: int, frames: Frames, holes: Masks, motion: BackgroundFlow) -> NDArray[np.float32]:
    """[H, W, 2], each 0 or 1: where frame `t` is darkened as by a shadow beside its hole, and where
    that can be told."""
    y, x = np.nonzero(holes[t])
    reach = REACH * max(np.ptp(y), np.ptp(x)) + 1
    away = cv2.distanceTransform((~holes[t]).astype(np.uint8), cv2.DIST_L2, 3)
    pixels = region(away <= reach)
    colour, seen, _ = merge(gather(t, pixels, frames, holes, motion, STEPS))
    beneath = np.zeros(frames.shape[1:], np.float32)
    place = pixels.y.astype(int), pixels.x.astype(int)
    beneath[place] = colour
    known = np.zeros(holes.shape[1:], bool)
    known[place] = seen
    known &= ~holes[t]

    now = cv2.GaussianBlur(frames[t].astype(np.float32), (0, 0), SMOOTH_PX)
    # bicubic samples overshoot below black
    then = np.maximum(cv2.GaussianBlur(beneath, (0, 0), SMOOTH_PX), 0)
    factors = (now + 1) / (then + 1)
    factor = ((now @ LUMA) + 1) / ((then @ LUMA) + 1)
    mean = cv2.blur(factor, (5, 5))
    uneven = np.sqrt(np.maximum(cv2.blur(factor * factor, (5, 5)) - mean * mean, 0))
    dark = (factor > DARKENED[0]) & (factor < DARKENED[1])
    dark &= (then - now) @ LUMA >= LEAST
    dark &= np.ptp(factors, axis=2) <= COLOUR
    dark &= (uneven <= EVEN) & known
    cleaned = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, disc(SPECK_PX))
    return np.stack([cleaned, known], axis=-1).astype(np.float32)


def _middle(hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """x, y of the middle of a hole's box: steadier than its centroid while legs swing."""
    y, x = np.nonzero(hole)
    return np.array([x.min() + x.max(), y.min() + y.max()]) / 2


def _moved(image: NDArray[np.float32], by: NDArray[np.float64]) -> NDArray[np.float32]:
    move = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float64)
    return np.asarray(cv2.warpAffine(image, move, image.shape[1::-1]), np.float32)


def _attached(dark: NDArray[np.bool_], hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of `dark`, with its rim and small gaps, what touches the hole; outside of the hole."""
    closed = cv2.morphologyEx((dark | hole).astype(np.uint8), cv2.MORPH_CLOSE, disc(2 * SPECK_PX))
    _, parts = cv2.connectedComponents(closed, connectivity=8)
    attached = np.isin(parts, np.unique(parts[hole])) & ~hole & (closed > 0)
    return np.asarray((cv2.dilate(attached.astype(np.uint8), disc(RIM_PX)) > 0) & ~hole)
