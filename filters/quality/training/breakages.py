"""Edits broken on purpose, in the ways experts fail: training data whose truth is known.

Each breakage takes (real, made, mask, rng, strength) and returns a broken copy of the made side:
frames uint8 [T, h, w, 3] of one size on both sides, mask bool [T, h, w] or None for the whole
frame, `strength` 0 (mild, but visible) to 1. Only what the breakage names is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_] | None
ALIKE = 0.4
"""Correlation of luma from which two sides show the same thing: a choice."""

Breakage = Callable[[Frames, Frames, Mask, np.random.Generator, float], Frames]


def ghosting(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The real side shines through; without a mask, the previous frames do, displaced.

    Where both sides share their structure, as a recoloured object does, a ghost in place is only a
    weaker edit, which nobody rejects: it is displaced. A removed object may also return in place.
    """
    alpha = 0.4 + 0.15 * strength
    shift = _shift_by(made, rng, 0.03 + 0.05 * strength)
    if mask is None:
        lag = int(rng.integers(1, 3))
        ghost = np.stack([_shifted(f, shift) for f in np.concatenate([made[lag:], made[-lag:]])])
    elif rng.random() < 0.5 and _likeness(real, made, mask) < ALIKE:
        ghost = real
    else:
        ghost = np.stack([_shifted(f, shift) for f in real])
    return _blend(made, ghost, alpha * _soft(mask, made))


def residue(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """Parts of the real side remain: its rim, continued into the region, as where a mask was too
    small for its object; or pieces of it, sharp or blurred."""
    if mask is not None and rng.random() < 0.5:
        return _blend(made, _filled_from_rim(real, mask, 0.08 + 0.08 * strength), _soft(mask, made))
    within = np.ones(made.shape[1:3], bool) if mask is None else mask.any(0)
    ys, xs = np.nonzero(within)
    box = slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)
    pieces = np.zeros(within.shape, np.float32)
    pieces[box] = _blob(pieces[box].shape, rng, 0.3 + 0.3 * strength, (int(rng.integers(3, 8)), 6))
    rest = real
    if rng.random() < 0.5:
        sigma = max(1.0, _extent(mask, made) / 12)
        rest = np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in real])
    return _blend(made, rest, _soft(mask, made) * pieces)


