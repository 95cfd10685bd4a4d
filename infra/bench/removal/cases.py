"""The removal bench's cases: a clip, a camera, and a path that the object takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Path2D = Callable[[float], tuple[float, float]]
"""Object centre (x, y) as shares of the frame at time 0–1."""


@dataclass(frozen=True)
class Case:
    name: str
    clip: str
    first: int
    camera: str
    path: Path2D
    area: float  # share of the frame
    crop: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    # from, to: window centre (x, y in shares of the source frame) and width (share); None: whole
    follows: bool = False  # the object is fixed to the background, not to the frame
    never_visible: bool = False  # most of the background behind the object
    shadow: bool = False  # the object casts one, which no method's mask covers
    crossing: Path2D | None = None  # path of a second object, which is to stay


def line(x0: float, y0: float, x1: float, y1: float, wobble: float = 0.0) -> Path2D:
    """A straight path with a vertical swing of `wobble` frame heights."""
    return lambda t: (
        x0 + (x1 - x0) * t,
        y0 + (y1 - y0) * t + wobble * math.sin(2 * math.pi * t),
    )


CASES = (
    Case("motorway", "clip_motorway", 40, "fixed", line(0.2, 0.5, 0.8, 0.6), 0.06),
    Case("motorway-large", "clip_motorway", 200, "fixed", line(0.1, 0.5, 0.9, 0.5, 0.1), 0.13),
    Case("bikes-fence", "clip_bikes", 150, "fixed", line(0.15, 0.5, 0.85, 0.45), 0.08),
    Case("bunny-late", "clip_bigbuckbunny", 97, "fixed", line(0.9, 0.3, 0.25, 0.6), 0.08),
    Case("squirrel-a", "clip_squirrel", 20, "hand-held", line(0.2, 0.6, 0.8, 0.4), 0.08),
    Case("squirrel-b", "clip_squirrel", 140, "hand-held", line(0.8, 0.3, 0.2, 0.6, 0.1), 0.12),
    Case("city-zoom", "clip_city", 0, "zoom", line(0.2, 0.6, 0.8, 0.5), 0.08),
    Case("city-drift", "clip_city", 180, "drift", line(0.8, 0.5, 0.3, 0.6, 0.1), 0.12),
    Case("bikes-tilt", "clip_bikes", 103, "hand-held", line(0.2, 0.4, 0.8, 0.6), 0.08),
    Case("bikes-pan", "clip_bikes", 205, "pan", line(0.7, 0.5, 0.25, 0.55), 0.10),
    Case("bunny-pan", "clip_bigbuckbunny", 25, "pan", line(0.8, 0.6, 0.3, 0.4), 0.06),
    Case(
        "motorway-pan", "clip_motorway", 100, "crop pan", line(0.3, 0.5, 0.6, 0.6), 0.08,
        crop=((0.38, 0.5, 0.68), (0.62, 0.52, 0.68)),
    ),
    Case(
        "motorway-push", "clip_motorway", 260, "crop zoom", line(0.6, 0.6, 0.35, 0.5), 0.10,
        crop=((0.5, 0.5, 0.95), (0.45, 0.52, 0.70)),
    ),
    Case(
        "fence-sway", "clip_bikes", 150, "crop pan", line(0.35, 0.5, 0.65, 0.5, 0.1), 0.10,
        crop=((0.4, 0.45, 0.74), (0.6, 0.55, 0.74)),
    ),
    Case(
        "shadow-motorway", "clip_motorway", 40, "fixed", line(0.2, 0.4, 0.8, 0.5), 0.05, shadow=True
    ),
    Case(
        "shadow-street", "clip_pedestrians", 60, "fixed", line(0.85, 0.4, 0.3, 0.5), 0.03,
        shadow=True,
    ),
    Case("shadow-zoom", "clip_city", 0, "zoom", line(0.2, 0.5, 0.8, 0.4), 0.05, shadow=True),
    Case(
        "shadow-pan", "clip_motorway", 100, "crop pan", line(0.3, 0.4, 0.65, 0.5), 0.05,
        crop=((0.38, 0.5, 0.68), (0.62, 0.52, 0.68)), shadow=True,
    ),
    Case(
        "cross-motorway", "clip_motorway", 200, "fixed", line(0.2, 0.5, 0.8, 0.5), 0.06,
        crossing=line(0.8, 0.55, 0.2, 0.45),
    ),
    Case(
        "cross-squirrel", "clip_squirrel", 20, "hand-held", line(0.2, 0.5, 0.8, 0.5), 0.06,
        crossing=line(0.7, 0.3, 0.3, 0.7),
    ),
    Case(
        "cross-pan", "clip_bikes", 205, "pan", line(0.7, 0.5, 0.25, 0.55), 0.06,
        crossing=line(0.2, 0.5, 0.7, 0.5),
    ),
    Case(
        "hidden-fixed", "clip_motorway", 40, "fixed", line(0.25, 0.7, 0.25, 0.7), 0.06,
        never_visible=True,
    ),
    Case(
        "hidden-pan", "clip_motorway", 100, "crop pan", line(0.5, 0.6, 0.5, 0.6), 0.06,
        crop=((0.38, 0.5, 0.68), (0.62, 0.52, 0.68)), follows=True, never_visible=True,
    ),
)  # fmt: skip
