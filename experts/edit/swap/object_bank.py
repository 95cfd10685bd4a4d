"""The object bank: what tracked objects look like, so that one can be found that fits the place of
another: of a comparable kind and shape, seen from alike, lit alike, as sharp, going as it goes.

A look is what one frame shows; a few of them per object are enough. A stand is an object over the
frames of an edit. Sizes are told in heights of the object, places in shares of the picture, so that
clips of any size compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.colours import GREYS, named_colours
from experts.annotate.kinds import alike
from experts.edit.appearance import Frame, Mask, blur_of, lab, light_of, ring
from experts.masks.geometry import box_of, dilate

VERSION = "1"
"""Rises whenever a look may come out otherwise."""

STRIDE = 8
"""Frames between two looks."""

GRID = 24
"""Cells per side of an outline, drawn into its box."""

EDGE = 3
"""px; an object this near to the picture's edge is cut by it."""

VEHICLES = {"car": 1.8, "vehicle": 1.9, "truck": 1.95, "bus": 2.4}
"""Usual width in m, from ahead or behind: what a lane gives to all is steadier than height."""

KINDS: tuple[dict[str, float], ...] = (
    VEHICLES,
    {"person": 1.7},
    {"motorcycle": 1.2, "bicycle": 1.1},
    {"handbag": 0.35, "backpack": 0.5, "suitcase": 0.6},
    {"dog": 0.6, "cat": 0.3, "sheep": 0.9, "cow": 1.5, "horse": 1.7},
    {"chair": 0.9, "couch": 0.9, "bench": 0.85},
    {"bottle": 0.25, "cup": 0.1, "wine glass": 0.2, "vase": 0.3},
)
"""COCO labels that may stand in for each other, with a usual size in m, which is the height but
for vehicles: a bus in the place of a car is larger than the car. Others go with their own label."""

PERSON_SHAPE = (1.7, 4.5)
"""Height over width of a person who stands or walks; others sit, or ride, or are cut off."""

TORSO = (0.18, 0.5)
"""From the top, shares of a person's height: what one names their clothes by."""


DARK, LIGHT = 32.0, 52.0
"""CIELAB lightness of clothes without a hue below and above which anybody would call them so."""


@dataclass(frozen=True, slots=True)
class Look:
    """One object in one frame; lists because a journal keeps them."""

    frame: int
    box: list[float]  # x0, y0, x1, y1, px
    outline: list[int]  # GRID rows of GRID bits: where in its box the object is
    light: list[float]  # mean CIELAB of the object
    around: list[float]  # and of what surrounds it
    contrast: float  # deviation of its L
    blur: float  # px
    colour: str  # its main one in words, "" if none rules
    cut: float  # share of its outline along which a nearer object may hide it, 0–1


@dataclass(frozen=True, slots=True)
class Stand:
    """An object over the frames of an edit, in its own clip."""

    label: str
    height: float  # px, median
    width: float
    foot: tuple[float, float]  # x and y of the foot, shares of the picture
    speed: tuple[float, float]  # over the ground, heights per second, right and down
    growth: float  # of its height, per second
    outline: NDArray[np.float32]  # [GRID, GRID] mean, 0–1
    light: NDArray[np.float32]
    around: NDArray[np.float32]
    contrast: float
    blur: float
    colour: str
    cut: float
    near_edge: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """How a donor would take a place: `cost` is 0 for its like and about 1 where doubts begin."""

    cost: float
    ratio: float  # the donor's height over the object's
    mirror: bool
    parts: dict[str, float]


def look(frame: Frame, mask: Mask, others: Sequence[Mask], at: int, label: str) -> Look | None:
    """What `frame` [H, W, 3], number `at` of its clip, shows of an object; `others` are the masks
    [H, W] of all other objects. None where there is too little of it."""
    box = box_of(mask)
    if box is None:
        return None
    x0, y0, x1, y1 = (int(v) for v in box)
    if min(x1 - x0, y1 - y0) < 8:
        return None
    margin = max(8, round(0.4 * max(x1 - x0, y1 - y0)))
    height, width = mask.shape
    rows = slice(max(0, y0 - margin), min(height, y1 + margin))
    columns = slice(max(0, x0 - margin), min(width, x1 + margin))
    part, inside = frame[rows, columns], mask[rows, columns]
    rest, nearer = np.zeros_like(inside), np.zeros_like(inside)
    for other in others:
        rest |= other[rows, columns]
        if (low := np.flatnonzero(other.any(axis=1))).size and low[-1] >= y1:
            nearer |= other[rows, columns]  # what stands lower in the picture stands nearer
    values = lab(part)
    own, around = light_of(values[inside]), light_of(values[ring(inside, ~rest)])
    if own is None:
        return None
    if around is None:
        around = own
    small = cv2.resize(
        mask[y0:y1, x0:x1].astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA
    )
    bits = (small >= 0.5) @ (1 << np.arange(GRID, dtype=np.int64))
    return Look(
        frame=at,
        box=[float(v) for v in box],
        outline=[int(v) for v in bits],
        light=_rounded(own.mean),
        around=_rounded(around.mean),
        contrast=round(float(own.deviation[0]), 2),
        blur=round(blur_of(part, inside), 3),
        colour=_colour(part, inside, frame, label),
        cut=round(_cut(inside, nearer & ~inside), 3),
    )


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(v), 2) for v in values]


