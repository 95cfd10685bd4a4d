"""Does what was filled in agree with the frames that show what is there?

Where an object or a hole moves, other frames of the real side show the place that it hides. All
frames are brought to the middle one (filters.features.registration); what a hole hides at a time is
taken from the frames nearest in time, before and after, that show the place. How well that predicts
is measured on this footage itself: the holes are laid over places that are known, and the known is
predicted in the same way. A right fill is predicted as well as the known is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.motion.camera import Transform
from filters.features.registration import moved

LEAST_SHARE = 0.05
"""Share of the hole that other frames must show; below it there is too little to compare."""

LEAST_PIXELS = 40
"""And pixels of all frames, in hole and control alike."""

OUTSIDE = 0.02
"""Mask value, 0–1, below which a pixel is outside: resizing the mask smears its rim."""

TINY = 1.5 / 255
"""Colour 0–1: a difference that may be compression's."""

MARKED = 6 / 255
"""Colour 0–1 by which the real side must depart from the background to be an object there."""

Colours = NDArray[np.float32]
"""[T, h, w, 3], 0–1."""

Plane = NDArray[np.float32]

EVIDENCE_MEASURES = (
    "wrong",  # log: fill's difference from what is nearest in time, over the control's
    "beyond",  # log: how far the fill is outside of all that is shown there, over the control's
    "next",  # log: the same where the next frame or the one before shows the place
    "next_half",  # of the half of the clip where it is greatest
    "beyond_worst",  # of the worst sixth of the frames
    "beyond_cells",  # of the worst tenth of the places
    "left",  # share of the object that is left, by regression of the fill on it: 0 none, 1 all
    "left_most",  # of the frames with most of it
    "left_least",
    "left_places",  # share of the object's pixels nearer to the object than to what it hides
    "left_times",  # share of the frames in which most of the object is left
    "detail",  # log: the fill's fine detail over what is shown there
    "detail_worst",  # of the sixth of the frames with the least
    "detail_along",  # across or down, whichever is less: a smear in one direction
    "spread",  # log: how much the frames before and after differ on what is hidden
    "hidden",  # share of the hole that no other frame shows
    "object",  # log: how far the real side is from what it hides, over the control's
)


class HiddenBackground:
    """What the real side tells of a hole: what lies behind it, and how well that is known.

    `inside` [T, h, w] is the hole, 0–1; `warps` and `size` (width, height) bring the frames of the
    real side [T, h, w, 3], 0–1, to the middle one's place. `control` is None where too little of
    the hole, or of its surroundings, is shown by other frames. `marked` [T, h, w] are the object's
    pixels: those in the hole at which the real side is unlike what other frames show.
    """

    def __init__(
        self, real: Colours, inside: Plane, warps: Sequence[Transform], size: tuple[int, int]
    ) -> None:
        self.warps, self.size = warps, size
        self.real = moved(real, warps, size)
        held = moved(inside, warps, size)
        self.free = held < OUTSIDE  # NaN, beyond the frame, compares as False
        self.hole = held > 0.9
        known = np.where(self.free[..., None], self.real, np.nan)
        self.shown = _Shown(known, self.hole)
        self.marked = self.shown.where & (self.shown.beyond(self.real) > MARKED)
        count = int(self.shown.where.sum())
        share = count / max(1, int(self.hole.sum()))
        self.hidden = 1 - share
        enough = share >= LEAST_SHARE and count >= LEAST_PIXELS
        self.control = _control(known, self.hole, self.free) if enough else None


def evidence(background: HiddenBackground, made: Colours) -> list[float]:
    """EVIDENCE_MEASURES of the made side [T, h, w, 3], 0–1, in a hole. Zeros, but for `hidden`,
    where too little is shown."""
    control, shown = background.control, background.shown
    if control is None:
        nothing = dict.fromkeys(EVIDENCE_MEASURES, 0.0) | {"hidden": background.hidden}
        return list(nothing.values())
    usual_near, usual_next, usual_beyond, usual_detail = control
    after = moved(made, background.warps, background.size)
    wrong, beyond = shown.near_error(after), shown.beyond(after)
    weight = shown.where.astype(np.float32)
    detail = _detail(after, shown)
    return [
        _log(_mean(wrong, weight), usual_near),
        _log(_mean(beyond, weight), usual_beyond),
        _log(_mean(wrong, weight * shown.next), usual_next) if shown.next.any() else 0.0,
        _half(wrong, shown.next, usual_next),
        _log(_worst_frames(beyond, weight), usual_beyond),
        _log(_worst_cells(beyond, weight), usual_beyond),
        *_left(background, after),
        detail[0] - usual_detail[0],
        detail[1] - usual_detail[0],
        detail[2] - usual_detail[2],
        _log(_mean(shown.spread(), weight), usual_near),
        background.hidden,
        _log(_mean(shown.beyond(background.real), weight), usual_beyond),
    ]


