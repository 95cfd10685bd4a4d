"""Grey video: the source side of colorization; the target is the footage in its own colours.

A third of the clips are colour footage whose colour was taken out; the others look like film: an
emulsion sees red, green and blue with weights of its own, has its own contrast, and has grain.
All but the grain is the same in every frame, as with a roll of film.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import EditRequest, EditResult
from experts.edit.degrade.optics import Drawn, levels
from experts.edit.weightless import Weightless

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601: what a colour television showed on a grey set."""

PLAIN = 1 / 3
"""Share of clips with luma alone."""

EMULSIONS = {
    "panchromatic": (0.33, 0.42, 0.25),
    "orthochromatic": (0.05, 0.55, 0.40),
    "yellow filter": (0.42, 0.50, 0.08),
    "red filter": (0.80, 0.18, 0.02),
}
"""Weights of red, green and blue. Panchromatic film sees them about alike, orthochromatic film
hardly sees red; photographers put a filter before the lens to darken the sky. Rounded from
photographic practice, not measured."""

WOBBLE = 0.04
"""Standard deviation of a weight about its emulsion's."""

CONTRAST = (0.0, 0.35)
"""How much of an S-curve is mixed in: 0 none, 1 all of smoothstep."""

GAMMA = (0.85, 1.2)

FADE = 0.06
"""At most; how far black is lifted and white lowered, share of the range."""

GRAIN = (1.5, 6.0)
"""Standard deviation of the grain at middle grey, levels; less towards black and white."""

GRAIN_SIZE = (0.0008, 0.0022)
"""Standard deviation of the grains' blur, share of the short side: 0.4–1.2 px at 540. Film grain is
of a size on the film, not of a pixel."""

LEAST_SIZE = 0.3
"""px; finer grain cannot be drawn."""


class Greying(Weightless):
    """Makes frames grey, the same in all three channels, all parameters drawn from the seed.

    `info`: `film` (`none`: luma alone, and nothing else is there), `weights` of red, green and
    blue, `contrast`, `gamma`, `black` and `white` (levels that 0 and 255 become), `grain` (levels),
    `grain_size` (px).
    """

    name = "greying"
    version = "2"

    def edit(self, request: EditRequest) -> EditResult:
        rng = np.random.default_rng(request.seed)
        film = _draw(rng, min(request.frames.shape[1:3]))
        weights = np.array(film["weights"], np.float32)
        curve = _curve(film) if film["film"] != "none" else None
        grey = np.empty_like(request.frames)
        for frame, out in zip(request.frames, grey, strict=True):
            if curve is None:
                out[:] = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]
                continue
            seen = cv2.transform(frame.astype(np.float32), weights[None])
            shown = np.interp(seen, np.arange(256), curve).astype(np.float32)
            out[:] = levels(shown + _grain(shown, film, rng))[..., None]
        return EditResult(grey, info=film)


def _draw(rng: np.random.Generator, side: int) -> Drawn:
    if rng.random() < PLAIN:
        return {"film": "none", "weights": list(LUMA)}
    name = str(rng.choice(list(EMULSIONS)))
    weights = np.maximum(EMULSIONS[name] + rng.normal(0, WOBBLE, 3), 0)
    weights /= weights.sum()
    size = max(LEAST_SIZE, float(rng.uniform(*GRAIN_SIZE)) * side)
    return {
        "film": name,
        "weights": [round(float(w), 4) for w in weights],
        "contrast": round(float(rng.uniform(*CONTRAST)), 3),
        "gamma": round(float(rng.uniform(*GAMMA)), 3),
        "black": round(255 * float(rng.uniform(0, FADE)), 2),
        "white": round(255 * float(1 - rng.uniform(0, FADE)), 2),
        "grain": round(float(rng.uniform(*GRAIN)), 3),
        "grain_size": round(size, 3),
    }


def _curve(film: Drawn) -> NDArray[np.float64]:
    """What each level 0–255 becomes: gamma, some of an S-curve, then faded black and white."""
    x = np.linspace(0, 1, 256) ** film["gamma"]
    steep = x * x * (3 - 2 * x)
    y = x + film["contrast"] * (steep - x)
    return np.asarray(film["black"] + (film["white"] - film["black"]) * y)


def _grain(
    shown: NDArray[np.float32], film: Drawn, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Grain for one frame [H, W], levels; half as strong at black and white as in the middle."""
    white = rng.standard_normal(shown.shape, np.float32)
    soft = cv2.GaussianBlur(white, (0, 0), film["grain_size"], borderType=cv2.BORDER_REFLECT)
    soft *= film["grain"] / soft.std()  # the blur took strength away
    middle = 1 - np.abs(shown - 127.5) / 255
    return np.asarray(soft * middle, np.float32)
