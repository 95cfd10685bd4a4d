"""Cuts the donor out of its clip and composites it into the edit's frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.image_statistics import Picture
from experts.edit.matte import Image, alpha, foreground_colours, signed_distance
from experts.edit.swap.settings import SwapSettings
from experts.edit.swap.trajectory import Placement, warped
from experts.masks.geometry import Mask, box_of


@dataclass(frozen=True, slots=True)
class Layer:
    """A cut-out placed in a frame of the edit: float RGB [H, W, 3], 0–255, and alpha [H, W]."""

    colours: Image
    alpha: Image


def cut_out(
    picture: Picture,
    mask: Mask,
    placement: Placement,
    size: tuple[int, int],
    settings: SwapSettings,
) -> Layer:
    """The object of `mask` [h, w] in `picture` [h, w, 3], placed in a frame of `size` (H, W)."""
    width = max(1.0, settings.edge_px / float(placement[1, 1]))
    distance = signed_distance(mask)
    matte = alpha(distance, max(settings.inset_px, 0.5 * width), width)
    colours = foreground_colours(picture, distance)
    placed = warped(np.dstack([colours * matte[..., None], matte]), placement, size)
    placed_alpha = np.clip(placed[..., 3], 0.0, 1.0)
    placed_alpha[placed_alpha < 1 / 255] = 0.0
    placed_colours = np.clip(placed[..., :3] / np.maximum(placed[..., 3:], 1e-3), 0.0, 255.0)
    return Layer(np.asarray(placed_colours, np.float32), np.asarray(placed_alpha, np.float32))


def share_inside(mask: Mask, placement: Placement, size: tuple[int, int]) -> float:
    """Share of the placed mask's box that lies in a frame of `size` (H, W); 1 if it is empty."""
    box = box_of(mask)
    if box is None:
        return 1.0
    across, down = np.sort(placement @ [[box[0], box[2]], [box[1], box[3]], [1, 1]], axis=1)
    return float(
        np.prod(
            [
                np.diff(np.clip(side, 0, most))[0] / np.diff(side)[0]
                for side, most in ((across, size[1]), (down, size[0]))
            ]
        )
    )


def composite(
    footage: Frames,
    background: Frames,
    layers: Sequence[Layer],
    in_front: Masks | None,
    edge_px: float,
) -> tuple[Frames, NDArray[np.float32]]:
    """The layers over `background`, the footage without the object; what the masks `in_front`
    [T, H, W] show of the footage covers both. Also returns the donor's visible alpha [T, H, W]."""
    made, visible = background.copy(), np.zeros(footage.shape[:3], np.float32)
    for t, layer in enumerate(layers):
        weight = layer.alpha
        original = footage[t].astype(np.float32)
        if in_front is not None and in_front[t].any():
            nearer = alpha(signed_distance(in_front[t]), 0.0, edge_px)
            weight = layer.alpha * (1 - nearer)
            behind = made[t] + nearer[..., None] * (original - made[t])
            made[t] = np.clip(np.rint(behind), 0, 255)
        mixed = made[t] + weight[..., None] * (layer.colours - made[t])
        made[t] = np.clip(np.rint(mixed), 0, 255)
        visible[t] = weight
    return made, visible


def add_noise(
    made: Frames, visible: NDArray[np.float32], deviation: float, rng: np.random.Generator
) -> None:
    """Adds noise of the footage's `deviation`, levels, where the donor is visible, in place."""
    if deviation < 0.3:  # it would be lost in rounding
        return
    for t, weight in enumerate(visible):
        top, bottom, left, right = occupied(weight, 0)
        part = made[t, top:bottom, left:right]
        noise = cv2.GaussianBlur(
            rng.normal(0.0, 1.0, part.shape[:2]).astype(np.float32), (0, 0), 0.6
        )
        noise *= deviation / max(float(noise.std()), 1e-3)
        noisy = part + (weight[top:bottom, left:right] * noise)[..., None]
        made[t, top:bottom, left:right] = np.clip(np.rint(noisy), 0, 255)


def occupied(weight: Image, margin: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of where `weight` [H, W] is not 0, with a margin in px."""
    rows, columns = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
    if not len(rows):
        return 0, 1, 0, 1
    height, width = weight.shape
    return (
        max(0, int(rows[0]) - margin),
        min(height, int(rows[-1]) + 1 + margin),
        max(0, int(columns[0]) - margin),
        min(width, int(columns[-1]) + 1 + margin),
    )
