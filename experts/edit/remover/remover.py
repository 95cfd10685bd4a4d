"""Object removal from other frames: the embedded make of the remover.

In two passes. The first follows the background's motion as it can be guessed behind the object,
collects for every hidden pixel what the other frames saw there, and merges it. In the second the
flow is measured again on the filled frames, which mends the guess where the background has depth,
and the fill is made anew from the original frames. Both try two motions, the flow and the camera's
motion over a still, flat world, and each pixel takes the one along which the frames agree best.
What no frame saw is invented (MI-GAN). The object's shadow, where one is found, goes with it.

33 frames of 592×336 with a tenth hidden take 10–17 s of one core, spread over `threads`; the flows
hold up to 13 MB a frame of that size.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.annotate.camera import camera_path
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.remover.background_flow import BackgroundFlow, background_flow
from experts.edit.remover.gather import OUTLIER, disc, gather, region
from experts.edit.remover.merge import merge
from experts.edit.remover.migan import Migan
from experts.edit.remover.passing import lay_back, passing
from experts.edit.remover.seam import match_rim
from experts.edit.remover.shadow import shadows
from experts.edit.remover.unseen import TELEA_RADIUS, complete
from experts.threads import per_call
from experts.weights import entry

DILATE_SHARE = 0.008
"""How far a mask is grown, share of the longer side (5 px at 592): an object's soft edge, motion
blur and codec ringing lie outside the mask a segmenter draws."""

FEATHER_PX = 3
"""The fill reaches this much beyond its hole and fades into the frame there: what the light, a soft
shadow or the codec leave of a step is no edge then."""

GUESS_STEPS = (1, 2, 3, 5, 8, 12, 17, 24)
"""Distances, in frames, of the samples of the first pass."""

STEPS = (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 32, 42, 56, 75, 100)
"""Distances of the second pass: close ones are the most alike, far ones see behind the object."""


SPREAD_PX = 2.0
"""How far around a pixel its samples' agreement is averaged before motions are compared."""

UNSEEN = np.float32(OUTLIER**2)
"""The spread of a pixel no frame saw: as bad as any."""


@dataclass(frozen=True, slots=True)
class Span:
    """A longer stretch of the footage, `frames` and `masks` as a request's; the request's own
    frames are those from `first` on."""

    frames: Frames
    masks: Masks
    first: int


@dataclass(frozen=True, slots=True)
class Removal:
    """Frames without an object: `holes` is where they were filled, `painted` where with what no
    frame ever saw, both [T, H, W]; `info` is the expert's."""

    frames: Frames
    holes: Masks
    painted: Masks
    info: dict[str, float]


