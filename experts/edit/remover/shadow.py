"""Finds the shadow an object casts: where it stays, one sees that something was removed.

A shadow darkens what lies beneath it and leaves its texture and nearly its colour alone (Horprasert
et al., "A statistical approach for real-time robust background subtraction and shadow detection",
1999). What lies beneath is known wherever the shadow has moved on: other frames show it. So beside
the object each pixel is compared with what distant frames show there. It counts as shadow if it is
darker by one factor in all channels, if the factor is even among its neighbours, if the same place
beside the object is darkened in most frames around, and if it is connected with the object.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.fills.gather import LUMA, disc, gather, hole_and_ring
from experts.edit.remover.merge import merge


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDetector:
    """Its settings. The defaults are set by hand and measured by the `shadow` cases of
    `infra/bench/removal/run.py`. Gray values are of 255."""

    reach: float = 0.7
    """How far from its object a shadow is looked for, share of the object's longer side."""

    offsets: tuple[int, ...] = (6, 9, 13, 18, 24)
    """Frames to both sides that are compared with: nearer ones still lie in the shadow."""

    stride: int = 2
    """Frames between two that are examined: a shadow keeps its place beside the object."""

    vote_frames: int = 6
    """Frames to both sides that vote on a frame's shadow."""

    attenuation: tuple[float, float] = (0.25, 0.92)
    """Factor of brightness in a shadow: below it are dark objects, above it noise."""

    min_darkening: float = 8.0
    """Gray values that a shadow takes away at least; less is not visible."""

    max_tint: float = 0.12
    """How far apart the channels' factors may lie: skylight makes a shadow a little bluer."""

    max_unevenness: float = 0.07
    """Deviation of the factor among a pixel's neighbours; an object has a texture of its own."""

    smooth_px: float = 1.5
    """Deviation of the Gaussian applied before the factor is taken, against noise and codec."""

    max_area: float = 1.5
    """Of the object's area; more is no shadow but a change of light."""

    edge_px: int = 3
    """Width of a shadow's edge, where the factor is uneven and nothing is found."""

    speck_px: int = 2
    """A patch that no disc of this radius fits into is noise."""

    def detect(self, frames: Frames, holes: Masks, camera: BackgroundFlow) -> Masks:
        """Where the objects of `holes` [T, H, W] cast a shadow on `frames` [T, H, W, 3], outside of
        the holes. Empty where that is uncertain, and for an object that does not move.

        `holes` must hold the objects with their soft edges. `camera` is the flow of a static scene:
        measured optical flow would follow the shadow.
        """
        found = np.zeros_like(holes)
        alive = np.flatnonzero(holes.any(axis=(1, 2)))
        examined = {
            int(t): self._darkened(int(t), frames, holes, camera) for t in alive[:: self.stride]
        }
        places = {int(t): _centre(holes[t]) for t in alive}
        for t in alive:
            voters = [s for s in examined if abs(s - t) <= self.vote_frames]
            votes = np.zeros((*holes.shape[1:], 2), np.float32)
            for s in voters:
                votes += _translated(examined[s], places[int(t)] - places[s])
            dark, known = votes[..., 0], votes[..., 1]
            found[t] = self._connected((dark >= known / 2) & (known > 0.5), holes[t])
        if found.sum() > self.max_area * holes.sum():
            return np.zeros_like(holes)
        return found

    def _darkened(
        self, t: int, frames: Frames, holes: Masks, camera: BackgroundFlow
    ) -> NDArray[np.float32]:
        """[H, W, 2], each 0 or 1: where frame `t` is darkened as by a shadow beside its hole, and
        where that can be told."""
        y, x = np.nonzero(holes[t])
        reach = self.reach * max(np.ptp(y), np.ptp(x)) + 1
        away = cv2.distanceTransform((~holes[t]).astype(np.uint8), cv2.DIST_L2, 3)
        pixels = hole_and_ring(away <= reach)
        colour, seen, _ = merge(gather(t, pixels, frames, holes, camera, self.offsets))
        beneath = np.zeros(frames.shape[1:], np.float32)
        place = pixels.y.astype(int), pixels.x.astype(int)
        beneath[place] = colour
        known = np.zeros(holes.shape[1:], bool)
        known[place] = seen
        known &= ~holes[t]

        now = cv2.GaussianBlur(frames[t].astype(np.float32), (0, 0), self.smooth_px)
        # bicubic samples overshoot below black
        then = np.maximum(cv2.GaussianBlur(beneath, (0, 0), self.smooth_px), 0)
        factors = (now + 1) / (then + 1)
        factor = ((now @ LUMA) + 1) / ((then @ LUMA) + 1)
        mean = cv2.blur(factor, (5, 5))
        unevenness = np.sqrt(np.maximum(cv2.blur(factor * factor, (5, 5)) - mean * mean, 0))
        dark = (factor > self.attenuation[0]) & (factor < self.attenuation[1])
        dark &= (then - now) @ LUMA >= self.min_darkening
        dark &= np.ptp(factors, axis=2) <= self.max_tint
        dark &= (unevenness <= self.max_unevenness) & known
        opened = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, disc(self.speck_px))
        return np.stack([opened, known], axis=-1).astype(np.float32)

    def _connected(self, dark: NDArray[np.bool_], hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of `dark`, with its edge and small gaps, what touches the hole; outside of the hole."""
        closed = cv2.morphologyEx(
            (dark | hole).astype(np.uint8), cv2.MORPH_CLOSE, disc(2 * self.speck_px)
        )
        _, parts = cv2.connectedComponents(closed, connectivity=8)
        touching = np.isin(parts, np.unique(parts[hole])) & ~hole & (closed > 0)
        return np.asarray((cv2.dilate(touching.astype(np.uint8), disc(self.edge_px)) > 0) & ~hole)


def _centre(hole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """x, y of the middle of a hole's box: steadier than its centroid while legs swing."""
    y, x = np.nonzero(hole)
    return np.array([x.min() + x.max(), y.min() + y.max()]) / 2


def _translated(image: NDArray[np.float32], by: NDArray[np.float64]) -> NDArray[np.float32]:
    move = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float64)
    return np.asarray(cv2.warpAffine(image, move, image.shape[1::-1]), np.float32)
