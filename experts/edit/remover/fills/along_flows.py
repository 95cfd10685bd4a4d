"""Fills holes from other frames along the flow on which they agree best: the first pass, whose
result only serves to measure the flow again, and places that show within another hole's rim."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.fills.gather import OUTLIER, gather, hole_and_ring
from experts.edit.remover.fills.resolution import shrunk_frames, shrunk_masks
from experts.edit.remover.merge import merge
from experts.edit.remover.never_visible import telea
from experts.edit.remover.seam import match_rim
from experts.progress import over

UNSEEN_VARIANCE = np.float32(OUTLIER**2)
"""gray²; of a pixel that no frame shows: as bad as any."""


def fill_along_flows(
    frames: Frames,
    holes: Masks,
    hidden: Masks,
    flows: tuple[BackgroundFlow, ...],
    offsets: tuple[int, ...],
    agreement_px: float,
    threads: int,
) -> tuple[Frames, Masks]:
    """`frames` [T, H, W, 3] with `holes` filled as far as the frames `offsets` away show them,
    outside of `hidden`, and where they do, [T, H, W].

    Of several `flows` each pixel takes the one along which the frames agree best about it.
    """
    filled, visible = frames.copy(), np.zeros_like(holes)

    def fill(t: int) -> None:
        pixels = hole_and_ring(holes[t])
        colour, found, variance = merge(gather(t, pixels, frames, hidden, flows[0], offsets))
        variance = pixels.averaged(np.where(found, variance, UNSEEN_VARIANCE), agreement_px)
        for flow in flows[1:]:
            other = merge(gather(t, pixels, frames, hidden, flow, offsets))
            other_variance = pixels.averaged(
                np.where(other[1], other[2], UNSEEN_VARIANCE), agreement_px
            )
            better = other[1] & ((other_variance < variance) | ~found)
            colour[better], variance[better] = other[0][better], other_variance[better]
            found |= other[1]
        visible[t] = pixels.put(filled[t], match_rim(frames[t], pixels, colour, found), found)

    with ThreadPoolExecutor(threads) as pool:
        with_holes = np.flatnonzero(holes.any(axis=(1, 2)))
        list(over(pool.map(fill, with_holes), "filling coarsely", len(with_holes)))
    return filled, visible


def coarse_fill(
    frames: Frames,
    holes: Masks,
    hidden: Masks,
    flows: tuple[BackgroundFlow, ...],
    offsets: tuple[int, ...],
    agreement_px: float,
    threads: int,
) -> tuple[Frames, Masks]:
    """The same at half the size, which is what DIS measures flow at; what no frame shows is filled
    by Telea's method. Returns full-sized frames and where they are not invented."""
    size = frames.shape[2:0:-1]
    half = size[0] // 2, size[1] // 2
    holes_small, hidden_small = (shrunk_masks(masks, half) for masks in (holes, hidden))
    filled, visible = fill_along_flows(
        shrunk_frames(frames, half),
        holes_small,
        hidden_small,
        tuple(flow.resized(half) for flow in flows),
        offsets,
        agreement_px,
        threads,
    )
    out, shown = frames.copy(), np.zeros_like(holes)
    for t in np.flatnonzero(holes.any(axis=(1, 2))):
        left = holes_small[t] & ~visible[t]
        if left.any():
            filled[t] = telea(filled[t], left)
        large = cv2.resize(filled[t], size, interpolation=cv2.INTER_LINEAR)
        out[t][holes[t]] = large[holes[t]]
        unseen = cv2.resize(left.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        shown[t] = holes[t] & ~unseen
    return out, shown