class Remover:
    """Fills along the optical flow from other frames, and by MI-GAN only where none saw the place.

    `params`: `others`, the masks [T, H, W] of objects that stay; one that passes behind the one
    that goes is laid back (see `passing`). `span`, a :class:`Span` whose frames are looked at, too:
    longer footage shows more of what lies behind; `others` then speak of the span's frames.

    `info`: shares of the changed pixels, adding up to 1: `by_flow` from frames the background moved
    between, `by_median` from frames in which it lay still, `by_migan` invented, `by_others` objects
    laid back, `by_telea` specks left over. `shadow` is the share that is the object's shadow,
    `dilation_px` how far both were grown.

    `threads`: frames filled side by side, and MI-GAN's; by default the process's number
    (`experts.threads`).
    """

    name = "remover-flow"
    slots = ("migan",)

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self.version = f"7+{entry('migan').sha256[:8]}"
        self._migan = Migan(threads)

    def load(self) -> None:
        self._migan.load()

    def close(self) -> None:
        self._migan.close()

    def edit(self, request: EditRequest) -> EditResult:
        """The request's frames without what its masks cover; identical outside `result.masks`.

        Raises as `remove` does.
        """
        removal = self.remove(request)
        return EditResult(removal.frames, removal.holes, removal.info)

    def remove(self, request: EditRequest, keep_shadow: bool = False) -> Removal:
        """The same, with what was invented, for an expert that covers some of it; the shadow may
        stay, for another object to cast it.

        Raises BadInput if there are no masks, if they don't fit the frames, or if they leave no
        background at all.
        """
        own, span = slice(len(request.frames)), request.params.get("span")
        if span is not None:
            own = slice(span.first, span.first + len(request.frames))
            request = dataclasses.replace(request, frames=span.frames, masks=span.masks)
        frames, masks = request.frames, _checked(request)
        radius = max(1, round(DILATE_SHARE * max(masks.shape[1:])))
        holes = dilated(masks, radius)
        if holes.all():
            raise BadInput(
                "no_background",
                "masks: they cover every pixel of every frame; removal needs some background",
            )
        sources = dict.fromkeys(
            ("by_flow", "by_median", "by_migan", "by_others", "by_telea", "shadow"), 0.0
        )
        if not holes.any():
            blank = holes[own]
            return Removal(frames[own].copy(), blank, blank, {**sources, "dilation_px": radius})

        others = [np.asarray(m, bool) for m in request.params.get("others", ())]
        crossing = passing(others, holes, _camera(frames, holes, others)) if others else []
        apart = np.logical_or.reduce(
            [dilated(one.masks, radius) for one in crossing] or [holes & False]
        )
        motion, rigid = background_flow(frames, holes | apart)
        cast = np.zeros_like(holes) if keep_shadow else shadows(frames, holes, rigid)
        holes |= dilated(cast, radius)
        guess, seen, _ = self._fill(frames, holes, holes | apart, (motion, rigid), GUESS_STEPS)
        for t in np.flatnonzero((holes & ~seen).any(axis=(1, 2))):
            open_ = (holes[t] & ~seen[t]).astype(np.uint8)
            guess[t] = cv2.inpaint(guess[t], open_, TELEA_RADIUS, cv2.INPAINT_TELEA)
        motion, rigid = background_flow(guess, (holes & ~seen) | apart)
        wanted, wide = np.zeros_like(holes), np.zeros_like(holes)
        rim = dilated(holes, FEATHER_PX)
        beside = np.logical_or.reduce([holes & False, *others])  # nothing of them fades away
        wanted[own], wide[own] = holes[own], (holes | rim & ~beside)[own]
        filled, seen, still = self._fill(frames, wide, rim | apart, (motion, rigid), STEPS)
        seen &= wanted  # the rest is known anyway
        # What is seen only close to the object is better than what nobody saw.
        again = wanted & (wanted & ~seen).any(axis=(1, 2), keepdims=True)
        if again.any():
            close = self._fill(frames, again, holes | apart, (motion, rigid), STEPS)
            late = close[1] & ~seen
            filled[late], still[late] = close[0][late], close[2][late]
            seen |= late
        filled, painted = complete(filled, wanted & ~seen, motion, self._migan.paint)
        laid = lay_back(filled, frames, wanted, crossing)
        filled, holes, cast = filled[own], holes[own], cast[own]
        seen, still, laid, painted = seen[own], still[own], laid[own], painted[own]
        seen, painted = seen & ~laid, painted & ~laid
        _feather(filled, frames[own], rim[own])

        area = max(1, int(holes.sum()))
        sources["shadow"] = int(cast.sum()) / area
        for key, part in (
            ("by_flow", seen & ~still),
            ("by_median", seen & still),
            ("by_migan", painted),
            ("by_others", laid),
            ("by_telea", holes & ~seen & ~painted & ~laid),
        ):
            sources[key] = int(part.sum()) / area
        return Removal(filled, wide[own], painted, {**sources, "dilation_px": radius})

    def _fill(
        self,
        frames: Frames,
        holes: Masks,
        hidden: Masks,
        motions: tuple[BackgroundFlow, ...],
        steps: tuple[int, ...],
    ) -> tuple[Frames, Masks, Masks]:
        """`frames` with `holes` filled as far as other frames saw them, where not `hidden` there.

        Of several `motions` each pixel takes the one along which the frames agree best about it.
        The other answers are where a frame saw the hidden background, and where that lay still.
        """
        filled, seen = frames.copy(), np.zeros_like(holes)
        stills = [motion.static(holes.shape) for motion in motions]
        still = stills[0].copy()

        def one(t: int) -> None:
            pixels = region(holes[t])
            colour, found, spread = merge(gather(t, pixels, frames, hidden, motions[0], steps))
            spread = pixels.averaged(np.where(found, spread, UNSEEN), SPREAD_PX)
            for motion, lies_still in zip(motions[1:], stills[1:], strict=True):
                other = merge(gather(t, pixels, frames, hidden, motion, steps))
                other_spread = pixels.averaged(np.where(other[1], other[2], UNSEEN), SPREAD_PX)
                better = other[1] & ((other_spread < spread) | ~found)
                colour[better], spread[better] = other[0][better], other_spread[better]
                found |= other[1]
                chosen = pixels.where(better, holes.shape[1:])
                still[t][chosen] = lies_still[t][chosen]
            seen[t] = pixels.put(filled[t], match_rim(frames[t], pixels, colour, found), found)

        with ThreadPoolExecutor(self.threads or per_call()) as pool:
            list(pool.map(one, np.flatnonzero(holes.any(axis=(1, 2)))))
        return filled, seen, still


def _camera(frames: Frames, holes: Masks, others: list[Masks]) -> NDArray[np.float64]:
    """[T, 2]: the background's way, px."""
    return camera_path(frames, np.logical_or.reduce([holes, *others])).astype(np.float64)


def dilated(masks: Masks, radius: int) -> Masks:
    """`masks` [T, H, W] grown by a disc of `radius` px."""
    kernel = disc(radius)
    return np.stack([cv2.dilate(m.astype(np.uint8), kernel) > 0 for m in masks])


def _feather(filled: Frames, frames: Frames, holes: Masks) -> None:
    """Bring what is `filled` back to `frames` towards the outline of `holes`, in place."""
    for t in np.flatnonzero(holes.any(axis=(1, 2))):
        deep = cv2.distanceTransform(holes[t].astype(np.uint8), cv2.DIST_L2, 5)
        rim = holes[t] & (deep <= FEATHER_PX)
        share = (deep[rim] / (FEATHER_PX + 1))[:, None]
        mixed = frames[t][rim] + share * (filled[t][rim].astype(np.float32) - frames[t][rim])
        filled[t][rim] = np.rint(mixed)


def _checked(request: EditRequest) -> NDArray[np.bool_]:
    masks, shape = request.masks, request.frames.shape
    if masks is None:
        raise BadInput(
            "no_mask", "masks: there are none; removal needs the object's mask per frame"
        )
    if masks.shape != shape[:3]:
        raise BadInput(
            "mask_mismatch",
            f"masks: {_size(masks.shape)}, but the frames are {_size(shape[:3])}; "
            "give one mask per frame, of the frames' size",
        )
    return masks.astype(bool)


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
