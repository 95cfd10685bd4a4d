"""The quality bench's cases: right edits of footage, and the same edits broken as an expert may.

A removal's truth is the footage itself: an object is composited onto it, textured by other footage,
with an outline that sways, as `infra/bench/removal/cases.py` does. Nothing here is shared with the
filter's training (`filters/quality/training`), whose objects and breakages are others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from catalog.media import crop_resize, fit_size, probe, read_video
from experts.base import Frames, Masks
from infra.bench.rendered.load import scene

FRAMES = 33  # SPEC: local edits
SIZE = (336, 592)  # SPEC: local edits, (h, w)
MASK_MARGIN = 4  # px around the object's exact support
VISIBLE = 10.0
"""Levels of 255, RMSE over the mask in the worst third of the frames, below which a broken result
counts as right: 28 dB. A frozen fill of what stands still is one."""


@dataclass(frozen=True)
class Shape:
    """How an object looks and moves: its share of the frame, height over width, speed in px a frame
    of a picture 592 px wide, and how far the outline sways."""

    name: str
    area: float
    tall: float
    speed: tuple[float, float]
    sway: float


SHAPES = (
    Shape("large slow", 0.07, 1.7, (4.5, 0.8), 0.15),
    Shape("person", 0.025, 2.6, (5.0, 0.0), 0.08),
    Shape("car", 0.05, 0.5, (9.0, 0.6), 0.04),
    Shape("large standing", 0.10, 1.3, (1.2, 0.4), 0.20),
    Shape("small", 0.012, 1.0, (6.0, -1.5), 0.10),
)


@dataclass(frozen=True)
class Case:
    """Footage without the object (the truth) and with it, uint8 [T, h, w, 3], and the object's mask
    [T, h, w], a little wider than the object, as masks are. `prompt` says what a style asks for."""

    source: str
    name: str
    truth: Frames
    frames: Frames
    masks: Masks
    prompt: str = ""


def windows(path: Path, count: int) -> Iterator[Frames]:
    """`count` windows of FRAMES frames, from equal parts of the video, at SIZE's area or less."""
    info = probe(path)
    total = info.frames or FRAMES
    fitting = max(1, min(count, total // FRAMES))
    for k in range(fitting):
        first = min(k * total // fitting, max(0, total - FRAMES))
        raw = read_video(path, first, FRAMES)
        yield crop_resize(raw, fit_size(raw.shape[2], raw.shape[1], *SIZE))


def composite(
    source: str, footage: Frames, donor: Frames, shape: Shape, rng: np.random.Generator
) -> Case:
    """`shape` textured by the `donor`'s frames moves over the footage, to either side."""
    count, height, width = footage.shape[:3]
    unit = width / 592
    ry = np.sqrt(shape.area * height * width * shape.tall / np.pi)
    rx = ry / shape.tall
    side = float(rng.choice([-1, 1]))
    travel = np.array(shape.speed) * unit * (count - 1)
    x = width / 2 - side * travel[0] / 2 + rng.uniform(-0.15, 0.15) * width
    y = rng.uniform(0.42, 0.62) * height - travel[1] / 2
    ys, xs = np.mgrid[:height, :width]
    cover = np.stack([cv2.resize(f, (width, height)) for f in donor])
    masks, out = np.zeros(footage.shape[:3], bool), footage.copy()
    grow = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MASK_MARGIN + 1,) * 2)
    phase = rng.uniform(0, 6)
    for t in range(count):
        cx = x + side * shape.speed[0] * unit * t
        cy = y + shape.speed[1] * unit * t
        angle = np.arctan2(ys - cy, xs - cx)
        radius = 1 + shape.sway * np.sin(3 * angle + 0.2 * t + phase)
        distance = radius - np.hypot((xs - cx) / rx, (ys - cy) / ry)
        alpha = np.clip(distance * min(rx, ry) / 2 + 0.5, 0, 1)[..., None]
        moved = np.roll(cover[t % len(cover)], (int(cy - height / 2), int(cx - width / 2)), (0, 1))
        out[t] = np.rint(footage[t] * (1 - alpha) + moved * alpha).astype(np.uint8)
        masks[t] = cv2.dilate((alpha[..., 0] > 0).astype(np.uint8), grow) > 0
    return Case(source, shape.name, footage, out, masks)


def rendered_case(name: str) -> Case:
    """A rendered scene (infra/bench/rendered) with and without its object. The mask holds the
    object's shadow and reflection as well: outside of it, both sides show the same."""
    found = scene(name)
    grow = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MASK_MARGIN + 1,) * 2)
    masks = np.stack([cv2.dilate(m.astype(np.uint8), grow) for m in found.affected()]) > 0
    truth = _inside(found.with_object, found.without, masks)
    return Case(name, "rendered", truth, found.with_object, masks)


