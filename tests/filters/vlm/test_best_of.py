"""Edits compared two by two: no place is preferred, and the best of N is found."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from experts.write.chat.vision.question import Question
from filters.vlm.best_of import best_of
from filters.vlm.judge import VlmJudge
from tests.filters.vlm.scripted import ScriptedChat, brighter, removal


def test_the_better_one_wins_in_either_place() -> None:
    dark, bright = removal(50), removal(200)
    judge = VlmJudge(ScriptedChat(brighter))
    assert judge.prefer([(dark, bright), (bright, dark), (dark, dark)]) == [1, -1, 0]
    assert judge.prefer([]) == []


def test_a_judge_that_always_says_the_first_prefers_nothing() -> None:
    chat = ScriptedChat(lambda question, seed: json.dumps({"reason": "-", "better": "A"}))
    assert VlmJudge(chat).prefer([(removal(50), removal(200))]) == [0]
    assert best_of([[removal(50), removal(200), removal(250)]], VlmJudge(chat)) == [0]


def test_the_footage_is_shown_first_whichever_side_was_made() -> None:
    chat = ScriptedChat(brighter)
    judge = VlmJudge(chat)
    a, b = removal(50, source=0), removal(200, source=0)
    judge.prefer([(a, b)])
    flipped = [
        dataclasses.replace(
            s, task="object_addition", source=s.target, target=s.source, made="source"
        )
        for s in (a, b)
    ]
    assert judge.prefer([(flipped[0], flipped[1])]) == [1]
    for question, _ in chat.asked:
        assert question.videos[0].max() == 0
        assert sorted(int(video.max()) for video in question.videos[1:]) == [50, 200]


def test_an_answer_in_one_order_only_is_no_preference() -> None:
    def script(question: Question, seed: int) -> str:
        first_is_brighter = question.videos[1].mean() > question.videos[2].mean()
        return brighter(question, seed) if first_is_brighter else "no idea"

    assert VlmJudge(ScriptedChat(script)).prefer([(removal(50), removal(200))]) == [0]


def test_tasks_without_a_rubric_tie() -> None:
    chat = ScriptedChat(brighter)
    blurred = [dataclasses.replace(removal(n), task="deblur", made="source") for n in (50, 200)]
    assert VlmJudge(chat).prefer([(blurred[0], blurred[1])]) == [0]
    assert not chat.asked


@pytest.mark.parametrize("levels", list(itertools.permutations((10, 90, 170, 250))))
def test_the_best_of_four_is_found_wherever_it_stands(levels: tuple[int, ...]) -> None:
    judge = VlmJudge(ScriptedChat(brighter))
    assert best_of([[removal(level) for level in levels]], judge) == [levels.index(250)]


def test_the_first_of_equals_is_the_best() -> None:
    judge = VlmJudge(ScriptedChat(brighter))
    levels = [[50, 200, 200], [70, 70, 70], [9], [90, 60, 93]]
    assert best_of([[removal(n) for n in own] for own in levels], judge) == [1, 0, 0, 0]
    assert best_of([], judge) == []
    with pytest.raises(ValueError, match="without attempts"):
        best_of([[]], judge)


def test_a_circle_of_preferences_leaves_the_first() -> None:
    order = {10: 0, 120: 1, 240: 2}

    def script(question: Question, seed: int) -> str:
        a, b = (order[int(video.max())] for video in question.videos[1:])
        return json.dumps({"reason": "-", "better": "A" if (a - b) % 3 == 1 else "B"})

    judge = VlmJudge(ScriptedChat(script))
    assert best_of([[removal(10), removal(120), removal(240)]], judge) == [0]


def test_the_question_names_the_instruction_and_the_frames() -> None:
    chat = ScriptedChat(brighter)
    VlmJudge(chat, frames=3).prefer([(removal(50), removal(200))])
    text = chat.asked[0][0].text
    assert "3 frames" in text and "Remove the dog." in text and "{" not in text