class _Shown:
    """What frames before and after show of the places in a hole [T, h, w].

    `earlier`, `later` [T, h, w, 3]: colours of the nearest such frames, NaN where there is none;
    `where` [T, h, w]: in the hole, and shown.
    """

    def __init__(self, known: Colours, hole: NDArray[np.bool_]) -> None:
        self.earlier, age = carried(known)
        later, until = carried(known[::-1])
        self.later, until = later[::-1], until[::-1]
        self.where = hole & (np.isfinite(age) | np.isfinite(until))
        self.next = self.where & ((age == 1) | (until == 1))
        self.first = np.where(np.nan_to_num(age, nan=1e9) <= np.nan_to_num(until, nan=1e9), 0, 1)
        self.near = np.where(self.first[..., None] == 0, self.earlier, self.later)
        low, high = np.fmin(self.earlier, self.later), np.fmax(self.earlier, self.later)
        kernel = np.ones((3, 3), np.uint8)  # registration is off by a pixel at most
        self.low = np.stack([cv2.erode(np.nan_to_num(f, nan=2.0), kernel) for f in low])
        self.high = np.stack([cv2.dilate(np.nan_to_num(f, nan=-2.0), kernel) for f in high])

    def near_error(self, side: Colours) -> Plane:
        return np.asarray(np.nan_to_num(grey(np.abs(side - self.near))), np.float32)

    def beyond(self, side: Colours) -> Plane:
        """How far a side is outside of all that the nearest frames show within a pixel."""
        off = np.maximum(np.maximum(side - self.high, self.low - side), 0)
        return np.asarray(np.nan_to_num(grey(off)), np.float32)

    def spread(self) -> Plane:
        return np.asarray(np.nan_to_num(grey(np.abs(self.earlier - self.later))), np.float32)


def carried(known: Colours) -> tuple[Colours, Plane]:
    """Per time and place the last colour known before it, and how many frames ago."""
    colours, ages = np.full_like(known, np.nan), np.full(known.shape[:3], np.nan, np.float32)
    for t in range(1, len(known)):
        seen = np.isfinite(known[t - 1, ..., 0])
        colours[t] = np.where(seen[..., None], known[t - 1], colours[t - 1])
        ages[t] = np.where(seen, 1, ages[t - 1] + 1)
    return colours, ages


def _control(
    known: Colours, hole: NDArray[np.bool_], free: NDArray[np.bool_]
) -> tuple[float, float, float, NDArray[np.float64]] | None:
    """Errors of the prediction of known places, under holes of the same shapes and motion laid
    beside the real ones: mean difference, the same one frame away, mean beyond, and
    `_detail`. None if there are none."""
    areas = hole.sum((1, 2))
    step = max(4, int(0.8 * np.sqrt(areas[areas > 0].mean())))
    near, near_next, beyond, detail, pixels, pixels_next = 0.0, 0.0, 0.0, [], 0.0, 0.0
    for dy, dx in ((0, step), (0, -step), (step, 0), (-step, 0)):
        other = _shifted(hole, dy, dx)
        hidden = np.where(other[..., None], np.nan, known)
        shown = _Shown(hidden, other & free)
        weight = shown.where.astype(np.float32)
        total = float(weight.sum())
        if total < LEAST_PIXELS:
            continue
        error = shown.near_error(known) * weight
        near += float(error.sum())
        near_next += float((error * shown.next).sum())
        pixels_next += float(shown.next.sum())
        beyond += float((shown.beyond(known) * weight).sum())
        detail.append(_detail(known, shown))
        pixels += total
    if not pixels:
        return None
    return (
        near / pixels,
        near_next / max(1.0, pixels_next),
        beyond / pixels,
        np.mean(detail, axis=0),
    )


def _shifted(mask: NDArray[np.bool_], dy: int, dx: int) -> NDArray[np.bool_]:
    out = np.zeros_like(mask)
    height, width = mask.shape[1:]
    to_y, to_x = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
    of_y, of_x = slice(max(0, -dy), height + min(0, -dy)), slice(max(0, -dx), width + min(0, -dx))
    out[:, to_y, to_x] = mask[:, of_y, of_x]
    return out


