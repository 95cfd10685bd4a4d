"""Puts another clip's object in the place of one in the footage.

The object is removed by the remover, and the donor's cut-out is laid in its place: its foot goes
the way of the object's foot, its height changes as the object's does. Its light is brought part of
the way from its own surroundings' to the place's, its blur and grain up to the scene's, and what
stands in front of the object stays in front. The pair's other side is the footage itself, so that
a model learns to make what was filmed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.appearance import Frame, Light, Mask, blur_of, grain_of, lab, light_of, rgb, ring
from experts.edit.matte import Image, depth_in, own_colours, share
from experts.edit.remover import Removal, Remover
from experts.edit.swap.trajectory import Matrix, brought, placements, way_of
from experts.edit.tasks import expert_for
from experts.masks.geometry import box_of

SAMPLES = 5
"""Frames, evenly over the clip, in which light, blur and grain are measured; they are then the same
for all frames, so that nothing flickers."""

EDGE_PX, INSET_PX = 1.5, 0.8
"""px of the edit over which a cut-out's edge fades, and of its own picture by which it is drawn in:
segmenters draw outlines a little too wide."""

TOWARDS = 0.6
"""Share of the way from the light around the donor to the light around its new place."""

MOST_L, MOST_AB = 14.0, 7.0
"""CIELAB by which the donor's light is shifted at most: more would be another paint."""

CONTRAST = (0.8, 1.2)
"""Least and most by which the donor's lightness is spread around its mean."""

LIFT = 12.0
"""L by which the donor's darkest parts are lifted at most: haze lifts them with distance."""

ENLARGED = 1.3
"""Most by which a donor's pixels are enlarged."""

SOFTER = 1.5
"""Times as soft as its new place a donor may be; what is lost cannot be given back."""

MOST_BLUR, MOST_GRAIN = 2.5, 4.0
"""px and levels of 255 that are added at most."""

OUTSIDE = 0.05
"""Share of the cut-out's box that may fall outside the picture."""

SEEN = 14.0
"""Mean difference of the two sides where the cut-out lies, levels of 255, below which they show as
good as the same object."""

RIM_PX = 8
"""px; what was invented in a strip no wider than twice this, between the cut-out and the footage,
nobody sees. Looked for in eight swaps, and not found."""

COVERS = 0.95
"""Share from which the cut-out hides what is behind it."""


@dataclass(frozen=True, slots=True)
class Dressing:
    """What is done to every frame of the cut-out; CIELAB, px and levels of 255."""

    shift: NDArray[np.float32]
    middle: float  # L around which lightness is spread
    spread: float
    dark: float  # L of the darkest parts, after the spread
    lift: float
    blur: float
    grain: float

    def light(self, colours: Image) -> Image:
        """RGB in the place's light."""
        values = lab(np.clip(np.rint(colours), 0, 255).astype(np.uint8))
        light = self.middle + self.spread * (values[..., 0] - self.middle) + self.shift[0]
        room = max(100.0 - self.dark, 1.0)
        values[..., 0] = np.clip(light + self.lift * np.clip((100.0 - light) / room, 0, 1), 0, 100)
        values[..., 1:] += self.shift[1:]
        return rgb(values)


