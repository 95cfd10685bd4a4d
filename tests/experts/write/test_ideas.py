"""What may stand in an object's place, and which look it may take on, by a scripted server."""

import json
from typing import Any

import pytest

from experts.write.chat.openai_chat import OpenAIWriter
from experts.write.ideas import CANDIDATES, ROUNDS, Ideas, bare, examples
from experts.write.ideas import replacement_fault as unfit
from experts.write.ideas import style_fault as no_style
from experts.write.request import WriteRequest
from tests.experts.write.chat_server import Answer, Fake, choices

CAR = WriteRequest(
    "object_swap", "red car on the left", caption="two cars and a bus", kind="car", seed=5
)


def ideas(fake: Fake) -> Ideas:
    return Ideas(OpenAIWriter(model="m", base_url=fake.url, attempts=1))


def script(fake: Fake, *answers: list[str]) -> None:
    def answer(*_: object) -> Answer:
        named = answers[min(len(fake.requests), len(answers)) - 1]
        return 200, choices(json.dumps({"candidates": named})), {}

    fake.answer = answer


def test_one_of_the_fit_ones_is_drawn_by_the_seed(fake: Fake) -> None:
    script(fake, ["a delivery van", "bus", "Sports car", "A truck.", "tractor"])
    requests = [
        WriteRequest("object_swap", "car", caption="a car and a bus", seed=s) for s in range(20)
    ]
    named = ideas(fake).name_replacements(requests)
    assert set(named) == {"delivery van", "truck", "tractor"}
    assert ideas(fake).name_replacements(requests[::-1]) == named[::-1]


def test_what_is_unfit_is_named_and_asked_again(fake: Fake) -> None:
    script(fake, ["bus", "sports car"], ["truck"])
    assert ideas(fake).name_replacement(CAR) == "truck"
    told = fake.requests[1]["messages"][-1]["content"]
    assert '"bus" is in the footage already' in told
    assert '"sports car" is of the same kind' in told


@pytest.mark.parametrize("answer", [["bus"], []])
def test_nothing_fit_is_no_idea(fake: Fake, answer: list[str]) -> None:
    script(fake, answer)
    assert ideas(fake).name_replacement(CAR) == ""
    assert len(fake.requests) == ROUNDS


def test_no_answer_is_no_idea(fake: Fake) -> None:
    fake.always({}, 503)
    assert ideas(fake).name_styles([CAR, CAR]) == ["", ""]


def test_a_style_is_named(fake: Fake) -> None:
    script(fake, ["red", "with stripes", "old and rusty"])
    assert ideas(fake).name_style(CAR) == "old and rusty"
    assert "red car on the left" in fake.requests[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("truck", ""),
        ("horse-drawn carriage", ""),
        ("", "no_phrase"),
        ("truck on the road", "no_phrase"),
        ("very long and shiny silver truck", "no_phrase"),
        ("replace it", "no_phrase"),
        ("4x4", "no_phrase"),
        ("trucks", "no_phrase"),
        ("vehicle", "no_phrase"),
        ("car", "same_kind"),
        ("race car", "same_kind"),
        ("school bus", "shown"),
    ],
)
def test_replacements(text: str, reason: str) -> None:
    assert unfit(text, CAR) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("bronze", ""),
        ("old and rusty", ""),
        ("dark green", ""),
        ("red", "is_look"),
        ("", "no_phrase"),
        ("made of bronze", "no_phrase"),
        ("old and rusty and bent and worn", "no_phrase"),
        ("orange", ""),
        ("bus", "no_look"),
        ("zebras", "no_look"),
        ("paint", "no_look"),
    ],
)
def test_styles(text: str, reason: str) -> None:
    assert no_style(text, CAR) == reason


def test_synonyms_are_of_the_same_kind() -> None:
    assert unfit("sofa", WriteRequest("object_swap", "couch")) == "same_kind"


@pytest.mark.parametrize(
    ("text", "is_now"), [("A truck.", "truck"), (" the  old van", "old van"), ("an owl", "owl")]
)
def test_articles_and_capitals_go(text: str, is_now: str) -> None:
    assert bare(text) == is_now


@pytest.mark.parametrize(("what", "fault"), [("replacement", unfit), ("style", no_style)])
def test_examples_would_pass_their_own_checks(what: Any, fault: Any) -> None:
    for request, named in examples(what):
        assert len(named) == CANDIDATES
        assert [fault(text, request) for text in named] == [""] * CANDIDATES