Broken = Callable[[Frames, Frames, Masks, np.random.Generator], Frames]
"""(real, made, masks, rng) → the made side, broken; uint8 [T, h, w, 3]."""


def _inside(under: Frames, over: Frames, masks: Masks) -> Frames:
    return np.where(masks[..., None], over, under).astype(np.uint8)


def _frozen(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    return _inside(made, np.repeat(made[:1], len(made), 0), masks)


def _frozen_late(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    half = len(made) // 2
    return _inside(made, made[np.minimum(np.arange(len(made)), half)], masks)


def _frozen_frame(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    return np.repeat(made[:1], len(made), 0)


def _untouched(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    return real


def _half_time(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    half = len(made) // 2
    parts = (made[:half], real[half:]) if rng.random() < 0.5 else (real[:half], made[half:])
    return np.concatenate(parts)


def _half_space(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    axis, low = int(rng.integers(1, 3)), bool(rng.integers(2))
    out = made.copy()
    for t, mask in enumerate(masks):
        places = np.nonzero(mask)[axis - 1]
        if not len(places):
            continue
        line = np.arange(mask.shape[axis - 1])
        part = line < np.median(places) if low else line >= np.median(places)
        undone = mask & (part[:, None] if axis == 1 else part[None])
        out[t][undone] = real[t][undone]
    return out


def _black(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    return _inside(made, np.zeros_like(made), masks)


def _smeared(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    sigma = 0.12 * np.sqrt(masks.sum((1, 2)).mean())
    return _inside(made, np.stack([cv2.GaussianBlur(f, (0, 0), sigma) for f in made]), masks)


def _smeared_along(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    length = int(0.5 * np.sqrt(masks.sum((1, 2)).mean())) | 1
    size = (length, 1) if rng.random() < 0.5 else (1, length)
    return _inside(made, np.stack([cv2.blur(f, size) for f in made]), masks)


def _inpainted(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """What Telea's inpainting of every frame by itself leaves of a large hole: a smear."""
    out = []
    for frame, mask in zip(real, masks, strict=True):
        small = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        hole = cv2.resize(mask.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_AREA)
        filled = cv2.inpaint(small, cv2.dilate(hole, np.ones((3, 3))), 3, cv2.INPAINT_TELEA)
        out.append(cv2.resize(filled, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC))
    return _inside(made, np.stack(out), masks)


def _ghost(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    return _inside(made, np.rint(0.55 * made + 0.45 * real).astype(np.uint8), masks)


def _residue(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """The mask was too small: the object's rim stays."""
    width = max(5, int(0.16 * np.sqrt(masks.sum((1, 2)).mean()))) + MASK_MARGIN
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1,) * 2)
    inner = np.stack([cv2.erode(m.astype(np.uint8), brush) for m in masks]) > 0
    return _inside(real, made, inner)


def _flicker(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    gains = 1 + rng.choice([-1, 1], (len(made), 1, 1, 1)) * rng.uniform(
        0.12, 0.3, (len(made), 1, 1, 1)
    )
    return _inside(made, np.clip(made * gains, 0, 255).astype(np.uint8), masks)


def _wrong_place(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    side = int(0.6 * np.sqrt(masks.sum((1, 2)).mean()))
    shift = (0, int(rng.choice([-1, 1])) * side)
    moved = np.roll(masks, shift, (1, 2))
    return _inside(real, np.roll(made, shift, (1, 2)), moved)


def _colours(real: Frames, made: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    if rng.random() < 0.5:
        broken = (made // 86 * 86 + 40).astype(np.uint8)
    else:
        broken = np.clip(made[..., ::-1].astype(np.float32) * 1.8, 0, 255).astype(np.uint8)
    return _inside(made, broken, masks)


BROKEN: Mapping[str, Broken] = {
    "frozen": _frozen,
    "frozen late": _frozen_late,
    "frozen frame": _frozen_frame,
    "untouched": _untouched,
    "half of the time": _half_time,
    "half of the region": _half_space,
    "black": _black,
    "smeared": _smeared,
    "smeared along": _smeared_along,
    "inpainted": _inpainted,
    "ghost": _ghost,
    "residue": _residue,
    "flicker": _flicker,
    "wrong place": _wrong_place,
    "colours": _colours,
}


def visible(made: Frames, broken: Frames, masks: Masks, levels: float = VISIBLE) -> bool:
    """Whether `broken` is worse than `made` to the eye."""
    error = ((made.astype(np.float32) - broken) ** 2).mean(-1)
    area = max(1.0, float(masks.sum((1, 2)).mean()))
    per_frame = np.sqrt(error.sum((1, 2)) / area)
    return bool(np.sort(per_frame)[-max(1, len(per_frame) // 3) :].mean() >= levels)
