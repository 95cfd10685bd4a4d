"""Overlays that stand still over moving pictures: watermarks, logos, burnt-in clocks.

What is drawn over a video has the same edges in every frame, whatever moves below, also where it is
half transparent; averaged over time they stay and the scene's cancel (Dekel, Rubinstein, Liu &
Freeman, "On the Effectiveness of Visible Watermarks", CVPR 2017, use the median of gradients). An
overlay is either a line of text in the frames' average, found by the text detector, or, without
letters, a small closed drawing with strong edges; and only where its edges are steadier than those
around it: before a fixed camera everything is steady, and an overlay can't be told from a sign in
the scene. Only frames that differ from the last one counted are summed, so a pause proves nothing.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.footage.sampled import Gray, SampledFrame

MIN_FRAMES = 6
"""Differing frames below which nothing is said: by chance the edges of so few agree."""

DIFFERENT = 0.3
DIFFERENT_LEVELS = 8
"""Share of the small picture, and by how many of 255 levels, that two counted frames differ."""

NEAR = 15
"""px around an overlay that it is compared with."""

STEADY = 0.5
"""Share of an overlay's gradients that stays when they are averaged over time: 0.58 and more for
letters that cover a quarter of what is below, 0.3 to 0.5 for what merely moves slowly."""

STEADIER = 0.15
"""By how much more than the surroundings'."""

VISIBLE = 2.0
"""Levels per px; the least mean gradient of an overlay."""

DRAWN = 20.0
DRAWN_AREA = 0.04
CLOSED = 0.1
TEXTURE = 0.13
MOVING = 0.6
"""Of a drawing without letters. Its least mean gradient, levels per px. Its largest share of the
picture. How much of its outline's gradients may be left in their sum: they cancel around anything
closed, along the edge of a car's bonnet or a window they don't. How much of it may be steady and
faint: a rock in the waves has texture (0.15 and more), a logo plain colours. Largest share of the
gradients around it that stays."""

DARK = 24
"""Of 255: rows and columns that never get brighter are bars, not picture."""

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]


class OverlayMeasure:
    """Running sums over the frames; its memory is six pictures, however long the video."""

    def __init__(self) -> None:
        self.frames = 0
        self._last: Gray | None = None
        self._sums: dict[str, Map] = {}
        self._brightest: Gray | None = None

    def add(self, one: SampledFrame) -> None:
        if self._last is not None:
            difference = cv2.absdiff(one.small, self._last) > DIFFERENT_LEVELS
            if np.count_nonzero(difference) < DIFFERENT * difference.size:
                return
        self._last = one.small
        self.frames += 1
        gray = one.gray.astype(np.float32)
        gx = cv2.Scharr(gray, cv2.CV_32F, 1, 0, scale=1 / 32)
        gy = cv2.Scharr(gray, cv2.CV_32F, 0, 1, scale=1 / 32)
        parts = {"luma": gray, "gx": gx, "gy": gy, "gradient": cv2.magnitude(gx, gy)}
        for name, part in parts.items():
            total = self._sums.get(name)
            self._sums[name] = part if total is None else cv2.add(total, part, dst=total)
        brightest = self._brightest
        self._brightest = one.gray if brightest is None else np.maximum(brightest, one.gray)

    @property
    def enough(self) -> bool:
        """Whether there were frames enough to say anything."""
        return self.frames >= MIN_FRAMES

    def mean_picture(self) -> NDArray[np.uint8]:
        """The counted frames' average, as RGB [h, w, 3], in which text is to be looked for."""
        mean = np.rint(self._sums["luma"] / self.frames).astype(np.uint8)
        return np.repeat(mean[..., None], 3, axis=2)

    def overlays(self, lines: Mask) -> Mask:
        """Where overlays are, [h, w], if `lines` is where text is in `mean_picture`."""
        assert self._brightest is not None
        found = np.zeros(lines.shape, bool)
        inside = _without_bars(self._brightest)
        share = np.float32(1 / self.frames)
        steady: Map = cv2.magnitude(self._sums["gx"], self._sums["gy"]) * share
        usual: Map = self._sums["gradient"] * share
        for region, ring in _regions(lines & inside, inside):
            here, around = _agreement(steady, usual, region), _agreement(steady, usual, ring)
            if here >= STEADY and here - around >= STEADIER and steady[region].mean() >= VISIBLE:
                found |= region
        edges = (steady > DRAWN / 2) & (steady > STEADY * usual) & inside
        faint = (steady > VISIBLE) & (steady > 0.7 * usual) & ~edges
        joined = cv2.dilate(edges.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        for region, ring in _regions(joined, inside):
            drawn = region & edges
            if (
                region.sum() <= DRAWN_AREA * inside.sum()
                and steady[drawn].mean() >= DRAWN
                and self._left_open(drawn) <= CLOSED
                and (region & faint).sum() <= TEXTURE * region.sum()
                and _agreement(steady, usual, ring) <= MOVING
            ):
                found |= region
        return found

    def _left_open(self, edges: Mask) -> float:
        """Length of the sum of the gradients along an outline, as a share of their lengths' sum."""
        gx, gy = self._sums["gx"][edges], self._sums["gy"][edges]
        return float(np.hypot(gx.sum(), gy.sum()) / np.hypot(gx, gy).sum())


def _agreement(steady: Map, usual: Map, where: Mask) -> float:
    """Share of the gradients that stays in their mean over time; 1 where nothing is to be seen,
    since nothing moves there either."""
    total = float(usual[where].sum())
    return float(steady[where].sum()) / total if total > 0 else 1.0


def _regions(mask: Mask, inside: Mask) -> list[tuple[Mask, Mask]]:
    """The connected parts of a mask, and the picture around each."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    found = []
    for label in range(1, count):
        region = labels == label
        small = region.astype(np.uint8)
        far = cv2.dilate(small, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8))
        close = cv2.dilate(small, np.ones((5, 5), np.uint8))
        found.append((region, (far > close) & inside))
    return found


def _without_bars(brightest: Gray) -> Mask:
    """The picture without the rows and columns that are black in every frame, and their edges."""
    lit = brightest > DARK
    inside = np.outer(lit.mean(axis=1) > 0.05, lit.mean(axis=0) > 0.05).astype(np.uint8)
    padded = cv2.copyMakeBorder(inside, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=0)
    return cv2.erode(padded, np.ones((7, 7), np.uint8))[3:-3, 3:-3] > 0
