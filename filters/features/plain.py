"""Figures that filters.quality.checks compares with limits, and that no trained model sees: a new
one changes no descriptor.

Of removals, additions and swaps they say what a fill keeps of the object, and whether it has the
gradients that other frames show there: a smear takes them away in one direction, or in all. Of
styles, whether what moves in the footage moves, and what became of its colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.features.artefacts import TONES, tones
from filters.features.evidence import LEAST_PIXELS, TINY, HiddenBackground, carried, grey
from filters.features.registration import moved

SAME = 6 / 255
"""Mean difference of colours, 0–1, up to which an object's pixel is the footage's own: of nine
untouched sides of footage that may be tuned on, stored by the codec, all such pixels were."""

MOVES = 5 / 255
"""Change of luma from frame to frame, 0–1, averaged over 5×5 px, from which a place of the footage
moves: twice what grain and codec change there."""

LEAST_MOVING = 0.01
"""Share of the edited region that must move in a step for it to be looked at."""

STANDS = 0.12
"""Share of the footage's change, where that moves, below which the made side stands still."""

PEAK, PEAK_AROUND = 2, 16
"""Levels of 255 to both sides over which a channel's histogram is averaged: a tone with the codec's
noise, and half of what lies between four tones."""

LEAST_PEAK = 2.0
"""How often what is around must fit into a peak: pictures, paintings too, have hardly any then."""

EMPTY_OR_FULL = 6
"""Levels of 255 at both ends of a channel that are left out: any picture may be cut off there."""

SLOW = 4
"""Frames in which slow motion moves too."""

Colours = NDArray[np.float32]
"""[T, h, w, 3], 0–1."""

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Gradients:
    """What other frames show of the gradients in a hole: `near` [T, h, w, 2], from the frame
    nearest in time that shows the place and all beside it, and `where` [T, h, w] that is known."""

    near: NDArray[np.float32]
    where: NDArray[np.bool_]

    @classmethod
    def of(cls, background: HiddenBackground) -> Gradients:
        """Carried themselves instead of taken from carried colours, which have seams where one
        frame's end and another's begin."""
        known = _gradients(np.where(background.free, grey(background.real), np.nan))
        padded = np.concatenate([known, known[..., :1]], -1)  # as colours are carried: by threes
        earlier, age = carried(padded)
        later, until = (each[::-1] for each in carried(padded[::-1]))
        first = np.nan_to_num(age, nan=1e9) <= np.nan_to_num(until, nan=1e9)
        near = np.where(first[..., None], earlier, later)[..., :2]
        inner = [cv2.erode(m.astype(np.uint8), np.ones((3, 3), np.uint8)) for m in background.hole]
        return cls(near, (np.stack(inner) > 0) & np.isfinite(near[..., 0]))


def fill_figures(
    background: HiddenBackground, gradients: Gradients, made: Colours
) -> dict[str, float]:
    """Of the made side [T, h, w, 3] in a hole; none where other frames show too little of it.

    - `kept`: share of the object's pixels that are still the footage's own, and unlike what it
      hides
    - `flattened`: log of the gradients' size over what other frames show of them, in the direction
      in which most is lost
    """
    if background.control is None:
        return {}
    after = moved(made, background.warps, background.size)
    out = {"flattened": _flattened(gradients, after)}
    marked = background.marked
    if marked.sum() >= LEAST_PIXELS:
        to_object = np.nan_to_num(grey(np.abs(after - background.real)))
        limit = np.minimum(SAME, 0.5 * background.shown.near_error(after))
        out["kept"] = float((marked & (to_object < limit)).sum() / marked.sum())
    return out


