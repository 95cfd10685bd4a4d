"""Fake scribbles: HED edge maps reduced to the few thick strokes a hand would draw.

ControlNet's practice (Zhang, Rao, Agrawala, "Adding conditional control to text-to-image diffusion
models", ICCV 2023): blur, non-maximum suppression in four directions, a threshold, and another
blur with a low threshold that makes strokes of the thin lines. It is made for single images; frame
by frame, strokes near the threshold come and go. So edge strengths are first averaged along the
footage's optical flow, and the threshold has a memory: a line that was drawn goes on at a lower
strength than a new one needs, along itself and into the neighbouring frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.flow import Flow, consistent, flow, warp
from experts.base import Frames

Strength = NDArray[np.float32]
"""[H, W], 0–255."""

Lines = NDArray[np.bool_]
"""[H, W]: one pixel wide, or as wide as a stroke."""

TrustedFlow = NDArray[np.float16]
"""[H, W, 2], px; NaN where the flow fails the forward-backward test."""

ClipFlow = tuple[list[TrustedFlow | None], list[TrustedFlow | None]]
"""Per frame the flow to the frame before and to the frame after; None at the clip's ends."""

MEMORY = 0.7
"""Weight of the frame before in the average along the flow: about three frames each
direction."""

FADE = 0.8
"""Share of the threshold above which a line goes on, along itself or over time."""

HELD = 0.6
"""Share of a weak line that must lie on the neighbouring frame's lines to be one of them."""

REACH = 3
"""px by which the flow may miss a line."""

SHORTEST = 0.04
"""Shortest line that is drawn, share of the short side; below it is a speck."""

STROKE_LEVEL = 4.0
"""Of 255 on the blurred lines, above which there is a stroke (ControlNet's)."""

_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""(down, right): each is itself and its opposite."""


def ridges(strength: Strength, sigma: float) -> Strength:
    """The blurred strength where it is highest along one of four directions, else 0.

    ControlNet keeps a pixel that is highest along any of them, also along the edge itself, where
    chance decides: that leaves spurs. Here the direction is the one in which the strength is most
    curved, which is across the edge.
    """
    soft = cv2.GaussianBlur(strength, (0, 0), sigma)
    height, width = soft.shape
    rim = cv2.copyMakeBorder(soft, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    steepest = np.zeros(soft.shape, np.float32)
    top = np.zeros(soft.shape, bool)
    for down, right in _DIRECTIONS:
        one = rim[1 + down : 1 + down + height, 1 + right : 1 + right + width]
        other = rim[1 - down : 1 - down + height, 1 - right : 1 - right + width]
        apart = down * down + right * right  # px²
        curved = (2 * soft - one - other) / apart
        across = curved > steepest
        np.copyto(steepest, curved, where=across)
        # of two equal neighbours the line goes through one
        np.copyto(top, (soft > one) & (soft >= other), where=across)
    return np.asarray(np.where(top, soft, 0), np.float32)


def clip_flow(frames: Frames) -> ClipFlow:
    """Flow between all neighbouring frames of footage [T, H, W, 3], in both directions."""
    before: list[TrustedFlow | None] = [None]
    after: list[TrustedFlow | None] = []
    for a, b in itertools.pairwise(frames):
        forward, backward = flow(a, b), flow(b, a)
        after.append(_trusted(forward, backward))
        before.append(_trusted(backward, forward))
    return before, [*after, None]


def steady_ridges(strengths: NDArray[np.uint8], flows: ClipFlow, sigma: float) -> list[Strength]:
    """Ridges of edge strengths [T, H, W] (0–255), averaged along `flows` first;
    `sigma` in px of the blur."""
    before, after = flows
    early = _averaged(strengths, before)
    late = _averaged(strengths[::-1], after[::-1])[::-1]
    # each holds the frame itself with weight 1 - MEMORY: counted once
    own = 1 - MEMORY
    return [
        ridges(np.asarray((a + b - own * r) / (2 - own), np.float32), sigma)
        for a, b, r in zip(early, late, strengths.astype(np.float16), strict=True)
    ]


def steady_lines(found: Sequence[Strength], flows: ClipFlow, threshold: float) -> NDArray[np.bool_]:
    """Thin lines [T, H, W] along ridges, followed along `flows`; `threshold` of 255
    for a new line."""
    before, after = flows
    kept = _remembered(found, before, threshold)
    again = _remembered(found[::-1], after[::-1], threshold)[::-1]
    shortest = SHORTEST * min(found[0].shape)
    return np.stack([_long(a | b, shortest) for a, b in zip(kept, again, strict=True)])


def strokes(lines: Lines, sigma: float, size: tuple[int, int]) -> Lines:
    """Lines [h, w] thickened by a blur of `sigma` px and drawn at `size` (height, width)."""
    soft = cv2.GaussianBlur(lines.astype(np.float32) * 255, (0, 0), sigma)
    large = cv2.resize(soft, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(large > STROKE_LEVEL)


def _trusted(there: Flow, back: Flow) -> TrustedFlow:
    # Half precision, a twentieth of a pixel in a hundred: a whole clip's flows are kept. What is
    # too small for its normal numbers, as most flow of a camera that stands, is 20 times as slow.
    normal = np.abs(there) >= np.finfo(np.float16).smallest_normal
    half = np.where(normal, there, 0).astype(np.float16)
    half[~consistent(there, back)] = np.nan
    return half


def _filled(step: TrustedFlow) -> Flow:
    """The flow as float32, zero where it cannot be trusted."""
    return np.nan_to_num(step.astype(np.float32))


def _averaged(strengths: NDArray[np.uint8], flows: Sequence[TrustedFlow | None]) -> list[Strength]:
    """Each strength mixed with the average before it; `flows[t]` leads from frame t to the one
    before in this order."""
    averages: list[Strength] = []
    for level, step in zip(strengths, flows, strict=True):
        strength = level.astype(np.float32)
        if step is None:
            averages.append(strength)
            continue
        moved = warp(averages[-1], _filled(step))
        known = ~np.isnan(step[..., 0])
        mixed = MEMORY * moved + (1 - MEMORY) * strength
        averages.append(np.asarray(np.where(known, mixed, strength), np.float32))
    return averages


def _remembered(
    found: Sequence[Strength], flows: Sequence[TrustedFlow | None], threshold: float
) -> list[Lines]:
    """Connected lines above `FADE` of the threshold that reach it somewhere, or that lie where the
    frame before had lines. Whole ones: by pixels they would creep along from frame to frame."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * REACH + 1, 2 * REACH + 1))
    lines: list[Lines] = []
    for ridge, step in zip(found, flows, strict=True):
        _, parts = cv2.connectedComponents((ridge > FADE * threshold).astype(np.uint8))
        inside = parts > 0
        labels = parts[inside]
        kept = np.bincount(labels, ridge[inside] > threshold, parts.max() + 1) > 0
        if step is not None:
            near = cv2.dilate(lines[-1].astype(np.uint8), brush) > 0
            there = warp(near, _filled(step)) & ~np.isnan(step[..., 0])
            share = np.bincount(labels, there[inside], len(kept))
            kept |= share > HELD * np.bincount(labels, minlength=len(kept))
        kept[0] = False
        lines.append(np.asarray(kept[parts]))
    return lines


def _long(lines: Lines, shortest: float) -> Lines:
    """Without connected lines of fewer than `shortest` px."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    long = stats[:, cv2.CC_STAT_AREA] >= shortest
    long[0] = False
    return np.asarray(long[parts])
