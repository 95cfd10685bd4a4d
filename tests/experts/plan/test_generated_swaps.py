"""Swaps whose replacement is only named: planned without a donor."""

from __future__ import annotations

import dataclasses

import pytest

from catalog.records import Clip, Plan, Track
from experts.edit.swap.matching import KINDS, replaceable_by
from experts.plan.draw import draw, draw_swaps
from experts.plan.planners import Scene
from experts.plan.rules import Planning
from experts.write.request import request_for

CLIP = Clip("c1", "s1", "uri", "MIT", "media/aa/a.mp4", 0, 64, 25.0, 854, 480, camera=[0.0] * 128)
RULES = Planning(weights={"object_swap": 1, "object_removal": 1}, swaps_per_clip=2)
GENERATED = ("object_swap",)


def track(name: str, x: float, label: str = "car") -> Track:
    """An object of 80×60 px centred at x, there throughout."""
    boxes = [x - 40, 200.0, x + 40, 260.0] * 64
    return Track(name, "c1", label, 0.8, "media/bb/b.mkv", 0, 63, [0.9] * 64, 0.05, boxes)


def swaps(scene: Scene, seed: int = 0) -> list[Plan]:
    return draw_swaps(scene, seed)


def test_no_donor_is_needed_and_the_name_is_one_of_its_kind() -> None:
    assert swaps(Scene(CLIP, [track("a", 400)], RULES)) == []  # the embedded one pastes a donor
    none = RULES.model_copy(update={"swaps_per_clip": 0})
    assert swaps(Scene(CLIP, [track("a", 400)], none, generated=GENERATED)) == []
    (plan,) = swaps(Scene(CLIP, [track("a", 400)], RULES, generated=GENERATED))
    assert plan.task == "object_swap" and plan.track_id == "a" and "donor" not in plan.params
    assert plan.params["replacement"] in replaceable_by("car") == ("truck", "bus")
    assert plan.prompt == f"a {plan.params['replacement']}" and plan.negative_prompt == "car"
    assert plan.target_prompt == "a car"


def test_the_instruction_speaks_of_what_the_source_will_show() -> None:
    scene = Scene(CLIP, [track("a", 250), track("b", 480, "bus")], RULES, generated=GENERATED)
    named = {"car": ["bus"], "bus": ["tram"]}
    plans = swaps(dataclasses.replace(scene, replacements=named))
    asked = {plan.track_id: request_for(plan, CLIP) for plan in plans}
    # Beside a bus, the bus that a car becomes must be told apart; the tram needs no more words.
    assert (asked["a"].other, asked["a"].label) == ("bus on the left", "car")
    assert (asked["b"].other, asked["b"].label) == ("tram", "bus")


def test_what_nothing_may_replace_is_swapped_where_a_model_names_something() -> None:
    scene = Scene(CLIP, [track("a", 400, "person")], RULES, generated=GENERATED)
    assert swaps(scene) == []
    (plan,) = swaps(dataclasses.replace(scene, replacements={"person": ["robot", "astronaut"]}))
    assert plan.params["replacement"] in ("robot", "astronaut")
    drawn = {
        swaps(dataclasses.replace(scene, replacements={"person": ["robot", "astronaut"]}), seed)[
            0
        ].params["replacement"]
        for seed in range(12)
    }
    assert drawn == {"robot", "astronaut"}


def test_the_same_seed_draws_the_same_swaps() -> None:
    scene = Scene(CLIP, [track("a", 100), track("b", 700)], RULES, generated=GENERATED)
    assert swaps(scene, 3) == swaps(scene, 3)
    assert len(swaps(scene, 3)) == 2


def test_a_clips_other_edits_stay_as_they_were() -> None:
    scene = Scene(CLIP, [track("a", 100), track("b", 700)], RULES)
    assert draw(dataclasses.replace(scene, generated=GENERATED), 1) == draw(scene, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_replace_one_another_and_never_themselves(kind: dict[str, float]) -> None:
    for label in kind:
        assert label not in replaceable_by(label) and "vehicle" not in replaceable_by(label)
        assert set(replaceable_by(label)) == set(kind) - {label, "vehicle"}
