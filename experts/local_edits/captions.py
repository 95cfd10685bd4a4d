"""Captions of an edited region, in three lengths, out of what can be measured in its mask.

VIVID-10M (Sec. 3.1) lets a vision-language model look at the masked crop; :class:`LocalCaptioner`
is its place. The embedded captioner knows the tracker's label and measures colour, size, shape,
place and motion, and says nothing else. What it is unsure of it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.colours import named_colours
from experts.annotate.motion.camera import Transform, accumulate
from experts.base import Frames, Masks, Model
from experts.masks.geometry import box_of
from experts.write.language.nouns import GOING, indefinite

DELETION = "Take away whatever is here and fill the place so that it blends with its background."
"""The one caption of every deletion; the paper's says the same in its own words."""

SHORT, MEDIUM, LONG = (3, 6), (8, 15), (20, 40)
"""Words of the three lengths. The paper shows their distributions, but no figures."""

LOOKS = 5  # frames whose colours are looked at
RIM = 1  # px along the outline that show other things, too
SMALL, LARGE = 0.05, 0.2  # shares of the picture
GOES = 0.08  # picture widths an object must travel to go somewhere; under half of it, it stays
NEARS = 1.25  # growth of its sides that makes it come closer; under NEAR_STILL it stays
NEAR_STILL = 1.1
HALF_SHARE = 0.25  # of the whole way, at least, in either half of the time
HASTE = 1.6  # own heights per second, faster than people walk: they run, or ride something
STILL_STANDS = frozenset(("car", "bus", "truck", "vehicle", "motorcycle", "bicycle", "train"))
EDGE = 2  # px; what touches the border is cut off there


@dataclass(frozen=True, slots=True)
class Region:
    """What is to be described. `frames` [T, h, w, 3] and `masks` [T, h, w] of the window; `camera`
    is the background's motion between them (T − 1), `rides` whether a bike is under the object."""

    label: str
    frames: Frames
    masks: Masks
    fps: float
    camera: Sequence[Transform] = ()
    rides: bool = False


@dataclass(frozen=True, slots=True)
class LocalCaptions:
    """Three descriptions of one region."""

    short: str
    medium: str
    long: str


class LocalCaptioner(Model, Protocol):
    """Describes regions. Same region, same words."""

    def captions(self, region: Region) -> LocalCaptions: ...


class MeasuredCaptioner:
    """Says what is measured, and no more."""

    name = "measured"
    version = "3"

    def load(self) -> None:
        """Nothing to do: it has no weights."""

    def close(self) -> None:
        """Nothing to free."""

    def captions(self, region: Region) -> LocalCaptions:
        """Three captions. Raises ValueError where the mask is empty in every frame."""
        return write(measure(region))


@dataclass(frozen=True, slots=True)
class Facts:
    """What was measured; empty where nothing is sure."""

    label: str
    colours: list[str]  # at most two, the main one first
    area: float  # share of the picture, mean
    place: tuple[str, str]  # of its first frame: top, "" or bottom; left, "" or right
    shape: float  # width over height, median
    motion: str = ""  # "left", "right", "up", "down", "closer", "away", "still" or not sure
    verb: str = "moving"
    travel: float = 0.0  # picture widths, against the background


def measure(region: Region) -> Facts:
    """The facts of a region."""
    alive = np.flatnonzero(region.masks.any(axis=(1, 2)))
    if not alive.size:
        raise ValueError("there is nothing to describe: the mask is empty in every frame")
    boxes = np.array([box_of(region.masks[k]) for k in alive], np.float64)
    height, width = region.masks.shape[1:]
    sides = boxes[:, 2:] - boxes[:, :2]
    motion, travel = "", 0.0
    if len(alive) > 1 and len(region.camera) == len(region.masks) - 1:
        motion, travel = _motion(region, alive, boxes)
    verb = GOING.get(region.label, "moving")
    if region.label == "person" and (region.rides or _hasty(travel, alive, sides, region)):
        verb = "moving"
    x, y = (boxes[0, :2] + boxes[0, 2:]) / 2
    return Facts(
        label=region.label,
        colours=[name for name, _ in named_colours(_pixels(region, alive), _picture(region))],
        area=float(region.masks[alive].mean()),
        place=(_third(y / height, "top", "bottom"), _third(x / width, "left", "right")),
        shape=float(np.median(sides[:, 0] / sides[:, 1])),
        motion=motion,
        verb=verb,
        travel=travel,
    )


