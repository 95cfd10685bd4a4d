"""Finds the shadow an object casts: where it stays, one sees that something was removed.

A shadow darkens what lies beneath it and leaves its texture and nearly its colour alone (Horprasert
et al., "A statistical approach for real-time robust background subtraction and shadow detection",
1999). What lies beneath is known wherever the shadow has moved on: other frames show it. So beside
the object each pixel's *depth* is taken, the logarithm of the background over the frame. A shadow
keeps its place beside its object, so the depths of several frames are averaged there: what is in
the background moves through and averages out, noise falls, and half shadows rise above it.

It counts as shadow if it is darker in all channels alike and by the same factor in all these
frames, if it comes near the object, and by two thresholds: where it is plainly dark, and from there
on as far as it is darker than noise (hysteresis; Canny, PAMI 1986). How much noise there is, the
depths say by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow
from experts.edit.remover.fills.gather import LUMA, PixelSamples, disc, gather, hole_and_ring
from experts.edit.remover.fills.resolution import shrunk_frames, shrunk_masks

FLOOR = 4.0
"""Gray values added before a logarithm is taken: near black, noise is all there is."""

MAD_TO_DEVIATION = 1.4826
"""From the median absolute deviation to the standard one, of a normal distribution."""

SEEN = 0.3
"""Share of the voting frames that must tell a pixel's depth."""

NOISE_PX = 3.0
"""Deviation of the Gaussian over which a pixel's noise is averaged."""

GAP_PX = 3
"""Radius of a disc that fits into no gap between an object and its shadow."""

Depths = NDArray[np.float32]
"""[9, h, w]: of each pixel its depth d, those of red, green and blue, the logarithm b of the
background, d², b², d·b, and whether they are known (1 or 0); 0 elsewhere."""

PLANES = 9


