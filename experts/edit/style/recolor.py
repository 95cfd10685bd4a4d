"""Gives an object another colour: body paint changes, shading and highlights stay.

Works in OKLab (B. Ottosson, "A perceptual color space for image processing", 2020), where a
surface lit more or less keeps its hue, and its lightness and chroma shrink together. Once per clip
the object's body colour is found (`body_of`), so that nothing drifts from frame to frame. A pixel
is repainted (`Recolor.paint`) as far as it looks like the body under some light: windows, tyres
and lamps are left mostly alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput

Lab = NDArray[np.float32]
"""[..., 3]: OKLab L 0–1, a, b about ±0.3."""

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (196, 28, 32),
    "orange": (236, 122, 22),
    "yellow": (240, 200, 30),
    "green": (34, 138, 62),
    "turquoise": (32, 172, 172),
    "blue": (28, 78, 190),
    "purple": (116, 48, 160),
    "pink": (236, 116, 168),
    "brown": (112, 70, 40),
    "white": (224, 224, 222),
    "black": (30, 30, 32),
}
"""sRGB of a well-lit surface of that colour."""

GREY_CHROMA = 0.06
"""OKLab chroma below which a body counts as white, grey or black."""

MAX_SLOPE = 2.5
"""Most by which shading is amplified around the body's lightness: more shows the dark's noise."""

SAME = 0.09
"""OKLab distance, at one lightness, below which a body has the wanted colour already."""

LIFT = 0.7
"""Share of the way a body is lightened towards a lighter colour: all of it would outshine the scene
the object stands in."""

BRIGHTEST = 0.96
"""OKLab lightness the bright end of a paint may reach, so that shading survives on white."""

DARK = 0.36
"""OKLab lightness of a paint below which glass may be the lighter of the two, and what is grey and
darker still counts as black."""

LEAST_SHARE, LIGHT_VOTE = 0.15, 1.9
"""A grey object's paint is at least this share of it; its vote grows with lightness to this power
(chosen on eight vehicles seen from front, back and side)."""

GLASS_TOP, GLASS_BOTTOM = (0.02, 0.12), (0.45, 0.58)
"""Where a vehicle's windows begin and end, as shares of its height from the roof down."""

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)  # both: Ottosson 2020
_FROM_LMS = np.linalg.inv(_TO_LMS)
_FROM_LAB = np.linalg.inv(_TO_LAB)

_levels = np.arange(256) / 255.0
_LINEAR = np.where(_levels <= 0.04045, _levels / 12.92, ((_levels + 0.055) / 1.055) ** 2.4)


def oklab(image: NDArray[np.uint8]) -> Lab:
    """sRGB uint8 [..., 3] → OKLab."""
    return np.asarray(np.cbrt(_LINEAR[image] @ _TO_LMS.T) @ _TO_LAB.T, np.float32)


