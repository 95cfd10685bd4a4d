"""Whether an object of one clip can take the place of another's: of a comparable kind and shape,
seen from a like angle, in like light, as sharp, and moving alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.annotate.detection.kinds import VEHICLE, alike
from experts.edit.swap.pose import Pose

VEHICLES = {"car": 1.8, "vehicle": 1.9, "truck": 1.95, "bus": 2.4}
"""Usual width in m, from ahead or behind: lanes make it vary less than height."""

KINDS: tuple[dict[str, float], ...] = (
    VEHICLES,
    {"person": 1.7},
    {"motorcycle": 1.2, "bicycle": 1.1},
    {"handbag": 0.35, "backpack": 0.5, "suitcase": 0.6},
    {"dog": 0.6, "cat": 0.3, "sheep": 0.9, "cow": 1.5, "horse": 1.7},
    {"chair": 0.9, "couch": 0.9, "bench": 0.85},
    {"bottle": 0.25, "cup": 0.1, "wine glass": 0.2, "vase": 0.3},
)
"""COCO labels that may replace each other, with a usual height in m (a vehicle's width): a bus in
the place of a car is larger than the car. Every other label is only replaced by itself."""

COST_LIMITS = {
    "shape": 0.45,  # 1 − IoU of the outlines, foot to foot
    "view": 0.22,  # difference of the feet's height in the picture, shares
    "light": 30.0,  # CIELAB distance of the surroundings
    "blur": 0.7,  # |log| of the ratio of blurs at the edit's size
    # Difference of the velocities in any third of the time, heights per second; a walker's own is
    # about .8. Looked at, with .29 it is right, and with .45 somebody went sideways.
    "motion": 0.35,
}
"""The largest value of each term with which a donor still matches; set by hand, as no bench
measures how well donors match."""


def relative_size(label: str, other: str) -> float | None:
    """The usual size of `other` over that of `label`; None if they are not of one kind."""
    if label == other:
        return 1.0
    for kind in KINDS:
        if label in kind and other in kind:
            return kind[other] / kind[label]
    return None


def crosses_cameras(label: str) -> bool:
    """Whether another camera's donor may match: which way a vehicle faces shows only in the lane it
    is in."""
    return label not in VEHICLES


def replaceable_by(label: str) -> tuple[str, ...]:
    """The other labels that may take its place."""
    kind = next((kind for kind in KINDS if label in kind), {})
    return tuple(other for other in kind if other not in (label, VEHICLE))


@dataclass(frozen=True, slots=True)
class Match:
    """How a donor would take a place."""

    cost: float  # mean of the terms over their limits, 0 for its like, and `mirror_cost`
    ratio: float  # the donor's height over the object's
    mirror: bool
    terms: dict[str, float]  # by the names of COST_LIMITS, in their units


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorMatcher:
    """Compares poses. Its defaults are set by hand, as COST_LIMITS are."""

    min_height: float = 36
    """px, of a donor in its clip; a smaller one shows no detail."""

    max_occluded: float = 0.1
    """Share of a donor's outline that may touch nearer objects, which hide it there. Looked at,
    cars with .2 of it were cut off, and people with 0 were whole."""

    max_place_occluded: float = 0.25
    """The same of the object itself: what hides it hides the donor, too, but by a mask whose edge
    is a few pixels off. Two cars with .4 were looked at; both left a torn edge."""

    max_enlargement: float = 1.25
    """Of a donor's pixels."""

    person_aspect: tuple[float, float] = (1.7, 4.5)
    """Height over width of a person who stands or walks; others sit, ride or are cut off."""

    max_vehicle_aspect: float = 1.4
    """Ratio of the aspect ratios of two vehicles beyond which they are seen from unlike angles."""

    max_lane_offset: float = 0.3
    """Widths of the picture between two vehicles on one road: farther apart, traffic may come the
    other way."""

    min_speed: float = 0.25
    """Heights per second; a slower object stands and shows no direction."""

    min_colour_distance: float = 12.0
    """CIELAB, between the mean colours of the upper or the lower halves of two objects that can be
    told apart. Their labels do not tell them apart: one detector's truck is another's car, and may
    be the same vehicle."""

    max_same_size: float = 1.4
    """Ratio of heights below which two sightings may show one object."""

    max_cost: float = 0.5
    """Of a match: a donor near the limit of every term looks wrong, as the swaps of pedestrians did
    that were looked at above this cost (infra/bench/results/demo.md)."""

    mirror_cost: float = 0.05
    """Added to the cost of a mirrored donor, whose lettering and light are reversed."""

    def match(self, place: Pose, donor: Pose, scale: float, same_camera: bool) -> Match | None:
        """How `donor` would take the place of the object `place`, whose clip is shown at `scale` px
        of the edit per px; `same_camera` if one camera filmed both. None if it does not match."""
        ratio = relative_size(place.label, donor.label)
        if ratio is None or not self.shows_all(donor):
            return None
        if place.near_edge or place.occluded > self.max_place_occluded:
            return None
        if not self._upright(place) or not self._distinct(place, donor):
            return None
        if not (same_camera or crosses_cameras(place.label)):
            return None
        if place.label in VEHICLES:
            if abs(place.foot[0] - donor.foot[0]) > self.max_lane_offset:
                return None
            slimmer = (place.width / place.height) / (donor.width / donor.height)
            if abs(np.log(slimmer)) > np.log(self.max_vehicle_aspect):
                return None
            ratio *= slimmer
        if ratio * place.height * scale / donor.height > self.max_enlargement:
            return None
        # A vehicle has a number plate, and often lettering.
        mirrors = (False,) if place.label in VEHICLES else (False, True)
        matches = [self._compared(place, donor, ratio, mirror, same_camera) for mirror in mirrors]
        found = [match for match in matches if match is not None]
        return min(found, key=lambda match: match.cost) if found else None

    def shows_all(self, donor: Pose) -> bool:
        """Whether a donor can be cut out whole, in whatever place it is put."""
        return (
            donor.occluded <= self.max_occluded
            and donor.height >= self.min_height
            and not donor.near_edge
            and self._upright(donor)
        )

    def may_be_same(self, one: Pose, other: Pose) -> bool:
        """Whether two sightings by one camera may show the same object."""
        return (
            one.label == other.label
            and (one.colour == other.colour or not (one.colour and other.colour))
            and _colour_distance(one, other) < self.min_colour_distance
            and abs(float(np.log(one.height / other.height))) < np.log(self.max_same_size)
        )

    def _upright(self, one: Pose) -> bool:
        low, high = self.person_aspect
        return one.label != "person" or low <= one.height / one.width <= high

    def _distinct(self, place: Pose, donor: Pose) -> bool:
        """Whether two objects look different, and words can say so."""
        if _colour_distance(place, donor) < self.min_colour_distance:
            return False
        named = place.colour and donor.colour and place.colour != donor.colour
        return bool(named) or not alike(donor.label, place.label)

    def _compared(
        self, place: Pose, donor: Pose, ratio: float, mirror: bool, same_camera: bool
    ) -> Match | None:
        velocities = donor.motion * (-1.0 if mirror else 1.0, 1.0, 1.0)
        # One camera is as sharp at both: what was measured on small plain things would only differ
        # by chance.
        sharper = 1.0 if same_camera else place.blur / donor.blur
        softer = sharper * donor.height / (ratio * place.height)
        terms = {
            "shape": 1.0 - _outline_iou(place, donor, ratio, mirror),
            "view": abs(place.foot[1] - donor.foot[1]),
            "light": float(np.linalg.norm(place.surround_lab - donor.surround_lab)),
            "blur": abs(float(np.log(softer))),
            "motion": max(
                self._motion(place.label, wanted, velocity)
                for wanted, velocity in zip(place.motion, velocities, strict=True)
            ),
        }
        if any(value > COST_LIMITS[name] for name, value in terms.items()):
            return None
        cost = float(np.mean([value / COST_LIMITS[name] for name, value in terms.items()]))
        cost += self.mirror_cost * mirror
        if cost > self.max_cost:
            return None
        rounded = {name: round(value, 3) for name, value in terms.items()}
        return Match(cost, ratio, mirror, rounded)

    def _motion(
        self, label: str, wanted: NDArray[np.float64], velocity: NDArray[np.float64]
    ) -> float:
        """How differently two objects move. A walker's legs show the speed; anything else only
        shows the direction."""
        difference = float(np.linalg.norm(wanted - velocity))
        fast, slow = np.linalg.norm(wanted), np.linalg.norm(velocity)
        if label == "person" or min(fast, slow) < self.min_speed:
            return difference
        return float(1.0 - wanted @ velocity / (fast * slow)) / 2


def _colour_distance(one: Pose, other: Pose) -> float:
    """CIELAB distance of the halves that differ more: jeans tell two dark coats apart."""
    return float(np.linalg.norm(one.lab - other.lab, axis=1).max())


def _outline_iou(place: Pose, donor: Pose, ratio: float, mirror: bool) -> float:
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
