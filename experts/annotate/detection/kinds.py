"""What to call an object when the detector's word is doubtful.

A detector trained on COCO calls a white van a bus or a truck, with a low score. Whoever reads the
instruction sees a van, so such an object is called what it surely is: a vehicle. Whether it is one
of "the cars" nobody can say then, so it counts among them wherever objects are told apart.
"""

from __future__ import annotations

from collections.abc import Mapping

VEHICLE = "vehicle"

VEHICLES = frozenset({"car", "bus", "truck"})
"""COCO's labels that one might also call a vehicle; "car" is seldom wrong."""

SURE = 0.7
"""Detector's score from which its "bus" or "truck" is believed: on the sample clips all wrong ones
had less than .65."""


def named(label: str, score: float) -> str:
    """The label, or `vehicle` where it might be another kind of vehicle."""
    return VEHICLE if label in VEHICLES - {"car"} and score < SURE else label


def alike(a: str, b: str) -> bool:
    """Whether two objects so labelled might be taken for one kind."""
    return a == b or (VEHICLE in (a, b) and {a, b} <= VEHICLES | {VEHICLE})


def counted(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts per label, in which doubtful vehicles and the others are one kind."""
    if not counts.get(VEHICLE):
        return dict(counts)
    rest = {label: n for label, n in counts.items() if not alike(label, VEHICLE)}
    return {**rest, VEHICLE: sum(n for label, n in counts.items() if alike(label, VEHICLE))}
