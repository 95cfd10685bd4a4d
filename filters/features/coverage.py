"""What of its region a style left as it was, and what its mask loses of the object.

An expert that stops short leaves the footage's own pixels: they differ from it by no more than a
codec does. But right styles leave some too: black stays black, and a car that becomes red keeps its
windows. So pixels count as undone only where the style changes others of the same colour, and where
they lie together: what lies between changed pixels is chance.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.flow import consistent, flow, warp
from filters.features.evidence import LEAST_PIXELS, grey

OWN = 5 / 255
"""Mean difference of colours, 0–1, averaged over SMOOTH² px, up to which a pixel is the footage's
own: as much as nine tenths of what lies outside of the objects differ on the noisiest footage that
may be tuned on, which two encodings alone made differ."""

CHANGED = 12 / 255
"""From there on it is plainly another."""

SMOOTH = 5
"""px; a codec's noise averages out, a change does not."""

COLOUR_STEPS = 8
"""Steps of each channel within which a colour is one and the same."""

LEAST_CHANGED = 0.2
"""Share of a colour's pixels that must be changed for the others of it to be undone."""

TOGETHER = 5
"""px: side of the square that undone pixels must fill."""

ALIKE = 10 / 255
"""Mean difference of colours, 0–1, up to which a pixel of the footage and what the flow says it
becomes look the same."""

RIM = 0.06
"""Depth within the mask from which a pixel is the object's, over the side of a square as large as
the mask: masks are a little wider than their objects, and sway."""

LEAST_RIM = 3.0
"""px."""

Colours = NDArray[np.float32]
"""[T, h, w, 3], 0–1."""

Plane = NDArray[np.float32]
Where = NDArray[np.bool_]


def coverage_figures(real: Colours, made: Colours, inside: Plane | None) -> dict[str, float]:
    """Of a style's sides [T, h, w, 3] and a mask [T, h, w], all 0–1, or None for the whole picture.

    - `undone`: share of the region that is the footage's own, together, and of colours that the
      style changes elsewhere
    - `lost`: greatest share of the object that a step leads out of the mask, where it is the
      footage's own, though it looks the same; with a mask alone
    """
    change = np.stack([cv2.blur(d, (SMOOTH, SMOOTH)) for d in grey(np.abs(made - real))])
    region = np.ones(change.shape, bool) if inside is None else inside > 0.9
    if region.sum() < LEAST_PIXELS:
        return {}
    out = {"undone": _undone(real, change, region)}
    if inside is not None:
        out["lost"] = _lost(real, change, inside > 0.5)
    return out


def _undone(real: Colours, change: Plane, region: Where) -> float:
    own, changed = region & (change <= OWN), region & (change > CHANGED)
    steps = np.minimum((real * COLOUR_STEPS).astype(int), COLOUR_STEPS - 1)
    colour = (steps[..., 0] * COLOUR_STEPS + steps[..., 1]) * COLOUR_STEPS + steps[..., 2]
    every, other = (
        np.bincount(colour[where], minlength=COLOUR_STEPS**3) for where in (region, changed)
    )
    undone = own & _together(own) & (other >= LEAST_CHANGED * every)[colour]
    return float(undone.sum() / region.sum())


def _lost(real: Colours, change: Plane, mask: Where) -> float:
    """The greatest over all steps, forward and backward in time."""
    frames = np.rint(255 * real).astype(np.uint8)
    most = 0.0
    for t in range(len(frames) - 1):
        ahead, back = flow(frames[t], frames[t + 1]), flow(frames[t + 1], frames[t])
        for here, there, way, home in ((t, t + 1, ahead, back), (t + 1, t, back, ahead)):
            area = int(mask[here].sum())
            if area < LEAST_PIXELS or not mask[there].any():  # all of it is gone, not a part
                continue
            object_ = _depth(mask[here]) > max(LEAST_RIM, RIM * np.sqrt(area))
            alike = grey(np.abs(warp(real[there], way) - real[here])) < ALIKE
            styled = object_ & (change[here] > CHANGED) & alike & consistent(way, home)
            left = ~warp(mask[there], way) & (warp(change[there], way) <= OWN)
            lost = _together((styled & left)[None])
            most = max(most, float(lost.sum() / area))
    return most


def _depth(mask: Where) -> Plane:
    """px from the mask's outline; the picture's border is none."""
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _together(where: Where) -> Where:
    brush = np.ones((TOGETHER, TOGETHER), np.uint8)
    opened = [cv2.morphologyEx(w.astype(np.uint8), cv2.MORPH_OPEN, brush) for w in where]
    return np.stack(opened) > 0