def _left(background: HiddenBackground, after: Colours) -> list[float]:
    """How much of the object is left: the fill as background plus a share of the object."""
    before, shown, marked = background.real, background.shown, background.marked
    full = np.nan_to_num(before - shown.near)
    rest = np.nan_to_num(after - shown.near)
    if marked.sum() < LEAST_PIXELS:
        return [0.0] * 5
    power = 3 * grey(full**2) * marked
    common = 3 * grey(full * rest) * marked
    whole = float(common.sum() / (power.sum() + 1e-6))
    counts = marked.sum((1, 2))
    frames = counts > max(4, 0.2 * counts.max())
    shares = common.sum((1, 2))[frames] / (power.sum((1, 2))[frames] + 1e-6)
    few = max(1, len(shares) // 6)
    ordered = np.sort(shares)
    to_object = np.nan_to_num(grey(np.abs(after - before)))
    to_background = shown.near_error(after)
    nearer = marked & (to_object < 0.5 * to_background)
    return [
        whole,
        float(ordered[-few:].mean()),
        float(ordered[:few].mean()),
        float(nearer.sum() / marked.sum()),
        float((shares > 0.5).mean()),
    ]


def _detail(side: Colours, shown: _Shown) -> tuple[float, float, float]:
    """Log of the side's fine detail over that of what is shown: of all, of the worst frames, and
    across or down, whichever is less."""
    kernel = np.ones((3, 3), np.uint8)
    where = np.stack([cv2.erode(m.astype(np.uint8), kernel) for m in shown.where]) > 0
    across, down = (
        (np.abs(_second(grey(side), axis)), np.abs(_second(grey(shown.near), axis)))
        for axis in (2, 1)
    )
    where &= np.isfinite(across[0] + across[1] + down[0] + down[1])
    if where.sum() < LEAST_PIXELS:
        return 0.0, 0.0, 0.0
    fine, there = (a + b for a, b in zip(across, down, strict=True))
    whole = _log(float(fine[where].mean()), float(there[where].mean()))
    per_frame = [
        _log(float(a[m].mean()), float(b[m].mean()))
        for a, b, m in zip(fine, there, where, strict=True)
        if m.sum() >= 12
    ]
    least = np.sort(per_frame)[: max(1, len(per_frame) // 6)] if per_frame else [whole]
    along = (_log(float(a[where].mean()), float(b[where].mean())) for a, b in (across, down))
    return whole, float(np.mean(least)), min(along)


def _second(planes: Plane, axis: int) -> Plane:
    """Second difference along an axis of [T, h, w], NaN at its ends."""
    out = np.full_like(planes, np.nan)
    inner = np.diff(planes, 2, axis=axis)
    if axis == 2:
        out[:, :, 1:-1] = inner
    else:
        out[:, 1:-1] = inner
    return out


def _half(plane: Plane, where: NDArray[np.bool_], usual: float) -> float:
    """Log of the mean over `where`, in the half of the clip where it is greatest, over `usual`."""
    sums, counts = (plane * where).sum((1, 2)), where.sum((1, 2))
    length = max(1, len(plane) // 2)
    means = [
        float(sums[t : t + length].sum() / counts[t : t + length].sum())
        for t in range(len(plane) - length + 1)
        if counts[t : t + length].sum() >= LEAST_PIXELS
    ]
    return _log(max(means), usual) if means else 0.0


def _mean(plane: Plane, weight: Plane) -> float:
    return float((plane * weight).sum() / (weight.sum() + 1e-6))


def _worst_frames(plane: Plane, weight: Plane) -> float:
    """Mean of the greatest sixth of the frames that show enough."""
    counts = weight.sum((1, 2))
    per_frame = (plane * weight).sum((1, 2)) / (counts + 1e-6)
    values = np.sort(per_frame[counts > max(4, 0.2 * counts.max())])
    return float(values[-max(1, len(values) // 6) :].mean())


def grey(colours: Colours) -> Plane:
    """Mean of the three channels; several times faster than numpy's along the last axis."""
    return np.asarray((colours[..., 0] + colours[..., 1] + colours[..., 2]) / 3, np.float32)


def _worst_cells(plane: Plane, weight: Plane, cells: tuple[int, int] = (12, 9)) -> float:
    """Mean of the worst tenth of cells of the picture, over all frames."""
    area = cv2.INTER_AREA
    held = np.stack([cv2.resize(w, cells, interpolation=area) for w in weight])
    value = np.stack([cv2.resize(p, cells, interpolation=area) for p in plane * weight])
    full = held > 0.25 * held.max()
    values = np.sort(value[full] / held[full])
    return float(values[-max(1, len(values) // 10) :].mean())


def _log(a: float, b: float) -> float:
    return float(np.log((a + TINY) / (b + TINY)))
