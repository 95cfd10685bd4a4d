"""Both passes over the part of the picture that a removal looks at (see `remover`, `view`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from catalog.media.image import Transparent
from experts.annotate.motion.camera import Transform
from experts.base import Frames, Masks
from experts.edit.remover.background_flow import (
    MeasuredFlow,
    camera_flow,
    measure,
    measure_again,
)
from experts.edit.remover.fills.along_flows import coarse_fill, fill_along_flows
from experts.edit.remover.fills.stacked_fill import StackedFill
from experts.edit.remover.never_visible import Inpaint, fill_never_visible
from experts.edit.remover.settings import RemoverSettings
from experts.edit.remover.view import View


@dataclass(frozen=True, slots=True)
class FillMasks:
    """Masks [T, H, W]: the `holes`; what is `excluded` beside them, since it hides background, too;
    the holes with their `rim`; the holes that are `wanted`, and how `wide` those are filled."""

    holes: Masks
    excluded: Masks
    rim: Masks
    wanted: Masks
    wide: Masks

    def within(self, view: View) -> FillMasks:
        """Of this part of the picture."""
        return FillMasks(*(view.of(getattr(self, each.name)) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class TwoPassFill:
    """Filled `frames` [T, H, W, 3], and of each pixel [T, H, W] whether another frame shows it
    (`visible`), whether it is `inpainted`, its expected squared `error`, gray², and the share of
    its colour that comes from where the background is `static`, 0 to 1."""

    frames: Frames
    visible: Masks
    inpainted: Masks
    error: NDArray[np.float32]
    static: NDArray[np.float32]

    def placed(self, view: View, frames: Frames) -> TwoPassFill:
        """The same of all of the picture, whose `frames` [T, H, W, 3] these are a view of."""
        visible, inpainted = np.zeros((2, *frames.shape[:3]), bool)
        error, static = np.zeros((2, *frames.shape[:3]), np.float32)
        whole = TwoPassFill(frames.copy(), visible, inpainted, error, static)
        for each in fields(self):
            view.of(getattr(whole, each.name))[:] = getattr(self, each.name)
        return whole


def fill_in_two_passes(
    frames: Frames,
    masks: FillMasks,
    steps: Sequence[Transform],
    background: Transparent | None,
    inpaint: Inpaint,
    settings: RemoverSettings,
    threads: int,
) -> TwoPassFill:
    """`frames` [T, H, W, 3], whose camera moves by `steps` (T − 1), with their holes filled;
    `background` [H, W, 4] stands still behind them."""
    hidden = masks.holes | masks.excluded
    measured = measure(frames, camera_flow(steps, frames.shape[1:3]))
    coarse, visible = coarse_fill(
        frames,
        masks.holes,
        hidden,
        (measured.completed(hidden), measured.camera),
        settings.coarse_offsets,
        settings.agreement_px,
        threads,
    )
    measured = measure_again(measured, coarse, masks.holes)
    del coarse
    unseen = (masks.holes & ~visible) | masks.excluded
    return _second_pass(frames, masks, measured, unseen, background, inpaint, settings, threads)


def _second_pass(
    frames: Frames,
    masks: FillMasks,
    measured: MeasuredFlow,
    unseen: Masks,
    background: Transparent | None,
    inpaint: Inpaint,
    settings: RemoverSettings,
    threads: int,
) -> TwoPassFill:
    hidden = masks.rim | masks.excluded
    fill = StackedFill(frames, hidden, unseen, measured, threads, settings, background)
    fill.learn(masks.wide)
    filled, visible, static, error = fill.fill(masks.wide)
    visible &= masks.wanted  # the rim shows in its own frame
    # Samples from within the rim are better than inpainting.
    again = masks.wanted & (masks.wanted & ~visible).any(axis=(1, 2), keepdims=True)
    if again.any():
        close, late = fill_along_flows(
            frames,
            again,
            masks.holes | masks.excluded,
            fill.flows,
            settings.offsets,
            settings.agreement_px,
            threads,
        )
        late &= ~visible
        filled[late] = close[late]
        visible |= late
    filled, inpainted = fill_never_visible(
        filled,
        masks.wanted & ~visible,
        fill.flows[0],
        inpaint,
        max_frames=settings.painted_frames,
    )
    return TwoPassFill(filled, visible, inpainted, error, static)