class Swap:
    """`params`: `donor_frames` [T, h, w, 3] and `donor_masks` [T, h, w], a part of the donor's clip
    with some of its surroundings, in its own px; `donor` with `ratio`, the donor's height over the
    object's, and `mirror`; and, if there are any, `in_front` [T, H, W]: what hides the object.

    The result is the pair's source. `info`: `by_migan`, the share of the changed pixels that was
    never seen and shows, `exposed`, what of it is more than a rim; `covered`, the share of the hole
    the donor covers; `difference` of the two sides there, levels; `enlarged`; `shift`, `spread`,
    `lift`, `blur`, `grain`, as they were measured and applied.
    """

    name = "swap"
    slots = Remover.slots

    def __init__(self) -> None:
        self._remover: Remover | None = None

    @property
    def version(self) -> str:
        return f"1+{expert_for('object_removal').version}"

    def load(self) -> None:
        """Opens the remover, which is shared."""
        if self._remover is None:
            remover = cast(Remover, expert_for("object_removal"))
            remover.load()
            self._remover = remover

    def close(self) -> None:
        """The remover is whoever's uses it: only the hold on it is given up."""
        self._remover = None

    def edit(self, request: EditRequest) -> EditResult:
        """The footage with the donor in the object's place; identical outside `result.masks`.

        Raises :class:`BadInput`: what the remover raises, `no_donor`, `donor_mismatch`,
        `donor_small`, `donor_soft`, `out_of_picture`, `alike`.
        """
        self.load()
        assert self._remover is not None
        frames, masks = request.frames, request.masks
        cut_frames, cut_masks = _donor(request)
        if masks is None or not masks.any():
            raise BadInput("no_mask", "masks: there are none; a swap needs the object's masks")
        place, own = way_of(frames, masks), way_of(cut_frames, cut_masks)
        terms = request.params.get("donor", {})
        matrices = placements(
            place, own, float(terms.get("ratio", 1.0)), bool(terms.get("mirror", False))
        )
        enlarged = max(float(m[1, 1]) for m in matrices)
        if enlarged > ENLARGED:
            raise BadInput(
                "donor_small",
                f"the donor would be enlarged {enlarged:.2f} times, more than {ENLARGED}; "
                "choose one that was filmed larger",
            )
        size = frames.shape[1:3]
        _refuse_outside(cut_masks, matrices, size)
        cut = [
            _cut_out(frame, mask, matrix, size)
            for frame, mask, matrix in zip(cut_frames, cut_masks, matrices, strict=True)
        ]
        dressing = _dressing(frames, masks, cut_frames, cut_masks, matrices)
        cut = [_dressed(layer, dressing) for layer in cut]
        removal = self._remover.remove(request, keep_shadow=True)
        in_front = request.params.get("in_front")
        made, hidden = _composed(frames, removal, cut, in_front)
        rng = np.random.default_rng(request.seed)
        _grained(made, hidden, dressing.grain, rng)
        return _result(frames, made, removal, hidden, in_front, dressing, enlarged)


Layer = tuple[Image, Image]
"""Colours [H, W, 3] and shares [H, W] of a cut-out, laid out in the edit's picture."""


def _donor(request: EditRequest) -> tuple[Frames, Masks]:
    frames, masks = (request.params.get(name) for name in ("donor_frames", "donor_masks"))
    if frames is None or masks is None:
        raise BadInput(
            "no_donor",
            "a swap needs another clip's object, which a build finds in its bank: "
            "params: donor_frames, donor_masks",
        )
    count = len(request.frames)
    if len(frames) != count or masks.shape != frames.shape[:3] or not masks.any():
        raise BadInput(
            "donor_mismatch",
            f"donor: {len(frames)} frames and masks of shape {masks.shape} for {count} frames; "
            "give as many, with a mask that is not empty",
        )
    return frames, masks


def _cut_out(frame: Frame, mask: Mask, matrix: Matrix, size: tuple[int, int]) -> Layer:
    scale = float(matrix[1, 1])
    width = max(1.0, EDGE_PX / scale)
    depth = depth_in(mask)
    own = share(depth, max(INSET_PX, 0.5 * width), width)
    colours = own_colours(frame, depth)
    laid = brought(np.dstack([colours * own[..., None], own]), matrix, size)
    shares = np.clip(laid[..., 3], 0.0, 1.0)
    shares[shares < 1 / 255] = 0.0
    return np.clip(laid[..., :3] / np.maximum(laid[..., 3:], 1e-3), 0.0, 255.0), shares


