"""Object removal by video completion: what other frames show behind the object takes its place.

In two passes, as in flow-based video completion (Xu et al., CVPR 2019; Gao et al., ECCV 2020), but
from the pixels themselves rather than their gradients. The first pass follows the background's flow
as completed behind the object and fills the hole coarsely, only to measure the flow again on filled
frames, which corrects it where the background has depth. In the second pass several candidates,
made from the original frames (see `candidates`), say what each hidden pixel looks like. How much of
each goes into a place is learned from known pixels hidden on purpose beside the hole (see
`held_out`, `stacking`); so is `fill_error`, how far off the fill is expected to be. What no frame
shows is inpainted (MI-GAN). The object's shadow, where one is found, is removed with it.

Only the part of the picture that a removal needs is looked at (see `view`). 33 frames of 592×336
with a tenth hidden take 8–14 s of one core, spread over `threads`; flows hold up to 10 MB a frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from catalog.media.image import Transparent
from experts.annotate.motion.camera import Transform, camera_path
from experts.annotate.motion.still_background import EVERY, shows_object
from experts.base import EditRequest, EditResult, Frames, Masks
from experts.edit.remover.background_flow import camera_flow, camera_steps
from experts.edit.remover.fills.gather import disc
from experts.edit.remover.fills.migan import Migan
from experts.edit.remover.fills.stacked_fill import EXACT, decibels
from experts.edit.remover.occlusion import OccludedObject, occluded_objects, restore_occluded
from experts.edit.remover.settings import RemoverSettings
from experts.edit.remover.two_passes import FillMasks, TwoPassFill, fill_in_two_passes
from experts.edit.remover.view import view_of
from experts.edit.settings import version_with
from experts.licences import of_weights
from experts.threads import per_call
from experts.weights import entry

SHARES = ("by_flow", "by_median", "by_migan", "by_others", "by_telea", "shadow")


@dataclass(frozen=True, slots=True)
class TemporalContext:
    """A longer window of the footage, `frames` and `masks` as a request's; the request's own frames
    are those from `first` on."""

    frames: Frames
    masks: Masks
    first: int


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """Frames without an object: `holes` is where they were filled, `inpainted` where with what no
    frame shows, both [T, H, W]; `error` is the fill's expected squared error, gray² [T, H, W], 0
    where nothing was filled; `info` is the expert's."""

    frames: Frames
    holes: Masks
    inpainted: Masks
    error: NDArray[np.float32]
    info: dict[str, float]


