"""No instruction says that what stands moves, nor that what moves stands."""

import dataclasses

import pytest

from experts.write.checks import check
from experts.write.language.clauses import clause_words, enhance
from experts.write.language.templates import all_from_templates
from experts.write.motion import contradicts_motion
from experts.write.request import Motion, WriteRequest

LABELLED = ("object_removal", "object_addition", "object_swap", "object_grounding")


def request(motion: Motion, label: str = "car", other: str = "") -> WriteRequest:
    return WriteRequest("object_removal", label, other=other, motion=motion)


@pytest.mark.parametrize(
    "text",
    [
        "remove the car that stays still",
        "remove the car which stands perfectly still by the road",
        "remove the motionless car",
        "remove the car as it is stationary",
        "remove the car which is parked",
        "remove the car that never moves",
    ],
)
def test_stillness(text: str) -> None:
    assert contradicts_motion(text, request("moving"))
    assert not contradicts_motion(text, request("still"))
    assert not contradicts_motion(text, request(""))


@pytest.mark.parametrize(
    "text",
    [
        "remove the car moving along the road",
        "remove the car as it drives by",
        "remove the walking person",
        "remove the car while in motion",
    ],
)
def test_movement(text: str) -> None:
    assert contradicts_motion(text, request("still"))
    assert not contradicts_motion(text, request("moving"))
    assert not contradicts_motion(text, request(""))


@pytest.mark.parametrize("motion", ["moving", "still"])
@pytest.mark.parametrize(
    "text",
    [
        "remove the car and keep the static background",
        "remove the car while the background stays perfectly still",
        "remove the car and leave the moving camera as it is",
        "remove the car while the camera keeps moving",
        "remove the car while its shape can still be seen",
        "remove the car and leave all motion unchanged",
    ],
)
def test_what_is_said_of_the_rest_is_not_the_objects(text: str, motion: Motion) -> None:
    assert not contradicts_motion(text, request(motion))


def test_a_referring_expression_is_not_looked_at() -> None:
    assert not contradicts_motion(
        "remove the car driving to the left", request("still", "car driving to the left")
    )


def test_the_check_gives_its_reason() -> None:
    text = "Remove the car while it is moving through the scene."
    moving = dataclasses.replace(request("moving"), caption="")
    assert check(text, moving, open_vocabulary=True) == ""
    assert check(text, request("still"), open_vocabulary=True) == "wrong_motion"


@pytest.mark.parametrize("motion", ["moving", "still"])
@pytest.mark.parametrize("task", LABELLED)
def test_clauses_and_templates_fit_either_motion(task: str, motion: Motion) -> None:
    for seed in range(40):
        other = "truck" if task == "object_swap" else ""
        wanted = WriteRequest(task, "dog", other=other, seed=seed, motion=motion)
        for template in all_from_templates(wanted):
            assert check(template, wanted) == ""
        enhanced = enhance(all_from_templates(wanted)[0], wanted)
        assert check(enhanced, wanted, enhanced=True, also=clause_words(task)) == ""