def _refuse_outside(masks: Masks, matrices: Sequence[Matrix], size: tuple[int, int]) -> None:
    for mask, matrix in zip(masks, matrices, strict=True):
        box = box_of(mask)
        if box is None:
            continue
        across, down = np.sort(matrix @ [[box[0], box[2]], [box[1], box[3]], [1, 1]], axis=1)
        inside = np.prod(
            [
                np.diff(np.clip(side, 0, most))[0] / np.diff(side)[0]
                for side, most in ((across, size[1]), (down, size[0]))
            ]
        )
        if inside < 1 - OUTSIDE:
            raise BadInput(
                "out_of_picture",
                f"only {inside:.0%} of the donor would lie in the picture; "
                "choose one of the object's shape",
            )


def _sampled(count: int) -> list[int]:
    return sorted(set(np.linspace(0, count - 1, SAMPLES).round().astype(int).tolist()))


def _together(frames: Frames, masks: Masks, region: Callable[[Mask], Mask]) -> Light | None:
    """The light of a region over the sampled frames."""
    parts = [lab(frames[t])[region(masks[t])] for t in _sampled(len(frames))]
    return light_of(np.concatenate(parts))


def _dressing(
    frames: Frames,
    masks: Masks,
    cut_frames: Frames,
    cut_masks: Masks,
    matrices: Sequence[Matrix],
) -> Dressing:
    there, here = _together(frames, masks, ring), _together(cut_frames, cut_masks, ring)
    old = _together(frames, masks, lambda mask: mask)
    own = _together(cut_frames, cut_masks, lambda mask: mask)
    blur, grain = _texture(frames, masks, cut_frames, cut_masks, matrices)
    if there is None or here is None or old is None or own is None:
        return Dressing(np.zeros(3, np.float32), 50.0, 1.0, 0.0, 0.0, blur, grain)
    most = np.array([MOST_L, MOST_AB, MOST_AB], np.float32)
    shift = np.clip(TOWARDS * (there.mean - here.mean), -most, most)
    contrast = np.sqrt(max(float(there.deviation[0]), 1.0) / max(float(here.deviation[0]), 1.0))
    spread, middle = float(np.clip(contrast, *CONTRAST)), float(own.mean[0])
    dark = middle + spread * (own.dark - middle) + float(shift[0])
    lift = float(np.clip(min(there.dark, old.dark) - dark, 0.0, LIFT))
    return Dressing(shift, middle, spread, dark, lift, blur, grain)


def _texture(
    frames: Frames,
    masks: Masks,
    cut_frames: Frames,
    cut_masks: Masks,
    matrices: Sequence[Matrix],
) -> tuple[float, float]:
    """Blur (px) and grain (levels) that the cut-out lacks in its new place."""
    figures = []
    for t in _sampled(len(frames)):
        colours, shares = _cut_out(cut_frames[t], cut_masks[t], matrices[t], frames.shape[1:3])
        laid = frames[t] + shares[..., None] * (colours - frames[t])
        patch, inside = np.rint(laid).astype(np.uint8), shares > COVERS
        around = masks[t] | ring(masks[t])
        figures.append(
            (
                blur_of(frames[t], around),
                blur_of(patch, inside),
                grain_of(frames[t], around),
                grain_of(patch, inside),
            )
        )
    there, here, noise_there, noise_here = np.median(figures, axis=0)
    if here > SOFTER * there:
        raise BadInput(
            "donor_soft",
            f"the donor is softer ({here:.1f} px) than its new place ({there:.1f} px); "
            "choose one that was filmed larger or sharper",
        )
    blur = np.sqrt(max(there**2 - here**2, 0.0))
    grain = np.sqrt(max(noise_there**2 - noise_here**2, 0.0))
    return float(min(blur, MOST_BLUR)), float(min(grain, MOST_GRAIN))


def _dressed(layer: Layer, dressing: Dressing) -> Layer:
    colours, shares = layer
    lit = np.where(shares[..., None] > 0, colours, 0.0)
    top, bottom, left, right = _window(shares, 8)
    part = dressing.light(lit[top:bottom, left:right])
    weight = shares[top:bottom, left:right]
    if dressing.blur > 0.3:
        soft = cv2.GaussianBlur(
            np.dstack([part * weight[..., None], weight]), (0, 0), dressing.blur
        )
        part, weight = soft[..., :3] / np.maximum(soft[..., 3:], 1e-3), soft[..., 3]
        weight[weight < 1 / 255] = 0.0
    lit = np.zeros_like(colours)
    laid = np.zeros_like(shares)
    lit[top:bottom, left:right], laid[top:bottom, left:right] = part, weight
    return lit, laid