def _colour(part: Frame, inside: Mask, picture: Frame, label: str) -> str:
    """The main colour in words; a person's is that of what they wear above the waist, which is dark
    or light where it has no hue: nobody agrees on grey."""
    region = dilate(inside, -2)
    if label == "person":
        box = box_of(inside)
        assert box is not None
        top, bottom = (round(box[1] + s * (box[3] - box[1])) for s in TORSO)
        region[:top] = False
        region[bottom:] = False
    found = named_colours(part[region], picture[::4, ::4])
    name = found[0][0] if found else ""
    if label == "person" and name in GREYS:
        light = float(np.median(lab(part)[..., 0][region]))
        return "dark clothes" if light < DARK else "light clothes" if light > LIGHT else ""
    return name


def _cut(inside: Mask, nearer: Mask) -> float:
    """Share of an object's outline that touches one which may hide part of it."""
    rim = dilate(inside, 2) & ~inside
    touched = rim & dilate(nearer, 2)
    return float(np.count_nonzero(touched)) / max(1.0, float(np.count_nonzero(rim)))


def stand(
    label: str,
    boxes: NDArray[np.float64],
    camera: NDArray[np.float64],
    looks: Sequence[Look],
    picture: tuple[int, int],
    fps: float,
) -> Stand | None:
    """An object over n frames: `boxes` [n, 4] px, all present, `camera` [n, 2] px, the looks among
    the frames, `picture` (width, height). None without a look."""
    if not looks:
        return None
    heights = boxes[:, 3] - boxes[:, 1]
    feet = np.stack([boxes[:, [0, 2]].mean(1), boxes[:, 3]], axis=1)
    seconds = max(len(boxes) - 1, 1) / fps
    height = float(np.median(heights))
    way = _straight(feet - camera) / height / seconds
    growth = float(np.log(max(heights[-3:].mean(), 1) / max(heights[:3].mean(), 1))) / seconds
    x, y = np.median(feet, axis=0)
    low, high = boxes[:, :2].min(), boxes[:, 2:].max(0)
    near_edge = bool(low < EDGE or high[0] > picture[0] - EDGE or high[1] > picture[1] - EDGE)
    colours = [look.colour for look in looks]
    return Stand(
        label=label,
        height=height,
        width=float(np.median(boxes[:, 2] - boxes[:, 0])),
        foot=(float(x) / picture[0], float(y) / picture[1]),
        speed=(float(way[0]), float(way[1])),
        growth=growth,
        outline=np.mean([_drawn(look.outline) for look in looks], axis=0).astype(np.float32),
        light=np.median([look.light for look in looks], axis=0).astype(np.float32),
        around=np.median([look.around for look in looks], axis=0).astype(np.float32),
        contrast=float(np.median([look.contrast for look in looks])),
        blur=float(np.median([look.blur for look in looks])),
        colour=_ruling(colours),
        cut=float(np.max([look.cut for look in looks])),
        near_edge=near_edge,
    )


def _ruling(colours: Sequence[str]) -> str:
    """The colour of most looks; "" if none has AGREED of them."""
    best = max(sorted(set(colours)), key=colours.count)
    return best if colours.count(best) >= AGREED * len(colours) else ""