def style_figures(real: Colours, made: Colours, inside: Plane | None) -> dict[str, float]:
    """Of sides [T, h, w, 3] and a mask [T, h, w], all 0–1, or None for the whole picture.

    - `still`: share of the steps, of one frame or of SLOW, whichever is more, in which what moves
      in the footage stands still on the made side
    - `smoothed`: log of the gradients over the footage's, as they are or each over its side's
      contrast, whichever is greater, in the direction in which most is lost
    - `garish`: share of the pixels with one channel full and another empty, less the footage's
    - `tones`: entropy, nats, of the channel with the fewest tones, less the footage's
    - `banded`: share of the tones in peaks of the channels' histograms, less the footage's
    - `colourful`: saturation, 0–1, that a tenth of the region exceeds, in the sixth of the frames
      with the least
    """
    weight = np.ones(made.shape[:3], np.float32) if inside is None else inside
    few = slice(None, None, 2)  # what does not depend on time
    before, after = (tones(side[few], weight[few]) for side in (real, made))
    change = dict(zip(TONES, after - before, strict=True))
    red, green, blue = made[..., 0], made[..., 1], made[..., 2]  # tenfold faster than .max(-1)
    highest = np.maximum(np.maximum(red, green), blue)
    spread = highest - np.minimum(np.minimum(red, green), blue)
    saturation = [
        float(np.quantile(s[w > 0.5], 0.9))
        for s, w in zip(spread, weight, strict=True)
        if (w > 0.5).sum() >= LEAST_PIXELS
    ]
    least = np.sort(saturation)[: max(1, len(saturation) // 6)]
    return {
        "still": max(
            _still(real[::step], made[::step], weight[::step] > 0.5) for step in (1, SLOW)
        ),
        "smoothed": _smoothed(real, made, weight > 0.9),
        "garish": float(change["garish"]),
        "tones": float(change["fewest"]),
        "banded": _banded(made, weight > 0.5) - _banded(real, weight > 0.5),
        "colourful": float(least.mean()) if len(least) else 1.0,
    }


def _banded(side: Colours, where: NDArray[np.bool_]) -> float:
    """Share of the tones that lies in peaks, mean over the channels."""
    shares = []
    for channel in range(3):
        levels = np.rint(255 * side[..., channel][where]).astype(int)
        histogram = np.bincount(levels, minlength=256) / max(1, len(levels))
        peak, around = (
            cv2.blur(histogram[None], (2 * reach + 1, 1), borderType=cv2.BORDER_REFLECT)[0]
            for reach in (PEAK, PEAK_AROUND)
        )
        over = np.maximum(peak - LEAST_PEAK * around, 0)
        shares.append(over[EMPTY_OR_FULL:-EMPTY_OR_FULL].sum())
    return float(np.mean(shares))


def _gradients(planes: Plane) -> NDArray[np.float32]:
    """Central differences across and down, [T, h, w, 2]; NaN where a neighbour is missing."""
    out = np.full((*planes.shape, 2), np.nan, np.float32)
    out[:, 1:-1, 1:-1, 0] = (planes[:, 1:-1, 2:] - planes[:, 1:-1, :-2]) / 2
    out[:, 1:-1, 1:-1, 1] = (planes[:, 2:, 1:-1] - planes[:, :-2, 1:-1]) / 2
    across, down = out[..., 0], out[..., 1]
    out[~(np.isfinite(across) & np.isfinite(down))] = np.nan
    return out


def _flattened(gradients: Gradients, made: Colours) -> float:
    """Least generalised eigenvalue of the made side's structure tensor to that of what is shown:
    the direction in which the largest share of the gradients' energy is gone, at any angle."""
    found = _gradients(grey(made))
    where = gradients.where & np.isfinite(found[..., 0])
    if where.sum() < LEAST_PIXELS:
        return 0.0
    return _least_kept(gradients.near[where], found[where])


def _least_kept(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Log of the gradients [N, 2] after over those before, in the direction of the least."""
    old, new = (
        side.T @ side / len(side) + TINY**2 * np.eye(2)
        for side in (before.astype(np.float64), after.astype(np.float64))
    )
    root = np.linalg.inv(np.linalg.cholesky(old))
    return float(0.5 * np.log(np.linalg.eigvalsh(root @ new @ root.T)[0]))


def _smoothed(real: Colours, made: Colours, inside: NDArray[np.bool_]) -> float:
    """A few px within the outline. A style may be dark or pale, and then has less of both gradients
    and contrast (deviation of luma), or lose grain and gain contrast: the greater figure counts."""
    brush = np.ones((7, 7), np.uint8)
    where = np.stack([cv2.erode(m.astype(np.uint8), brush) for m in inside]) > 0
    where[:, [0, -1]] = where[:, :, [0, -1]] = False  # there are no central differences
    if where.sum() < LEAST_PIXELS:
        return 0.0
    before, after = grey(real), grey(made)
    contrasts = [
        np.mean([f[w].std() for f, w in zip(side, where, strict=True) if w.any()]) + TINY
        for side in (before, after)
    ]
    kept = _least_kept(_gradients(before)[where], _gradients(after)[where])
    return float(max(kept, kept - np.log(contrasts[1] / contrasts[0])))


def _still(real: Colours, made: Colours, inside: NDArray[np.bool_]) -> float:
    if len(real) < 2:
        return 0.0
    before, after = (
        np.stack([cv2.blur(step, (5, 5)) for step in np.abs(np.diff(grey(side), axis=0))])
        for side in (real, made)
    )
    both = inside[1:] & inside[:-1]
    moving = both & (before > MOVES)
    counts = moving.sum((1, 2))
    looked_at = (counts >= LEAST_PIXELS) & (counts >= LEAST_MOVING * both.sum((1, 2)))
    still = [
        after[t][moving[t]].mean() < STANDS * before[t][moving[t]].mean()
        for t in np.flatnonzero(looked_at)
    ]
    return float(np.sum(still) / len(before)) if still else 0.0