def srgb(lab: Lab) -> NDArray[np.float32]:
    """OKLab → sRGB 0–255, float; what no screen shows is clipped."""
    linear = np.clip((lab.astype(np.float64) @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(encoded * 255.0, np.float32)


def colour_named(name: str) -> Lab:
    """The colour's OKLab, [3]; :class:`BadInput` (`unknown_colour`) naming the known ones."""
    if name not in COLOURS:
        known = ", ".join(COLOURS)
        raise BadInput("unknown_colour", f"colour {name!r} is not known; use one of: {known}")
    return oklab(np.array(COLOURS[name], np.uint8))


@dataclass(frozen=True, slots=True)
class Body:
    """An object's main colour over a clip, OKLab, and the lightness range it is seen in."""

    colour: Lab
    low: float
    high: float

    @property
    def chroma(self) -> float:
        return float(np.hypot(self.colour[1], self.colour[2]))

    @property
    def grey(self) -> bool:
        return self.chroma < GREY_CHROMA

    def looks(self, colour: Lab) -> bool:
        """Whether an object of this body already has that colour, whatever the light."""
        darker = float(colour[0] - self.colour[0])
        if np.hypot(*colour[1:]) < GREY_CHROMA:
            blacker = self.grey and darker > 0 and colour[0] < DARK
            return blacker or float(np.linalg.norm(self.colour - colour)) < SAME
        same_light = colour[1:] * (self.colour[0] / colour[0])
        return float(np.hypot(*(self.colour[1:] - same_light))) < SAME and abs(darker) < 2.5 * SAME


def body_of(pixels: NDArray[np.uint8]) -> Body:
    """The body colour among an object's sRGB pixels [N, 3], N ≥ 1.

    The largest cluster in OKLab, where one with colour counts three times: a red car seen from the
    front is more glass and tyre than red. If that is grey, the object is clustered again by
    lightness, and light counts more than dark, for shade and glass are dark on any paint.
    """
    lab = oklab(pixels)
    centres, nearest = _clusters(lab, 5)
    share = np.bincount(nearest, minlength=len(centres)).astype(np.float64)
    chroma = np.hypot(centres[:, 1], centres[:, 2])
    best = int((share * np.where(chroma > GREY_CHROMA, 3.0, 1.0)).argmax())
    if chroma[best] <= GREY_CHROMA:
        _, nearest = _clusters(lab[:, :1], 3)
        share = np.bincount(nearest, minlength=3).astype(np.float64)
        light = np.bincount(nearest, lab[:, 0], minlength=3) / np.maximum(share, 1)
        share[share < LEAST_SHARE * share.sum()] = 0.0  # lamps
        best = int((share * light**LIGHT_VOTE).argmax())
    own = lab[nearest == best]
    low, high = np.percentile(own[:, 0], (10, 90))
    near = np.hypot(*(lab[:, 1:] - own[:, 1:].mean(axis=0)).T) < GREY_CHROMA
    lit = np.percentile(lab[near, 0], 85) if near.any() else high  # where the paint catches light
    return Body(np.median(own, axis=0), float(low), float(max(high, lit)))


def _clusters(values: NDArray[np.float32], count: int) -> tuple[NDArray, NDArray[np.intp]]:
    """Lloyd's k-means of [N, D]: centres, and each value's. Starts at quantiles: no random draw."""
    count = min(count, len(values))
    order = np.argsort(values[:, 0], kind="stable")
    starts = ((np.arange(count) + 0.5) / count * len(values)).astype(int)
    centres = values[order[starts]].copy()
    for _ in range(12):
        nearest = np.square(values[:, None] - centres).sum(axis=-1).argmin(axis=1)
        for k in range(count):
            if (nearest == k).any():
                centres[k] = values[nearest == k].mean(axis=0)
    return centres, np.square(values[:, None] - centres).sum(axis=-1).argmin(axis=1)


class Recolor:
    """Repaints one body in one colour; the same for every frame of a clip."""

    def __init__(self, body: Body, target: Lab, glazed: bool = False) -> None:
        """`glazed`: the object has windows in its upper half, to be separated from the paint."""
        self._body = body
        self._glazed = glazed
        self._light, self._wanted = max(float(body.colour[0]), 0.05), float(target[0])
        self._tint = target[1:] / self._wanted  # per unit of lightness: light scales both alike
        self._vivid = self._wanted  # no more chroma than the well-lit colour has
        if self._wanted > self._light and np.hypot(*target[1:]) > GREY_CHROMA:
            self._wanted = self._light + LIFT * (self._wanted - self._light)
        self._shade = min(1.0, MAX_SLOPE * self._light / self._wanted)
        headroom = np.log(BRIGHTEST / self._wanted) / np.log(max(body.high / self._light, 1.01))
        self._gleam = float(np.clip(headroom, 0.2, self._shade))
        self._bright = min(self._wanted * (body.high / self._light) ** self._gleam, 0.98)
        # Highlights stay above the paint, but on a nearly white body they look like it.
        self._separable = min(1.0, (1.0 - body.high) / 0.25)
        self._top = self._bright + (1.0 - self._bright) * self._separable

    def paint(self, frame: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The frame [H, W, 3] with the body repainted inside `mask` [H, W]; float, 0–255."""
        lab = oklab(frame)
        painted = lab.copy()
        light = self._lightness(lab[..., 0])
        shine = _ramp(light, self._bright, 1.0)[..., None]
        own = lab[..., 1:] - self._body.colour[1:] if self._body.grey else 0.0
        painted[..., 0] = light
        lit = np.minimum(light, self._vivid)[..., None]
        painted[..., 1:] = self._tint * lit * (1.0 - 0.8 * shine) + 0.5 * own
        inside = mask.astype(np.float32)
        # averaged over its neighbours in the mask: coded chroma is coarse, a hard weight is blocky
        likeness = self._likeness(lab)
        if self._glazed and self._body.grey:
            likeness = likeness * (1.0 - self._glass(lab[..., 0], mask))
        near = cv2.GaussianBlur(likeness * inside, (0, 0), 1.2)
        share = near / np.maximum(cv2.GaussianBlur(inside, (0, 0), 1.2), 1e-3) * inside
        return srgb(lab + share[..., None] * (painted - lab))

    def _lightness(self, light: NDArray[np.float32]) -> NDArray[np.float32]:
        """Increasing: a power law each for shade and light, then straight on to the top."""
        high = self._body.high
        slope = (self._top - self._bright) / max(1.0 - high, 0.02)
        above = self._bright + (light - high) * slope
        ratio = np.maximum(light, 0.0) / self._light
        body = self._wanted * ratio ** np.where(ratio < 1.0, self._shade, self._gleam)
        body = np.minimum(body, self._bright)
        return np.where(light <= high, body, above).astype(np.float32)

    def _likeness(self, lab: Lab) -> NDArray[np.float32]:
        """0–1: how much a pixel looks like the body under some light."""
        body = self._body
        if body.grey:
            off = np.hypot(lab[..., 1] - body.colour[1], lab[..., 2] - body.colour[2])
            plain = 1.0 - _ramp(off, 0.06, 0.12)
            shade = 0.4 * body.low + 0.18  # tyres and gaps are darker than the body's own shade
            dark = min(0.2 * body.low + 0.1, 0.8 * body.low)  # a black body's shade is paint, too
            lit = _ramp(lab[..., 0], dark, min(shade, 0.95 * body.low))
            lamp = _ramp(lab[..., 0], min(body.high + 0.25, 0.96), min(body.high + 0.45, 1.0))
            return np.asarray(plain * lit * (1.0 - self._separable * lamp), np.float32)
        axis = body.colour[1:] / body.chroma**2
        along = lab[..., 1] * axis[0] + lab[..., 2] * axis[1]  # 1 at the body's own chroma
        across = np.abs(lab[..., 1] * axis[1] - lab[..., 2] * axis[0])
        turned = across / np.maximum(along, 0.2)  # tangent of the angle between the hues
        return np.asarray(_ramp(along, 0.12, 0.45) * (1.0 - _ramp(turned, 0.5, 1.1)), np.float32)

    def _glass(self, light: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """0–1: how much a pixel of the upper half is off the paint's lightness.

        Grey paint and glass have no hue to tell them apart; where windows lie, a pixel must match
        the paint more closely than elsewhere.
        """
        rows = np.flatnonzero(mask.any(axis=1))
        if not len(rows):
            return np.zeros_like(light)
        height = (np.arange(len(mask), dtype=np.float32) - rows[0]) / max(1, rows[-1] - rows[0])
        window = _ramp(height, *GLASS_TOP) * (1.0 - _ramp(height, *GLASS_BOTTOM))
        own = max(float(self._body.colour[0]), 0.05)
        darker = _ramp(1.0 - light / own, 0.12, 0.3)
        lighter = _ramp(light / own - 1.0, 0.3, 0.6) * (own < DARK)  # the sky in the windscreen
        return np.asarray(0.85 * window[:, None] * np.maximum(darker, lighter), np.float32)


def _ramp(x: NDArray[np.float32], start: float, end: float) -> NDArray[np.float32]:
    """0 below `start`, 1 above `end`, smooth between."""
    t = np.clip((x - start) / max(end - start, 1e-6), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)