@dataclass(frozen=True, slots=True)
class Averages:
    """What the depths of several frames say of each pixel beside the object, each [h, w]."""

    depth: NDArray[np.float32]
    tint: NDArray[np.float32]  # how far apart the channels' depths are
    unsteadiness: NDArray[np.float32]  # the depth's deviation over time
    contrast: NDArray[np.float32]  # variance over time of the background's logarithm
    hiding: NDArray[np.float32]  # its covariance with the depth: the variance that is not seen
    votes: NDArray[np.float32]  # frames

    @classmethod
    def of(cls, total: Depths) -> Averages:
        """Of the sum over the frames."""
        votes = total[-1]
        depth, red, green, blue, ground, depths, grounds, both = total[:-1] / np.maximum(votes, 1)
        return cls(
            depth,
            np.ptp([red, green, blue], axis=0),
            np.sqrt(np.maximum(depths - depth * depth, 0)),
            grounds - ground * ground,
            both - depth * ground,
            votes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDetector:
    """Its settings. Depths are natural logarithms: 0.1 is a tenth darker. Defaults are chosen by
    what is found on the `tuned_on` clips and scenes of `infra/bench/split.toml`; pixels are those
    of frames that were shrunk to `long_side`."""

    long_side: int = 300
    """px of the frames that are looked at: shadows have soft edges, and small pixels are noisy."""

    reach: float = 0.8
    """How far from its object a shadow is looked for, share of the object's longer side: the length
    of an upright object's where the sun is 50° high or higher."""

    offsets: tuple[int, ...] = (3, 6, 10, 15, 21, 28, 36, 45)
    """Frames to both sides that are compared with, as far ones as there are: near ones often still
    lie in the shadow."""

    bright_rank: float = 0.7
    """Of the frames that show a place, in order of brightness, the one that is taken as background:
    of a slow object's shadow many are dark."""

    stride: int = 2
    """Frames between two that are examined: a shadow keeps its place beside the object."""

    vote_frames: int = 6
    """Frames to both sides whose depths are averaged."""

    smooth_px: float = 1.0
    """Deviation of the Gaussian applied before the logarithm, against noise and codec."""

    dark: float = 0.1
    """Depth of a shadow's core at least; what is lighter everywhere is hardly visible."""

    light: float = 0.04
    """Depth down to which its half shadow is followed: about 4 gray values of a grey street."""

    noise: float = 3.0
    """Standard errors of the averaged depth that half shadow is above; a core is above twice that.
    They come from the depth's deviation over time there, or among all pixels if that is less."""

    darkest: float = 1.4
    """Depth of a shadow at most, a quarter of the light; below it are dark objects."""

    tint: tuple[float, float] = (0.05, 0.25)
    """How far apart the channels' depths may lie: at depth 0, and more by this share of the depth,
    for skylight makes a shadow bluer. What is usual in the frame comes on top."""

    unsteadiness: tuple[float, float] = (0.03, 0.4)
    """The depth's deviation over time, in the same way: an object's colour does not follow that of
    what is behind it, so its depth changes with every step."""

    texture: float = 0.03
    """Deviation over time of the background's logarithm from which on a ground is textured."""

    shows_through: float = 0.6
    """Share of a textured ground's contrast that is to be seen in its shadow: in logarithms, all of
    it is, and nothing behind a dark thing that moves along."""

    nearness: float = 0.1
    """How far a shadow may lie from its object, share of the object's longer side: somebody who
    jumps, or whose feet the mask has lost."""

    min_core_px: int = 12
    """Smallest core."""

    max_area: float = 1.5
    """Of the object's area; more is no shadow but a change of light."""

    def detect(self, frames: Frames, holes: Masks, camera: BackgroundFlow, kept: Masks) -> Masks:
        """Where the objects of `holes` [T, H, W] cast a shadow on `frames` [T, H, W, 3], outside of
        the holes and of what is to be `kept` [T, H, W]. Empty where that is uncertain, and for an
        object that does not move.

        `holes` must hold the objects with their soft edges. `camera` is the flow of a static scene:
        measured optical flow would follow the shadow.
        """
        full = holes.shape[:0:-1]
        shrink = max(1, round(max(full) / self.long_side))
        size = full[0] // shrink, full[1] // shrink
        objects, others = shrunk_masks(holes, size), shrunk_masks(kept, size)
        found = self._small(
            shrunk_frames(frames, size), objects, camera.resized(size), objects | others
        )
        if found.sum() > self.max_area * objects.sum():
            return np.zeros_like(holes)
        grown = [cv2.dilate(f.astype(np.uint8), disc(1)) for f in found]
        large = [cv2.resize(f, full, interpolation=cv2.INTER_NEAREST) > 0 for f in grown]
        return np.asarray(np.stack(large) & ~holes & ~kept)

    def _small(
        self, frames: Frames, objects: Masks, camera: BackgroundFlow, hidden: Masks
    ) -> Masks:
        found = np.zeros_like(objects)
        alive = [int(t) for t in np.flatnonzero(objects.any(axis=(1, 2)))]
        depths = {
            t: self._depths(t, frames, objects[t], camera, hidden) for t in alive[:: self.stride]
        }
        places = {t: _centre(objects[t]) for t in alive}
        for t in alive:
            voters = [s for s in depths if abs(s - t) <= self.vote_frames]
            total = np.zeros_like(depths[voters[0]])
            for s in voters:
                _add(total, depths[s], places[t] - places[s])
            means = Averages.of(total)
            known = (means.votes >= SEEN * len(voters)) & ~hidden[t]
            if known.any():
                found[t] = self._shadow(means, known, objects[t])
        return self._steadied(found, places) & ~hidden & _nearest(objects, hidden & ~objects)

    def _steadied(self, found: Masks, places: dict[int, NDArray[np.int64]]) -> Masks:
        """What is `found` [T, h, w], and what is found at the same place beside the object in most
        frames around."""
        out = found.copy()
        for t, place in places.items():
            voters = [s for s in places if abs(s - t) <= self.vote_frames]
            votes = np.zeros((1, *found.shape[1:]), np.uint8)
            for s in voters:
                _add(votes, found[s : s + 1].view(np.uint8), place - places[s])
            out[t] |= votes[0] > len(voters) / 2
        return out

    def _depths(
        self,
        t: int,
        frames: Frames,
        hole: NDArray[np.bool_],
        camera: BackgroundFlow,
        hidden: Masks,
    ) -> Depths:
        """Of frame `t` beside its `hole` [h, w]."""
        away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3)
        pixels = hole_and_ring(away <= self.reach * _longer_side(hole) + 1)
        samples = gather(t, pixels, frames, hidden, camera, self.offsets)
        place = pixels.y.astype(int), pixels.x.astype(int)
        beneath = np.zeros((*hole.shape, 3), np.float32)
        known = np.zeros(hole.shape, np.float32)
        if len(samples.seen):
            beneath[place] = self._background(samples)
            known[place] = samples.seen.sum(axis=0) >= 2  # of a single one nothing is bright
        known[hidden[t]] = 0
        if not known.any():
            return np.zeros((PLANES, *hole.shape), np.float32)
        now, then = (
            _smoothed(image * known[..., None], known, self.smooth_px)
            for image in (frames[t].astype(np.float32), beneath)
        )
        channels = np.log((then + FLOOR) / (now + FLOOR))
        depth = np.log((then @ LUMA + FLOOR) / (now @ LUMA + FLOOR))
        where = known > 0
        # a change of the light all over is no shadow
        channels -= np.median(channels[where], axis=0)
        depth -= np.median(depth[where])
        ground = np.log(then @ LUMA + FLOOR)
        ground -= np.median(ground[where])
        products = depth * depth, ground * ground, depth * ground
        planes = [depth, *channels.transpose(2, 0, 1), ground, *products, where]
        return np.asarray(np.stack(planes) * known, np.float32)

    def _background(self, samples: PixelSamples) -> NDArray[np.float32]:
        """The colour [N, 3] of the sample of `bright_rank`; of pixels that nothing shows, any."""
        seen = samples.seen
        order = np.argsort(np.where(seen, samples.colour @ LUMA, np.inf), axis=0)
        rank = np.ceil(self.bright_rank * (seen.sum(axis=0) - 1)).astype(int)
        chosen = np.take_along_axis(order, np.maximum(rank, 0)[None], axis=0)[0]
        # bicubic samples overshoot below black
        return np.maximum(samples.colour[chosen, np.arange(len(rank))], 0)

    def _shadow(
        self, means: Averages, known: NDArray[np.bool_], hole: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Of the `known` pixels those in the shadow of the `hole`, and the gaps to it, [h, w]."""
        depth = means.depth - np.median(means.depth[known])
        noise = self._noise(means, depth, known)
        dark = known & (depth >= np.maximum(self.light, noise))
        suits = dark & (depth <= self.darkest)
        for value, (least, share) in (
            (means.tint, self.tint),
            (means.unsteadiness, self.unsteadiness),
        ):
            suits &= value <= np.median(value[known]) + least + share * depth
        suits = cv2.morphologyEx(suits.astype(np.uint8), cv2.MORPH_OPEN, disc(1)) > 0
        core = suits & (depth >= np.maximum(self.dark, 2 * noise))
        near = max(2, round(self.nearness * _longer_side(hole)))
        beside = cv2.dilate(hole.astype(np.uint8), disc(near)) > 0
        found = self._accepted(means, suits, core, beside)
        return _with_contact(found, found | (dark & beside), hole)

    def _noise(
        self, means: Averages, depth: NDArray[np.float32], known: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """What a depth must exceed to be more than noise, [h, w]."""
        among_all = MAD_TO_DEVIATION * np.median(np.abs(depth[known]))
        over_time = cv2.GaussianBlur(means.unsteadiness, (0, 0), NOISE_PX)
        error = np.minimum(among_all, over_time / np.sqrt(np.maximum(means.votes, 1)))
        return np.asarray(self.noise * error, np.float32)

    def _accepted(
        self,
        means: Averages,
        suits: NDArray[np.bool_],
        core: NDArray[np.bool_],
        beside: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Of the pixels that it `suits`, the connected parts that have a `core`, come to lie
        `beside` the object and let the ground show through."""
        count, parts = cv2.connectedComponents(suits.astype(np.uint8), connectivity=8)
        area, cores, close, contrast, hiding = (
            np.bincount(parts[suits], values[suits], minlength=count)
            for values in (suits, core, beside, means.contrast, means.hiding)
        )
        plain = contrast < self.texture**2 * area
        accepted = (cores >= self.min_core_px) & (close > 0)
        accepted &= plain | (hiding <= (1 - self.shows_through) * contrast)
        return np.asarray(accepted[parts] & suits)


def _with_contact(
    found: NDArray[np.bool_], dark: NDArray[np.bool_], hole: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The shadow `found` with all that is `dark` and hangs together with it, and the gaps to its
    object: where they touch, the shadow is deepest and stirred by feet and wheels. [h, w]"""
    _, parts = cv2.connectedComponents(dark.astype(np.uint8), connectivity=8)
    whole = np.isin(parts, np.unique(parts[found])) & dark
    closed = cv2.morphologyEx((whole | hole).astype(np.uint8), cv2.MORPH_CLOSE, disc(GAP_PX)) > 0
    near_it = cv2.dilate(whole.astype(np.uint8), disc(GAP_PX)) > 0
    return np.asarray(whole | (closed & near_it & ~hole))


def _nearest(objects: Masks, others: Masks) -> Masks:
    """Where the objects [T, h, w] are nearer than the others, whose own shadows lie there."""
    nearest = np.ones_like(objects)
    for t in np.flatnonzero(others.any(axis=(1, 2))):
        own, other = (
            cv2.distanceTransform((~masks[t]).astype(np.uint8), cv2.DIST_L2, 3)
            for masks in (objects, others)
        )
        nearest[t] = own <= other
    return nearest


def _smoothed(
    image: NDArray[np.float32], weight: NDArray[np.float32], sigma: float
) -> NDArray[np.float32]:
    """`image` [h, w, 3], 0 where `weight` [h, w] is, by a Gaussian over what has weight only."""
    total = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma) / total[..., None], np.float32)


def _longer_side(hole: NDArray[np.bool_]) -> int:
    """Of a hole's box, px."""
    y, x = np.nonzero(hole)
    return int(max(np.ptp(y), np.ptp(x)))


def _centre(hole: NDArray[np.bool_]) -> NDArray[np.int64]:
    """x, y of the middle of a hole's box: steadier than its centroid while legs swing."""
    y, x = np.nonzero(hole)
    return np.array([x.min() + x.max(), y.min() + y.max()]) // 2


def _add(total: NDArray[Any], planes: NDArray[Any], by: NDArray[np.int64]) -> None:
    """Adds the planes [N, h, w], moved `by` (x, y) px, to the `total`, in place."""
    x, y = (int(v) for v in by)
    height, width = planes.shape[1:]
    if abs(x) < width and abs(y) < height:
        to = slice(max(y, 0), height + min(y, 0)), slice(max(x, 0), width + min(x, 0))
        of = slice(max(-y, 0), height + min(-y, 0)), slice(max(-x, 0), width + min(-x, 0))
        total[:, *to] += planes[:, *of]
