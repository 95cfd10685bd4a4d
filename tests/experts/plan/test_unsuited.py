"""Why an object suits no edit of a task."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from catalog.records import Clip, Track
from experts.edit.tasks import TASKS
from experts.plan.planners import Scene, planner_of
from experts.plan.rules import Planning
from experts.plan.view import Unsuited

PAN = [value for t in range(64) for value in (4.0 * t, 0.0)]
CLIP = Clip("c1", "s1", "uri", "MIT", "media/aa/a.mp4", 0, 64, 25.0, 854, 480, camera=PAN)
REMOVAL, GROUNDING, SWAP = (
    TASKS[name] for name in ("object_removal", "object_grounding", "object_swap")
)
RULES = Planning(weights={name: 1.0 for name in TASKS})


def track(x: float = 400, name: str = "t1", **changed: object) -> Track:
    """A car of 80×60 px centred at x, there throughout."""
    boxes = [x - 40, 200.0, x + 40, 260.0] * 64
    car = Track(name, "c1", "car", 0.8, "media/b.mkv", 0, 63, [0.9] * 64, 0.05, boxes)
    return dataclasses.replace(car, **changed)  # type: ignore[arg-type]


STILL = dataclasses.replace(CLIP, camera=[0.0] * 128)


@pytest.mark.parametrize(
    ("reason", "own", "clip"),
    [
        (None, track(), CLIP),
        (Unsuited.LABEL_IN_DOUBT, track(score=0.5), CLIP),
        (Unsuited.LABEL_IN_DOUBT, track(mean_score=0.1), CLIP),
        (Unsuited.TOO_BRIEF, track(last_frame=20), CLIP),
        (Unsuited.NOT_FOLLOWED, track(confidence=[0.9] * 20 + [0.2] * 20 + [0.9] * 24), CLIP),
        (Unsuited.TOO_SMALL, track(area=0.0005), CLIP),
        (Unsuited.TOO_LARGE, track(area=0.6), CLIP),
        (Unsuited.OUT_OF_VIEW, track(-5), CLIP),
        (Unsuited.NEVER_UNCOVERED, track(), STILL),
        (Unsuited.NOT_TOLD_APART, track(rivals=[t for f in range(0, 64, 8) for t in (
            f, 361.0, 190.0, 441.0, 270.0)]), CLIP),
    ],
)  # fmt: skip
def test_the_first_rule_that_it_fails_is_named(
    reason: Unsuited | None, own: Track, clip: Clip
) -> None:
    scene = Scene(clip, [own], RULES)
    planner = planner_of(REMOVAL)
    assert planner.unsuited(scene, REMOVAL, own) is reason
    assert planner.objects(scene, REMOVAL) == ([own] if reason is None else [])


def test_what_the_rest_of_the_shot_shows_behind_it_counts() -> None:
    clip = dataclasses.replace(STILL, background="media/aa/b.png")
    planner, known = planner_of(REMOVAL), track(uncovered=True)
    assert planner.unsuited(Scene(clip, [track()], RULES), REMOVAL, track()) is (
        Unsuited.NEVER_UNCOVERED
    )
    scene = Scene(clip, [known], RULES)
    assert planner.unsuited(scene, REMOVAL, known) is None
    draft = planner.draft(scene, REMOVAL, known, np.random.default_rng(0))
    assert draft.params["background"] == clip.background


def test_of_several_tries_the_one_that_came_the_furthest_is_told() -> None:
    """Too small at the papers' size and cut where it is shown closer: the smaller size would do."""
    own = track(-5, area=0.006)
    wide = RULES.model_copy(update={"min_area": 0.02})
    closer = wide.model_copy(update={"smallest_long_side": 376})
    planner = planner_of(REMOVAL)
    assert planner.unsuited(Scene(CLIP, [own], wide), REMOVAL, own) is Unsuited.TOO_SMALL
    assert planner.unsuited(Scene(CLIP, [own], closer), REMOVAL, own) is Unsuited.OUT_OF_VIEW


def test_where_all_of_a_kind_are_meant_one_that_was_lost_counts() -> None:
    whole, lost = track(), track(600, "t2", last_frame=50)
    planner = planner_of(GROUNDING)
    assert planner.unsuited(Scene(CLIP, [whole], RULES), GROUNDING, whole) is None
    scene = Scene(CLIP, [whole, lost], RULES)
    assert planner.unsuited(scene, GROUNDING, whole) is Unsuited.KIND_IN_DOUBT


def test_a_swap_without_a_donor_says_so_before_it_says_that_words_are_missing() -> None:
    one, other = track(380, "t1"), track(420, "t2")
    planner = planner_of(SWAP)
    scene = Scene(CLIP, [one, other], RULES)
    assert planner.unsuited(scene, SWAP, one) is Unsuited.NO_DONOR
    unsure = track(score=0.5)
    assert planner.unsuited(Scene(CLIP, [unsure], RULES), SWAP, unsure) is Unsuited.LABEL_IN_DOUBT


def test_a_generated_swap_needs_a_name_that_tells_it_apart() -> None:
    planner = planner_of(SWAP, generated=True)
    car, person = track(), track(label="person")
    bus = track(402, "t2", label="bus")
    assert planner.unsuited(Scene(CLIP, [car], RULES), SWAP, car) is None
    scene = Scene(CLIP, [car, bus], RULES, replacements={"car": ["bus"]})
    assert planner.unsuited(scene, SWAP, car) is Unsuited.NOT_TOLD_APART
    assert planner.unsuited(Scene(CLIP, [person], RULES), SWAP, person) is Unsuited.NO_DONOR
