"""How many objects of a clip suit each task, as counted on clips of the samples.

A list and no mean: most clips have none, and what a clip of many has is of no use to the others.
"""

from __future__ import annotations

from typing import NamedTuple

from experts.plan.rules import Planning


class Suited(NamedTuple):
    """Objects of a clip that suit each task; an addition is a removal read backwards."""

    removal: int
    swap: int
    style: int
    grounding: int

    def by_task(self) -> dict[str, float]:
        return {
            "object_removal": self.removal,
            "object_addition": self.removal,
            "object_swap": self.swap,
            "local_style_transfer": self.style,
            "object_grounding": self.grounding,
        }


NOTHING = Suited(0, 0, 0, 0)
TASKS = tuple(NOTHING.by_task())

CLIPS: tuple[tuple[str, Suited, Suited], ...] = (
    ("clip_bigbuckbunny", Suited(0, 0, 1, 0), Suited(0, 0, 1, 0)),
    ("clip_bikes", Suited(0, 0, 1, 0), Suited(0, 0, 1, 0)),
    ("clip_bridge", Suited(0, 0, 0, 0), Suited(0, 0, 0, 0)),
    ("clip_city", Suited(0, 0, 3, 1), Suited(0, 0, 3, 1)),
    ("clip_cockatoo", Suited(0, 0, 0, 0), Suited(0, 0, 0, 0)),
    ("clip_crossing_cyclist", Suited(1, 0, 1, 0), Suited(3, 0, 3, 0)),
    ("clip_crossing_truck", Suited(2, 0, 2, 0), Suited(3, 0, 3, 0)),
    ("clip_cup", Suited(0, 0, 1, 0), Suited(0, 0, 1, 0)),
    ("clip_dog", Suited(0, 0, 0, 0), Suited(0, 0, 0, 0)),
    ("clip_motorway", Suited(0, 0, 0, 0), Suited(0, 0, 1, 0)),
    ("clip_park", Suited(1, 0, 2, 0), Suited(1, 0, 2, 0)),
    ("clip_pedestrians", Suited(1, 0, 2, 0), Suited(2, 0, 3, 0)),
    ("clip_skyline", Suited(0, 0, 0, 0), Suited(0, 0, 0, 0)),
    ("clip_speaker", Suited(0, 0, 1, 0), Suited(0, 0, 1, 0)),
    ("clip_squirrel", Suited(0, 0, 1, 1), Suited(0, 0, 1, 1)),
    ("clip_treadmill", Suited(0, 0, 3, 1), Suited(0, 0, 3, 1)),
    ("clip_tree", Suited(0, 0, 0, 0), Suited(0, 0, 0, 0)),
    ("clip_waves", Suited(0, 0, 0, 0), Suited(0, 0, 0, 0)),
    ("clip_woman", Suited(0, 0, 1, 0), Suited(0, 0, 1, 0)),
)
"""By sample: with the papers' rules, and where edits may be as small and as short as those of the
embedded recipe. Printed by `infra/bench/builds/objects.py` (infra/bench/results/stages.md).

One clip of each, so a swap, which mostly takes its object from another clip of the same camera,
suits none: a build of many clips a video has some."""


def suited(rules: Planning) -> list[dict[str, float]]:
    """Of each of these clips, how many objects suit each task by rules like these."""
    smaller = rules.smallest_long_side is not None and rules.shortest_frames is not None
    return [(small if smaller else usual).by_task() for _, usual, small in CLIPS]