def _straight(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the first points to the last, [2]; a few are averaged against jitter."""
    few = max(1, len(points) // 8)
    return np.asarray(points[-few:].mean(0) - points[:few].mean(0))


def _drawn(rows: Sequence[int]) -> NDArray[np.float32]:
    bits = (np.asarray(rows, np.int64)[:, None] >> np.arange(GRID)) & 1
    return bits.astype(np.float32)


def comparable(label: str, other: str) -> float | None:
    """The usual size of `other` over that of `label`; None if they are not of one kind."""
    if label == other:
        return 1.0
    for kind in KINDS:
        if label in kind and other in kind:
            return kind[other] / kind[label]
    return None


AGREED = 0.7
"""Share of an object's looks that must show a colour for it to be called by it."""

LEAST_PX = 36
"""Height, px, of a donor that is worth looking at."""

WHOLE = 0.25
"""Most of a donor's outline that may touch nearer objects: it is hidden there."""

ENLARGED = 1.25
"""Most by which a donor may be enlarged."""

TWIN_SIZE = 1.4
"""Ratio of heights below which two sightings may be of one object."""

ASPECT = 1.4
"""Most by which the widths over heights of two vehicles differ that are seen from alike."""

MOVES = 0.25
"""Heights per second; what is slower stands, and shows no direction."""

UNLIKE = 12.0
"""CIELAB distance of mean colours from which two objects can be told apart, whatever their labels:
one detector's truck is another's car, and may be the same one."""

LANE = 0.3
"""Widths of the picture that two vehicles of one road may stand apart: beyond, traffic may come
where it should go."""

WORST = {
    "shape": 0.45,  # 1 − IoU of the outlines, foot to foot
    "view": 0.22,  # difference of the feet's height in the picture, shares
    "light": 30.0,  # CIELAB distance of the surroundings
    "blur": 0.7,  # |log| of the ratio of blurs at the edit's size
    "pace": 0.45,  # difference of the ways, heights per second
}
"""Beyond any of these a donor does not fit; a cost is the mean of the parts over them."""


def fit(place: Stand, donor: Stand, scale: float, same_camera: bool) -> Fit | None:
    """How `donor` would take the place of an object whose clip is shown at `scale` px of the edit
    per px; `same_camera` if both were filmed by one. None if it does not fit."""
    usual = comparable(place.label, donor.label)
    if usual is None or donor.cut > WHOLE or donor.height < LEAST_PX:
        return None
    if place.near_edge or donor.near_edge:
        return None
    if not (_upright(place) and _upright(donor)):
        return None
    if not _told_apart(place, donor):
        return None
    if place.label in VEHICLES:
        # A vehicle shows no facing but by the lane it is in.
        if not same_camera or abs(place.foot[0] - donor.foot[0]) > LANE:
            return None
        slimmer = (place.width / place.height) / (donor.width / donor.height)
        if abs(np.log(slimmer)) > np.log(ASPECT):
            return None
        usual *= slimmer
    enlarged = usual * place.height * scale / donor.height
    if enlarged > ENLARGED:
        return None
    fits = [_fit(place, donor, usual, mirror) for mirror in (False, True)]
    found = [f for f in fits if f is not None]
    return min(found, key=lambda f: f.cost) if found else None


def _upright(one: Stand) -> bool:
    low, high = PERSON_SHAPE
    return one.label != "person" or low <= one.height / one.width <= high


def _told_apart(place: Stand, donor: Stand) -> bool:
    """Whether two objects look different, and words can say so."""
    if float(np.linalg.norm(place.light - donor.light)) < UNLIKE:
        return False
    named = place.colour and donor.colour and place.colour != donor.colour
    return bool(named) or not alike(donor.label, place.label)


def twins(one: Stand, other: Stand) -> bool:
    """Whether two objects of one camera might be the same one."""
    return (
        one.label == other.label
        and float(np.linalg.norm(one.light - other.light)) < UNLIKE
        and abs(float(np.log(one.height / other.height))) < np.log(TWIN_SIZE)
    )


def _fit(place: Stand, donor: Stand, ratio: float, mirror: bool) -> Fit | None:
    across = -1.0 if mirror else 1.0
    way = np.array([*place.speed, place.growth])
    donors = np.array([across * donor.speed[0], donor.speed[1], donor.growth])
    parts = {
        "shape": 1.0 - _overlap(place, donor, ratio, mirror),
        "view": abs(place.foot[1] - donor.foot[1]),
        "light": float(np.linalg.norm(place.around - donor.around)),
        "blur": abs(float(np.log(place.blur * donor.height / (donor.blur * ratio * place.height)))),
        "pace": _pace(place.label, way, donors),
    }
    if any(value > WORST[name] for name, value in parts.items()):
        return None
    cost = float(np.mean([value / WORST[name] for name, value in parts.items()]))
    rounded = {name: round(value, 3) for name, value in parts.items()}
    return Fit(cost + 0.05 * mirror, ratio, mirror, rounded)


def _pace(label: str, way: NDArray[np.float64], donors: NDArray[np.float64]) -> float:
    """How differently two objects go. A walker's legs show how fast; a car only which way."""
    gap = float(np.linalg.norm(way - donors))
    fast, slow = np.linalg.norm(way), np.linalg.norm(donors)
    if label == "person" or min(fast, slow) < MOVES:
        return gap
    return float(1.0 - way @ donors / (fast * slow)) / 2


def _overlap(place: Stand, donor: Stand, ratio: float, mirror: bool) -> float:
    """IoU of two outlines with their feet on one point, 0–1; `ratio` of their heights."""
    side = 48  # px the place's height is drawn with
    canvas = np.zeros((2, 3 * side, 5 * side), np.float32)
    for image, one, height in zip(canvas, (place, donor), (1.0, ratio), strict=True):
        tall = max(1, round(side * height))
        wide = max(1, min(5 * side, round(tall * one.width / one.height)))
        drawn = cv2.resize(one.outline, (wide, tall), interpolation=cv2.INTER_LINEAR)
        if mirror and one is donor:
            drawn = drawn[:, ::-1]
        left = (5 * side - wide) // 2
        image[3 * side - tall :, left : left + wide] = drawn[-3 * side :]
    both, either = np.minimum(*canvas).sum(), np.maximum(*canvas).sum()
    return float(both / max(float(either), 1e-6))