def _pixels(region: Region, alive: NDArray[np.intp]) -> NDArray[np.uint8]:
    picked = alive[np.unique(np.linspace(0, len(alive) - 1, LOOKS).round().astype(int))]
    brush = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    found = []
    for k in picked:
        inner = cv2.erode(region.masks[k].astype(np.uint8), brush) > 0
        found.append(region.frames[k][inner if inner.any() else region.masks[k]])
    return np.concatenate(found)


def _picture(region: Region) -> NDArray[np.uint8]:
    return np.asarray(region.frames[len(region.frames) // 2][::4, ::4])


def _third(share: float, low: str, high: str) -> str:
    return low if share < 1 / 3 else high if share > 2 / 3 else ""


def _motion(
    region: Region, alive: NDArray[np.intp], boxes: NDArray[np.float64]
) -> tuple[str, float]:
    """Where it goes against the background, and how far, in picture widths.

    What only half of the time shows is no motion: something in front hid a part and let it go.
    """
    height, width = region.masks.shape[1:]
    path = accumulate(region.camera)
    at = [0, len(alive) // 2, len(alive) - 1]
    low, high = boxes[at, :2], boxes[at, 2:]
    start = np.append((low[0] + high[0]) / 2, 1)
    went, grown = np.zeros((3, 2)), np.ones((3, 2))
    for k in (1, 2):
        since = path[alive[at[k]]] @ np.linalg.inv(path[alive[0]])  # the background's way meanwhile
        went[k] = ((low[k] + high[k]) / 2 - (since @ start)[:2]) / width
        zoom = np.sqrt(abs(np.linalg.det(since[:2, :2])))
        grown[k] = (high[k] - low[k]) / (high[0] - low[0]) / zoom
    x, y = went[2]
    travel = float(np.hypot(x, y))
    if abs(x) >= GOES and abs(x) >= abs(y) and _throughout(went[:, 0]):
        return ("right" if x > 0 else "left"), travel
    beyond = np.concatenate([low < EDGE, high > np.array([width, height]) - EDGE], axis=1)
    if not beyond.any() and all(_throughout(side) for side in np.log(grown).T):
        if grown[2].min() >= NEARS:
            return "closer", travel
        if grown[2].max() <= 1 / NEARS:
            return "away", travel
    if abs(y) >= GOES and abs(y) > abs(x) and _throughout(went[:, 1]):
        return ("down" if y > 0 else "up"), travel
    sizes = grown[2]
    if travel < GOES / 2 and sizes.min() > 1 / NEAR_STILL and sizes.max() < NEAR_STILL:
        return "still", travel
    return "", travel


def _throughout(values: NDArray[np.float64]) -> bool:
    """Whether of the way from the first to the last value each half takes its share."""
    whole = values[2] - values[0]
    halves = np.diff(values)
    return bool(whole != 0 and (halves / whole >= HALF_SHARE).all())


def _hasty(
    travel: float, alive: NDArray[np.intp], sides: NDArray[np.float64], region: Region
) -> bool:
    seconds = (alive[-1] - alive[0]) / region.fps
    heights = travel * region.masks.shape[2] / float(np.median(sides[:, 1]))
    return bool(seconds > 0 and heights / seconds > HASTE)


def write(facts: Facts) -> LocalCaptions:
    """The captions of facts, each within its length."""
    return LocalCaptions(
        short=_fitting(_short(facts), SHORT),
        medium=_fitting(_medium(facts), MEDIUM),
        long=_fitting(_long(facts), LONG),
    )


def words(text: str) -> int:
    """How many there are."""
    return len(text.split())


def _fitting(candidates: Iterator[str], limits: tuple[int, int]) -> str:
    """The first that is neither too short nor too long, else the last."""
    text = ""
    for text in candidates:
        if limits[0] <= words(text) <= limits[1]:
            break
    return text


def _noun(facts: Facts, colour: bool = True) -> str:
    """ "a red car", "a person in black". Not "a small car": that would be another car."""
    if not (colour and facts.colours):
        return indefinite(facts.label)
    if facts.label == "person":  # the clothes are seen, not the person's colour
        return f"{indefinite('person')} in {facts.colours[0]}"
    return indefinite(f"{facts.colours[0]} {facts.label}")


def _place(facts: Facts) -> str:
    corner = " ".join(filter(None, facts.place))
    return f"at the {corner} of the picture" if corner else "in the middle of the picture"


def _going(facts: Facts) -> str:
    match facts.motion:
        case "left" | "right":
            return f"{facts.verb} to the {facts.motion}"
        case "up" | "down":
            return f"moving {facts.motion} the picture"
        case "closer":
            return f"{facts.verb} towards the camera"
        case "away":
            return f"{facts.verb} away from the camera"
        case "still":
            return "standing still" if facts.label in STILL_STANDS else "staying in place"
    return ""


def _short(facts: Facts) -> Iterator[str]:
    doing = {
        "left": f"{facts.verb} left",
        "right": f"{facts.verb} right",
        "up": "moving upwards",
        "down": "moving downwards",
        "closer": "coming closer",
        "away": "going away",
        "still": _going(facts),
    }.get(facts.motion)
    level, side = facts.place
    where = f"on the {side}" if side else f"at the {level}" if level else "in the middle"
    yield f"{_noun(facts)} {doing or where}"
    if not doing:
        yield _noun(facts)
    yield f"{_noun(facts, colour=False)} {doing or where}"
    yield _noun(facts)


def _medium(facts: Facts) -> Iterator[str]:
    going = f", {_going(facts)}" if facts.motion else ""
    yield f"{_noun(facts)} {_place(facts)}{going}"
    yield f"{_noun(facts, colour=False)} {_place(facts)}{going}"
    yield f"{_noun(facts)} {_place(facts)}"


def _long(facts: Facts) -> Iterator[str]:
    noun = _noun(facts)
    going = f", {_going(facts)}" if facts.motion else ""
    first = f"{noun[0].upper()}{noun[1:]} {_place(facts)}{going}."
    percent = round(100 * facts.area)
    covers = f"about {percent} percent" if percent else "less than one percent"
    shape = "wider than tall" if facts.shape > 1.2 else "about as wide as tall"
    shape = "taller than wide" if facts.shape < 1 / 1.2 else shape
    it = "The person" if facts.label == "person" else "It"
    size = "small" if facts.area < SMALL else "large" if facts.area >= LARGE else ""
    second = f"{it} covers {covers} of the picture and is {shape}."
    if size and it == "It":  # people would be told to be small
        second = f"It is {size}, {covers} of the picture, and {shape}."
    more = []
    if len(facts.colours) > 1:
        more.append(f"Besides {facts.colours[0]} there is some {facts.colours[1]}.")
    if facts.motion in ("left", "right", "up", "down"):
        far = max(1, round(10 * facts.travel))
        ways = "a tenth" if far == 1 else f"{_TENTHS[far]} tenths" if far < 10 else "more than all"
        more.append(
            f"Against the background {it[0].lower()}{it[1:]} goes {ways} of the picture's width."
        )
    while more:
        yield " ".join([first, second, *more])
        more.pop()
    yield f"{first} {second}"


_TENTHS = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine")