def _window(shares: Image, margin: int) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(shares.any(axis=1)), np.flatnonzero(shares.any(axis=0))
    if not len(rows):
        return 0, 1, 0, 1
    height, width = shares.shape
    return (
        max(0, int(rows[0]) - margin),
        min(height, int(rows[-1]) + 1 + margin),
        max(0, int(columns[0]) - margin),
        min(width, int(columns[-1]) + 1 + margin),
    )


def _composed(
    frames: Frames, removal: Removal, cut: Sequence[Layer], in_front: Masks | None
) -> tuple[Frames, NDArray[np.float32]]:
    """The made side, and per pixel how much of it is the donor's, [T, H, W]."""
    made, hidden = removal.frames.copy(), np.zeros(frames.shape[:3], np.float32)
    for t, (colours, shares) in enumerate(cut):
        visible = shares
        footage = frames[t].astype(np.float32)
        if in_front is not None and in_front[t].any():
            nearer = share(depth_in(in_front[t]), 0.0, EDGE_PX)
            visible = shares * (1 - nearer)
            behind = made[t] + nearer[..., None] * (footage - made[t])
            made[t] = np.clip(np.rint(behind), 0, 255)
        mixed = made[t] + visible[..., None] * (colours - made[t])
        made[t] = np.clip(np.rint(mixed), 0, 255)
        hidden[t] = visible
    return made, hidden


def _grained(
    made: Frames, hidden: NDArray[np.float32], deviation: float, rng: np.random.Generator
) -> None:
    """Adds the scene's noise where the donor lies, in place."""
    if deviation < 0.3:
        return
    for t, weight in enumerate(hidden):
        top, bottom, left, right = _window(weight, 0)
        part = made[t, top:bottom, left:right]
        noise = cv2.GaussianBlur(
            rng.normal(0.0, 1.0, part.shape[:2]).astype(np.float32), (0, 0), 0.6
        )
        noise *= deviation / max(float(noise.std()), 1e-3)
        grained = part + (weight[top:bottom, left:right] * noise)[..., None]
        made[t, top:bottom, left:right] = np.clip(np.rint(grained), 0, 255)


def _result(
    frames: Frames,
    made: Frames,
    removal: Removal,
    hidden: NDArray[np.float32],
    in_front: Masks | None,
    dressing: Dressing,
    enlarged: float,
) -> EditResult:
    masks = removal.holes | (hidden > 0)
    if in_front is not None:
        masks &= ~in_front | (made != frames).any(axis=-1)
    covering = hidden > COVERS
    gap = np.abs(made.astype(np.int16) - frames)[covering]
    difference = float(gap.mean()) if gap.size else 0.0
    if difference < SEEN:
        raise BadInput(
            "alike",
            f"the donor differs by {difference:.0f} levels from what it replaces, and "
            f"{SEEN:.0f} are needed; choose one of another colour",
        )
    bare = removal.painted & ~covering
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM_PX + 1,) * 2)
    wide = sum(
        int(cv2.morphologyEx(part.astype(np.uint8), cv2.MORPH_OPEN, brush).sum()) for part in bare
    )
    info: dict[str, Any] = {
        "by_migan": round(float(bare.sum() / max(1, masks.sum())), 4),
        "exposed": round(wide / max(1, int(masks.sum())), 4),
        "covered": round(float((removal.holes & covering).sum() / max(1, removal.holes.sum())), 3),
        "difference": round(difference, 1),
        "enlarged": round(enlarged, 3),
        "shift": [round(float(x), 2) for x in dressing.shift],
        "spread": round(dressing.spread, 3),
        "lift": round(dressing.lift, 2),
        "blur": round(dressing.blur, 2),
        "grain": round(dressing.grain, 2),
    }
    return EditResult(made, masks, info)
