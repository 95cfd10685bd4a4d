"""Object swap: composites another clip's object, the donor, in the place of one in the footage.

The object is removed by the remover, and the donor's cut-out follows its trajectory: foot on foot,
its height changing as the object's does. It is harmonized with the place in colour, blur and noise,
and what occludes the object occludes the donor, too. The pair's other side is the footage itself,
so that a model learns to generate what was filmed.
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.remover import RemovalResult, Remover
from experts.edit.remover.fills.stacked_fill import decibels
from experts.edit.settings import version_with
from experts.edit.swap.compositing import add_noise, composite, cut_out, share_inside
from experts.edit.swap.harmonization import UNCHANGED, Harmonization, harmonization
from experts.edit.swap.settings import SwapSettings
from experts.edit.swap.trajectory import placements, trajectory_of
from experts.edit.tasks import expert_for


class Swap:
    """`params`: `donor_frames` [T, h, w, 3] and `donor_masks` [T, h, w], a part of the donor's clip
    with some of its surroundings, in its own px; `donor` with `ratio`, the donor's height over the
    object's, `mirror`, and `same_camera` if it needs no harmonization for having been filmed by the
    footage's own camera; and, if there are any, `in_front` [T, H, W]: what occludes the object.

    The result is the pair's source. `info`: `by_migan`, the share of the changed pixels that are
    inpainted and visible, `exposed`, the part of it in places wide enough to be noticed; `covered`,
    the share of the hole that the donor covers; `difference` of the two sides there, levels;
    `enlarged`, the donor's scale; `fill_error`, how far off the background that the donor does not
    cover is expected to be, dB over all that is changed; and the harmonization: `shift` (L, a, b),
    `contrast`, `lift`, `blur`, `noise`.

    `settings`: :class:`SwapSettings`; others make another `version`.
    """

    name = "swap"
    slots = Remover.slots
    output_licence = Remover.output_licence

    def __init__(self, settings: SwapSettings | None = None) -> None:
        self.settings = settings or SwapSettings()
        self._remover: Remover | None = None

    @property
    def version(self) -> str:
        """Includes the remover's."""
        return version_with(f"2+{expert_for('object_removal').version}", self.settings)

    def load(self) -> None:
        """Load the remover, which is shared by the process."""
        if self._remover is None:
            remover = cast(Remover, expert_for("object_removal"))
            remover.load()
            self._remover = remover

    def close(self) -> None:
        """Let go of the remover; its weights stay loaded for others."""
        self._remover = None

    def edit(self, request: EditRequest) -> EditResult:
        """The footage with the donor in the object's place; identical outside `result.masks`.

        Raises :class:`BadInput`: what the remover raises, `no_donor`, `donor_mismatch`,
        `donor_small`, `donor_soft`, `out_of_picture`, `alike`.
        """
        self.load()
        assert self._remover is not None
        frames, masks, size = request.frames, request.masks, request.frames.shape[1:3]
        donor_frames, donor_masks = _donor(request)
        if masks is None or not masks.any():
            raise BadInput("no_mask", "masks: there are none; a swap needs the object's masks")
        match = request.params.get("donor", {})
        placed = placements(
            trajectory_of(frames, masks),
            trajectory_of(donor_frames, donor_masks),
            float(match.get("ratio", 1.0)),
            bool(match.get("mirror", False)),
        )
        enlarged = max(float(placement[1, 1]) for placement in placed)
        self._check_size(enlarged)
        for mask, placement in zip(donor_masks, placed, strict=True):
            self._check_inside(share_inside(mask, placement, size))
        change = UNCHANGED
        if not match.get("same_camera", False):
            change = harmonization(frames, masks, donor_frames, donor_masks, placed, self.settings)
        layers = [
            change.apply(cut_out(frame, mask, placement, size, self.settings))
            for frame, mask, placement in zip(donor_frames, donor_masks, placed, strict=True)
        ]
        removal = self._remover.remove(request, keep_shadow=True)
        in_front = request.params.get("in_front")
        made, visible = composite(frames, removal.frames, layers, in_front, self.settings.edge_px)
        add_noise(made, visible, change.noise, np.random.default_rng(request.seed))
        masks = removal.holes | (visible > 0)
        if in_front is not None:
            masks &= ~in_front | (made != frames).any(axis=-1)
        info = self._info(frames, made, masks, removal, visible > self.settings.opaque)
        return EditResult(made, masks, {**info, "enlarged": round(enlarged, 3), **_rounded(change)})

    def _check_size(self, enlarged: float) -> None:
        limit = self.settings.max_enlargement
        if enlarged > limit:
            raise BadInput(
                "donor_small",
                f"the donor would be enlarged {enlarged:.2f} times, more than {limit}; "
                "choose one that was filmed larger",
            )

    def _check_inside(self, inside: float) -> None:
        if inside < 1 - self.settings.max_outside:
            raise BadInput(
                "out_of_picture",
                f"only {inside:.0%} of the donor would lie in the picture; "
                "choose one of the object's shape",
            )

    def _info(
        self, frames: Frames, made: Frames, masks: Masks, removal: RemovalResult, covering: Masks
    ) -> dict[str, float]:
        """What is said of the result. Raises BadInput (`alike`)."""
        gap = np.abs(made.astype(np.int16) - frames)[covering]
        difference = float(gap.mean()) if gap.size else 0.0
        if difference < self.settings.min_difference:
            raise BadInput(
                "alike",
                f"the donor differs by {difference:.0f} levels from what it replaces, and "
                f"{self.settings.min_difference:.0f} are needed; choose one of another colour",
            )
        bare = removal.inpainted & ~covering
        area = max(1, int(masks.sum()))
        covered = (removal.holes & covering).sum() / max(1, removal.holes.sum())
        return {
            "by_migan": round(float(bare.sum() / area), 4),
            "exposed": round(_wide(bare, self.settings.narrow_px) / area, 4),
            "covered": round(float(covered), 3),
            "difference": round(difference, 1),
            "fill_error": round(decibels(float((removal.error * ~covering).sum() / area)), 2),
        }


def _donor(request: EditRequest) -> tuple[Frames, Masks]:
    frames, masks = (request.params.get(name) for name in ("donor_frames", "donor_masks"))
    if frames is None or masks is None:
        raise BadInput(
            "no_donor",
            "a swap needs another clip's object, a donor, which only a build of several clips "
            "finds: editmill build",
        )
    count = len(request.frames)
    if len(frames) != count or masks.shape != frames.shape[:3] or not masks.any():
        raise BadInput(
            "donor_mismatch",
            f"donor: {len(frames)} frames and masks of shape {masks.shape} for {count} frames; "
            "give as many, with a mask that is not empty",
        )
    return frames, masks


def _wide(masks: Masks, radius: int) -> int:
    """Pixels of `masks` [T, H, W] in places that a disc of `radius` px fits into."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    opened = (cv2.morphologyEx(m.astype(np.uint8), cv2.MORPH_OPEN, brush) for m in masks)
    return sum(int(one.sum()) for one in opened)


def _rounded(change: Harmonization) -> dict[str, Any]:
    shift: NDArray[np.float32] = change.shift
    return {
        "shift": [round(float(x), 2) for x in shift],
        "contrast": round(change.contrast, 3),
        "lift": round(change.lift, 2),
        "blur": round(change.blur, 2),
        "noise": round(change.noise, 2),
    }