def smear(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The made region is blurred, evenly or in one direction."""
    size = _extent(mask, made)
    length = max(9, int(size * (0.25 + 0.25 * strength))) | 1
    if rng.random() < 0.5:
        kernel = cv2.getGaussianKernel(length, length / 4)
        blurred = np.stack([cv2.sepFilter2D(f, -1, kernel, kernel) for f in made])
    else:
        line = np.zeros((length, length), np.float32)
        if rng.random() < 0.5:
            line[length // 2] = 1 / length
        else:
            line[:, length // 2] = 1 / length
        blurred = np.stack([cv2.filter2D(f, -1, line) for f in made])
    return _blend(made, blurred, _soft(mask, made))


def wrong_mask(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The edit is displaced: the result lies beside its place, which itself is untouched.

    Without a mask: a part of the frame that the edit never reached.
    """
    if mask is None:
        spot = _blob(made.shape[1:3], rng, 0.35 + 0.25 * strength)
        return _blend(made, real, np.broadcast_to(spot, made.shape[:3]))
    size = _extent(mask, made)
    step = max(4, int(size * (0.35 + 0.4 * strength)))
    angle = rng.uniform(0, 2 * np.pi)
    shift = round(step * np.cos(angle)), round(step * np.sin(angle))
    elsewhere = np.stack([_shifted(m.astype(np.uint8), shift) for m in mask]) > 0
    patch = np.stack([_shifted(f, shift) for f in made])
    where = _soft(elsewhere, made)
    return _blend(_blend(made, real, _soft(mask, made)), patch, where)


def flicker(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The edit jumps from frame to frame: in brightness and tint, or it comes and goes."""
    weight = _soft(mask, made)
    frames = len(made)
    if rng.random() < 0.5:
        gains = 1 + (0.12 + 0.25 * strength) * rng.uniform(-1, 1, (frames, 1, 1, 3))
        gains += (0.1 + 0.2 * strength) * rng.choice([-1, 1], (frames, 1, 1, 1))
        jumping = np.clip(made * gains, 0, 255).astype(np.uint8)
        return _blend(made, jumping, weight)
    off = rng.random(frames) < 0.3 + 0.2 * strength
    off[rng.integers(1, frames - 1)] = True
    off[rng.integers(0, frames, 2)] = [False, True]
    return _blend(made, real, weight * off[:, None, None])


def half_done(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The edit stops midway through the clip, or covers only one half of its region."""
    frames, height, width = made.shape[:3]
    undone = np.zeros((frames, height, width), np.float32)
    share = 0.35 + 0.3 * strength
    if rng.random() < 0.5:
        count = max(2, round(share * frames))
        if rng.random() < 0.5:
            undone[-count:] = 1
        else:
            undone[:count] = 1
    else:
        axis, low = int(rng.integers(2)), bool(rng.integers(2))
        for t in range(frames):
            where = np.ones((height, width), bool) if mask is None else mask[t]
            if where.any():
                undone[t] = _half(where, axis, low, share)
    return _blend(made, real, _soft(mask, made) * undone)


def frozen(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The made region, or now and then the whole made side, is static from some frame on, while
    the footage moves; or it only moves every few frames."""
    frames = len(made)
    if rng.random() < 0.25:
        held = int(rng.integers(3, 6))
        order = np.arange(frames) // held * held
    else:
        order = np.minimum(np.arange(frames), round((0.5 - 0.5 * strength) * frames))
    stopped = made[order]
    return stopped if rng.random() < 0.2 else _blend(made, stopped, _soft(mask, made))


def untouched(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """Nothing was done, or next to nothing."""
    if rng.random() < 0.5:
        return real
    return _blend(made, real, (0.7 + 0.2 * strength) * _soft(mask, made))


def blank(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The region is black, white, or one flat colour, in all frames or in the later ones."""
    where = np.ones(made.shape[:3], bool) if mask is None else mask
    kind = rng.random()
    if kind < 0.5:
        colour = np.full(3, 12 * (1 - strength))
    elif kind < 0.6:
        colour = np.full(3, 255.0)
    else:
        colour = made[where].mean(0) if where.any() else np.full(3, 128.0)
    flat = np.broadcast_to(np.rint(colour).astype(np.uint8), made.shape)
    weight = _soft(mask, made)
    if rng.random() < 0.3:
        weight[: len(made) // 2] = 0
    return _blend(made, np.ascontiguousarray(flat), weight)


def inpainted(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """The hole is closed from its rim, each frame by itself (Telea 2004); without one, a smear."""
    if mask is None:
        return smear(real, made, mask, rng, strength)
    grown = np.stack([cv2.dilate(m.astype(np.uint8), np.ones((3, 3), np.uint8)) for m in mask]) > 0
    fill = _closed(real, grown)
    return _blend(made, fill, _soft(mask, made))


def colour_collapse(
    real: Frames, made: Frames, mask: Mask, rng: np.random.Generator, strength: float
) -> Frames:
    """Colours break down: posterised, burnt out, or blocks of noise."""
    kind = int(rng.integers(3))
    if kind == 0:
        step = int(64 + 48 * strength)
        broken = (made // step * step + step // 2).clip(0, 255).astype(np.uint8)
    elif kind == 1:
        gain = 2.5 + 2.0 * strength
        broken = np.clip((made.astype(np.float32) - 128) * gain + 150, 0, 255).astype(np.uint8)
    else:
        broken = _blocks(made, mask, rng, strength)
    return _blend(made, broken, _soft(mask, made))


BREAKAGES: Mapping[str, Breakage] = {
    "ghosting": ghosting,
    "residue": residue,
    "smear": smear,
    "wrong_mask": wrong_mask,
    "flicker": flicker,
    "half_done": half_done,
    "frozen": frozen,
    "untouched": untouched,
    "blank": blank,
    "inpainted": inpainted,
    "colour_collapse": colour_collapse,
}


def _likeness(real: Frames, made: Frames, mask: NDArray[np.bool_]) -> float:
    """Correlation of the sides' luma inside the mask, −1…1."""
    a, b = (side[mask].mean(-1) for side in (real, made))
    together = ((a - a.mean()) * (b - b.mean())).mean() if len(a) else 0.0
    return float(together / (a.std() * b.std() + 1e-3)) if len(a) else 0.0


def _blend(under: Frames, over: Frames, weight: NDArray) -> Frames:
    w = np.asarray(weight, np.float32)[..., None]
    mixed = np.rint(under + w * (over.astype(np.float32) - under)).astype(np.uint8)
    return np.where(w > 0, mixed, under)


def _soft(mask: Mask, frames: Frames) -> NDArray[np.float32]:
    """The mask with a soft inner edge, [T, h, w] 0–1; ones without a mask."""
    if mask is None:
        return np.ones(frames.shape[:3], np.float32)
    return np.stack([cv2.blur(m.astype(np.float32), (3, 3)) * m for m in mask])


def _extent(mask: Mask, frames: Frames) -> float:
    """Side, px, of a square as large as the region is on average."""
    if mask is None:
        return float(min(frames.shape[1:3])) / 4
    areas = mask.sum(axis=(1, 2))
    return float(np.sqrt(areas[areas > 0].mean())) if areas.any() else 1.0


def _shift_by(frames: Frames, rng: np.random.Generator, share: float) -> tuple[int, int]:
    step = max(2, round(share * frames.shape[2]))
    return int(rng.choice([-1, 1])) * step, int(rng.integers(-step, step + 1))


def _shifted(image: NDArray[np.uint8], shift: tuple[int, int]) -> NDArray[np.uint8]:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
    size = image.shape[1], image.shape[0]
    edge = cv2.BORDER_CONSTANT if image.ndim == 2 else cv2.BORDER_REFLECT
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_NEAREST, borderMode=edge)


def _blob(
    size: tuple[int, ...], rng: np.random.Generator, share: float, cells: tuple[int, int] = (3, 4)
) -> NDArray[np.float32]:
    """A smooth random region, of `cells` down and across, that covers about `share` of `size`."""
    coarse = rng.standard_normal(cells).astype(np.float32)
    field = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return (field > np.quantile(field, 1 - share)).astype(np.float32)


def _filled_from_rim(real: Frames, mask: NDArray[np.bool_], share: float) -> Frames:
    """The real side with the masks' inside inpainted from a rim of `share` of the extent."""
    rim = 2 * max(1, round(share * _extent(mask, real))) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim))
    return _closed(real, np.stack([cv2.erode(m.astype(np.uint8), brush) for m in mask]) > 0)


def _closed(real: Frames, mask: NDArray[np.bool_]) -> Frames:
    """Inpainted frame by frame at half the size: such a fill is soft anyway, and this is quick."""
    half = real.shape[2] // 2, real.shape[1] // 2
    out = []
    for frame, where in zip(real, mask, strict=True):
        small = cv2.resize(where.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST)
        fill = cv2.inpaint(cv2.resize(frame, half), small, 3, cv2.INPAINT_TELEA)
        fill = cv2.resize(fill, real.shape[2:0:-1], interpolation=cv2.INTER_CUBIC)
        out.append(np.where(where[..., None], fill, frame))
    return np.stack(out)


def _half(where: NDArray[np.bool_], axis: int, low: bool, share: float) -> NDArray[np.float32]:
    """The lower or upper `share` of a region along an axis."""
    positions = np.nonzero(where)[axis]
    ramp = np.arange(where.shape[axis])
    cut = np.quantile(positions, share if low else 1 - share)
    line = ramp <= cut if low else ramp >= cut
    shape = (-1, 1) if axis == 0 else (1, -1)
    return (where & line.reshape(shape)).astype(np.float32)


def _blocks(made: Frames, mask: Mask, rng: np.random.Generator, strength: float) -> Frames:
    """Some square blocks of the region have flat, wrong colours, as after a numeric overflow."""
    height, width = made.shape[1:3]
    side = max(4, int(_extent(mask, made) / 4))
    grid = -(-height // side), -(-width // side)
    broken = made.copy()
    for frame in broken:
        hit = rng.random(grid) < 0.25 + 0.4 * strength
        colours = rng.integers(0, 2, (*grid, 3)).astype(np.uint8) * 255
        large = np.repeat(np.repeat(hit, side, 0), side, 1)[:height, :width]
        fill = np.repeat(np.repeat(colours, side, 0), side, 1)[:height, :width]
        frame[large] = fill[large]
    return broken
