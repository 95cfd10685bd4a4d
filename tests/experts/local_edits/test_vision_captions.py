"""What becomes of a vision-language model's answers about a region: a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from catalog.errors import BadInput
from experts.local_edits.captions import LocalCaptions, Region
from experts.local_edits.vision_captions import GREY, VisionRegionCaptioner, _prompts, cut_out
from experts.providers.models import Models
from experts.write.chat.vision.question import Question

GOOD = _prompts()["examples"][0]


class Scripted:
    """Answers one after the other; keeps what it was asked."""

    name, version = "scripted", "1"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[Question] = []
        self.seeds: list[int] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def ask(self, questions: Sequence[Question], *, seed: int, max_tokens: int) -> list[str]:
        self.asked += questions
        self.seeds.append(seed)
        return [self.answers.pop(0) for _ in questions]


def region(frames: int = 6) -> Region:
    """A white block of 20×10 px that goes right by 8 px a frame, absent from the last frame."""
    video = np.full((frames, 60, 120, 3), 40, np.uint8)
    masks = np.zeros(video.shape[:3], bool)
    for k in range(frames - 1):
        masks[k, 20:30, 10 + 8 * k : 30 + 8 * k] = True
    video[masks] = 255
    return Region("van", video, masks, 8.0)


def test_the_object_alone_is_shown() -> None:
    shown = cut_out(region())
    assert shown.shape == (5, 14, 68, 3)  # 15 % of its places' box around it
    assert set(np.unique(shown)) == {GREY, 255}
    assert [int((frame == 255).sum()) // 3 for frame in shown] == [200] * 5


def test_a_good_answer_is_taken() -> None:
    chat = Scripted(f"Sure! {json.dumps(GOOD)}")
    found = VisionRegionCaptioner(chat, frames=3, max_pixels=300).captions(region())
    assert found == LocalCaptions(GOOD["short"], GOOD["medium"], GOOD["long"])
    (asked,) = chat.asked
    assert "one van" in asked.text
    assert asked.videos[0].shape[0] == 3
    assert asked.videos[0].shape[1] * asked.videos[0].shape[2] <= 300


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (json.dumps(GOOD | {"short": "a van"}), "'short' has 2 words"),
        (json.dumps({"short": "a small white van"}), "'medium' is missing"),
        ("It is a van.", "not a JSON object"),
        (json.dumps(GOOD | {"long": ["a", "van"]}), "not a JSON object"),
    ],
)
def test_a_faulty_one_is_asked_for_again_with_its_fault(answer: str, fault: str) -> None:
    chat = Scripted(answer, json.dumps(GOOD))
    assert VisionRegionCaptioner(chat).captions(region()).short == GOOD["short"]
    assert fault in chat.asked[1].text and fault not in chat.asked[0].text
    assert chat.seeds == [0, 1]


def test_a_model_that_never_answers_well_fails_the_record_alone() -> None:
    chat = Scripted(*["no"] * 3)
    with pytest.raises(BadInput, match="scripted was asked 3 times and the answer is not") as told:
        VisionRegionCaptioner(chat).captions(region())
    assert told.value.reason == "no_caption"


def test_an_empty_mask_is_refused() -> None:
    empty = region()
    empty.masks[:] = False
    with pytest.raises(ValueError, match="nothing to describe"):
        cut_out(empty)


@pytest.mark.parametrize(
    "options", [{"frames": 2}, {"server": "http://127.0.0.1:1/v1", "model": "m"}]
)
def test_a_recipe_may_choose_it(options: dict[str, object]) -> None:
    choice = Models(region_captions={"provider": "vlm", **options}).region_captions
    assert choice.model_dump() == {"provider": "vlm", **options}


def test_its_version_follows_its_options() -> None:
    versions: Callable[[int], str] = lambda n: VisionRegionCaptioner(Scripted(), frames=n).version  # noqa: E731
    assert versions(2) != versions(3)