class Remover:
    """Fills along the optical flow from other frames, and by MI-GAN where none shows the place.

    `params`: `others`, the masks [T, H, W] of objects that stay; one that the removed object
    occludes is restored (see `occlusion`). `context`, a :class:`TemporalContext` whose frames are
    sampled, too, since longer footage shows more of the background; `others` are then masks of the
    context's frames. `background`, RGBA [H, W, 4] of the frames' size, is what stands still behind
    all that moves, transparent where that is not known: of a camera that stands, and from more of
    its shot than these frames. One that shows the object itself is not used.

    `info`: shares of the changed pixels, which add up to 1: `by_flow` from frames between which the
    background moved, `by_median` from frames in which it was static or from `background`,
    `by_migan` inpainted,
    `by_others` restored objects, `by_telea` specks left over. `shadow` is the share that is the
    object's shadow, `dilation_px` how far both were grown. `fill_error` is how far off the fill is
    expected to be within the hole, in dB: 20·log10(RMSE / 255), so −40 is excellent and −15 bad.

    `threads`: frames filled at once, and MI-GAN's; by default the process's number
    (`experts.threads`). `settings`: :class:`RemoverSettings`; others make another `version`.
    """

    name = "remover-flow"
    slots = ("migan",)
    output_licence = of_weights(*slots)

    def __init__(self, threads: int | None = None, settings: RemoverSettings | None = None) -> None:
        self.threads = threads
        self.settings = settings or RemoverSettings()
        self.version = version_with(f"10+{entry('migan').sha256[:8]}", self.settings)
        self._migan = Migan(threads)

    @property
    def _threads(self) -> int:
        return self.threads or per_call()

    def load(self) -> None:
        """Open MI-GAN's weights."""
        self._migan.load()

    def close(self) -> None:
        """Free them."""
        self._migan.close()

    def edit(self, request: EditRequest) -> EditResult:
        """The request's frames without what its masks cover; identical outside `result.masks`.

        Raises as `remove` does.
        """
        removal = self.remove(request)
        return EditResult(removal.frames, removal.holes, removal.info)

    def remove(self, request: EditRequest, keep_shadow: bool = False) -> RemovalResult:
        """The same, and which pixels were inpainted, for an expert that covers some of them; with
        `keep_shadow` the shadow stays, for another object to cast it.

        Raises BadInput: `no_mask`, `mask_mismatch` (they do not fit the frames), `no_background`
        (they cover every pixel of every frame).
        """
        own, context = slice(len(request.frames)), request.params.get("context")
        if context is not None:
            own = slice(context.first, context.first + len(request.frames))
            request = dataclasses.replace(request, frames=context.frames, masks=context.masks)
        frames, masks = request.frames, _checked(request)
        radius = max(1, round(self.settings.dilation * max(masks.shape[1:])))
        holes = dilated(masks, radius)
        if holes.all():
            raise BadInput(
                "no_background",
                "masks: they cover every pixel of every frame; removal needs some background",
            )
        info = dict.fromkeys(SHARES, 0.0) | {"fill_error": EXACT, "dilation_px": radius}
        if not holes.any():
            blank = holes[own]
            error = np.zeros(blank.shape, np.float32)
            return RemovalResult(frames[own].copy(), blank, blank, error, info)

        others = [np.asarray(m, bool) for m in request.params.get("others", ())]
        occluded = _occluded(frames, holes, others)
        # where an occluded object is, no background is to be seen either
        excluded = np.logical_or.reduce(
            [dilated(one.masks, radius) for one in occluded] or [holes & False]
        )
        beside = np.logical_or.reduce([holes & False, *others])  # these stay as they are
        steps = camera_steps(frames, holes | excluded)
        shadow = np.zeros_like(holes)
        if not keep_shadow:
            shadow = self.settings.shadow.detect(  # the whole picture's flow is freed with it
                frames, holes, camera_flow(steps, frames.shape[1:3]), dilated(beside, radius)
            )
        holes |= dilated(shadow, radius)
        rim = dilated(holes, self.settings.feather_px)
        places = FillMasks(
            holes, excluded, rim, _only(own, holes), _only(own, holes | rim & ~beside)
        )
        background = request.params.get("background")
        if background is not None and shows_object(background, frames[::EVERY], masks[::EVERY]):
            background = None
        fill = self._fill(frames, places, steps, background)
        filled, visible, inpainted, error = fill.frames, fill.visible, fill.inpainted, fill.error
        restored = restore_occluded(filled, frames, places.wanted, occluded)
        filled, holes, shadow, rim = filled[own], holes[own], shadow[own], rim[own]
        visible, restored, inpainted = visible[own], restored[own], inpainted[own]
        visible, inpainted = visible & ~restored, inpainted & ~restored
        _feather(filled, frames[own], rim, self.settings.feather_px)

        info["fill_error"] = round(decibels(float(error[own][holes].mean())), 2)
        shares = {
            "shadow": shadow,
            "by_median": fill.static[own] * visible,
            "by_flow": (1 - fill.static[own]) * visible,
            "by_migan": inpainted,
            "by_others": restored,
            "by_telea": holes & ~visible & ~inpainted & ~restored,
        }
        area = max(1, int(holes.sum()))
        info |= {name: float(part.sum()) / area for name, part in shares.items()}
        return RemovalResult(filled, places.wide[own], inpainted, error[own], info)

    def _fill(
        self,
        frames: Frames,
        places: FillMasks,
        steps: Sequence[Transform],
        background: Transparent | None,
    ) -> TwoPassFill:
        """The holes of `places` filled, by what the part of the picture that this needs shows."""
        view = view_of(places.holes, steps)

        def paint(t: int, part: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
            picture = view.placed(part, frames[t])
            open_part = view.placed(hole, places.holes[t] & False)
            return view.of(self._migan.paint(picture, open_part)[None])[0]  # sees all around it

        return fill_in_two_passes(
            view.of(frames),
            places.within(view),
            view.steps(steps),
            None if background is None else view.of(background[None])[0],
            paint,
            self.settings,
            self._threads,
        ).placed(view, frames)


def _only(own: slice, masks: Masks) -> Masks:
    """`masks` [T, H, W] of these frames; nothing in the others."""
    kept = np.zeros_like(masks)
    kept[own] = masks[own]
    return kept


def _occluded(frames: Frames, holes: Masks, others: list[Masks]) -> list[OccludedObject]:
    if not others:
        return []
    camera = camera_path(frames, np.logical_or.reduce([holes, *others])).astype(np.float64)
    return occluded_objects(others, holes, camera)


def dilated(masks: Masks, radius: int) -> Masks:
    """`masks` [T, H, W] grown by a disc of `radius` px."""
    kernel = disc(radius)
    return np.stack([cv2.dilate(m.astype(np.uint8), kernel) > 0 for m in masks])


def _feather(filled: Frames, frames: Frames, holes: Masks, width: int) -> None:
    """Fades what is `filled` into `frames` over the outer `width` px of `holes`, in place."""
    for t in np.flatnonzero(holes.any(axis=(1, 2))):
        deep = cv2.distanceTransform(holes[t].astype(np.uint8), cv2.DIST_L2, 5)
        rim = holes[t] & (deep <= width)
        weight = (deep[rim] / (width + 1))[:, None]
        mixed = frames[t][rim] + weight * (filled[t][rim].astype(np.float32) - frames[t][rim])
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
