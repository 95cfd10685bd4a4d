"""The candidates for a hidden pixel's colour, each honest about another kind of background.

- `flow`: what the other frames show along the completed flow, merged;
- `flow_nearest`: along it, the nearest frames before and after only, by their distance in time;
- `camera`, `camera_nearest`: the same along the camera's motion over a flat, static scene;
- `median`: at the same place of the picture, the median over all frames that show it;
- `nearest`: at the same place, the nearest frames before and after;
- `background`: what a picture of the still background shows there, if there is one;
- `spatial`: what the hole's rim spreads inside, smoothly, from this frame alone.

Which one to believe is not decided here (see `stacking`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.media.image import Transparent
from experts.annotate.motion.still_background import ALIKE
from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.fills.diffuse import diffuse
from experts.edit.remover.fills.gather import PixelSamples, PixelSet, gather
from experts.edit.remover.merge import merge
from experts.edit.remover.seam import match_rim

CANDIDATES = 7
"""How many there are without a picture of the background."""

ALONG_FLOWS = (slice(0, 2), slice(2, 4))
"""Those along the completed flow, and along the camera's."""

SPATIAL = -1
"""The last one: what it says no frame shows."""


@dataclass(frozen=True, slots=True)
class FillCandidates:
    """What the candidates say of N pixels of a frame."""

    colour: NDArray[np.float32]  # [C, N, 3], in the order of the list above
    found: NDArray[np.bool_]  # [C, N]: whether it has anything to say about the pixel


class StaticBackground:
    """What the frames show at the same place, as of a camera and a scene that stand."""

    def __init__(self, frames: Frames, hidden: Masks, where: NDArray[np.bool_]) -> None:
        """Of the pixels `where` [H, W]; `hidden` [T, H, W] are not background."""
        self._frames = frames
        self._index = np.full(where.shape, -1, np.int32)
        y, x = np.nonzero(where)
        self._index[y, x] = np.arange(len(y))
        away = hidden[:, y, x]
        self._median = _median(frames[:, y, x], away)
        count = len(frames)
        time = np.arange(count, dtype=np.int16)[:, None]
        self._before = np.maximum.accumulate(np.where(away, np.int16(-1), time), axis=0)
        last = np.where(away, np.int16(count), time)[::-1]
        self._after = np.minimum.accumulate(last, axis=0)[::-1]

    def at(
        self, t: int, pixels: PixelSet
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Of the `pixels` of frame `t`: median [N, 3], the nearest frames' mean [N, 3], and which
        pixels any frame shows [N]."""
        y, x = pixels.y.astype(int), pixels.x.astype(int)
        i = self._index[y, x]
        before, after, count = self._before[t, i], self._after[t, i], len(self._frames)
        # a ring pixel is known in its own frame: what others say of it is wanted
        has_before, has_after = before >= 0, after < count
        past = self._frames[np.where(has_before, before, 0), y, x].astype(np.float32)
        future = self._frames[np.where(has_after, after, 0), y, x].astype(np.float32)
        near = np.where(has_before, 1.0 / np.maximum(t - before, 1), 0).astype(np.float32)
        late = np.where(has_after, 1.0 / np.maximum(after - t, 1), 0).astype(np.float32)
        total = np.maximum(near + late, 1e-6)
        mean = (near / total)[:, None] * past + (late / total)[:, None] * future
        return self._median[i], mean, has_before | has_after


def candidates(
    t: int,
    pixels: PixelSet,
    frames: Frames,
    hidden: Masks,
    flows: tuple[BackgroundFlow, BackgroundFlow],
    static: StaticBackground,
    background: Transparent | None,
    offsets: tuple[int, ...],
) -> FillCandidates:
    """What the candidates say of the `pixels` of frame `t`, which others show outside `hidden`;
    `background` [H, W, 4] is of the frames' size."""
    colour, found = [], []
    for flow in flows:
        samples = gather(t, pixels, frames, hidden, flow, offsets)
        merged, seen, _ = merge(samples)
        for one in (merged, _nearest(samples)):
            colour.append(match_rim(frames[t], pixels, one, seen))
            found.append(seen)
    median, nearest, seen = static.at(t, pixels)
    colour += [median, nearest]
    found += [seen, seen]
    if background is not None:
        shown = background[pixels.y.astype(int), pixels.x.astype(int)]
        colours = shown[:, :3].astype(np.float32)
        # Where frames show the place, they say whether what stood there then is there now.
        gone = seen & (np.abs(median - colours).max(axis=-1) > ALIKE)
        known = (shown[:, 3] == 255) & ~gone
        colour.append(match_rim(frames[t], pixels, colours, known))
        found.append(known)
    colour.append(_spatial(frames[t], pixels))
    found.append(np.ones_like(seen))
    return FillCandidates(np.stack(colour), np.stack(found))


def _nearest(samples: PixelSamples) -> NDArray[np.float32]:
    """The nearest samples before and after, [N, 3], weighted by their nearness in time."""
    count = samples.seen.shape[1]
    total, weights = np.zeros((count, 3), np.float32), np.zeros((count, 1), np.float32)
    pixel = np.arange(count)
    for side in (samples.offset < 0, samples.offset > 0):
        seen = samples.seen[side]
        if not len(seen):
            continue
        first = seen.argmax(axis=0)
        near = np.where(seen.any(axis=0), 1.0 / np.abs(samples.offset[side])[first], 0)
        total += near[:, None].astype(np.float32) * samples.colour[side][first, pixel]
        weights += near[:, None].astype(np.float32)
    return np.asarray(total / np.maximum(weights, 1e-6), np.float32)


def _spatial(frame: NDArray[np.uint8], pixels: PixelSet) -> NDArray[np.float32]:
    """The ring's colours spread over the set, [N, 3]."""
    y, x = pixels.y.astype(int), pixels.x.astype(int)
    top, left = y.min(), x.min()
    size = (int(np.ptp(y)) + 1, int(np.ptp(x)) + 1)
    known = np.zeros(size, np.float32)
    ring = slice(pixels.hidden, None)
    known[y[ring] - top, x[ring] - left] = 1
    part = frame[top : top + size[0], left : left + size[1]].astype(np.float32)
    return diffuse(part, known)[y - top, x - left]


def _median(values: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Over time of `values` [T, N, 3] where not `hidden` [T, N]: the median [N, 3]."""
    count = (~hidden).sum(axis=0)
    # hidden ones sort behind all that is seen
    ordered = np.where(hidden[..., None], np.uint8(255), values)
    ordered = np.sort(ordered.transpose(1, 2, 0), axis=-1)
    pixel = np.arange(len(count))
    low, high = (
        ordered[pixel, :, np.clip(k, 0, len(values) - 1)].astype(np.float32)
        for k in ((count - 1) // 2, count // 2)
    )
    return np.asarray((low + high) / 2)
