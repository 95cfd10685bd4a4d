"""A pair judged by a vision-language model: what it is asked, and what becomes of its answers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from catalog.errors import BadInput, EditmillError
from catalog.policy import Policy
from catalog.records import SCORES, VLM_SCORES
from experts.edit.tasks import TASKS
from experts.write.chat.server import NoCompletion
from experts.write.chat.vision.question import Question, VisionChat
from filters.vlm import prompts
from filters.vlm.judge import VlmJudge, judgement_in, preference_in
from filters.vlm.judgement import Judgement, PairJudge, verdicts
from filters.vlm.rules import Vlm
from tests.filters.vlm.scripted import ScriptedChat, brighter, grades, grey, removal


def _judged(answer: str) -> Judgement:
    (judgement,) = VlmJudge(ScriptedChat(lambda question, seed: answer)).judgements([removal(0)])
    return judgement


def test_it_serves_the_slot() -> None:
    chat = ScriptedChat(brighter)
    assert isinstance(chat, VisionChat)
    assert isinstance(VlmJudge(chat), PairJudge)


def test_each_dimension_is_scored_apart() -> None:
    judgement = _judged(grades(4, 2, 3, contradicts_motion=True))
    assert judgement.scores == {
        "instruction": 4.0, "preservation": 2.0, "render": 3.0, "motion": 0.0, "order": 1.0,
    }  # fmt: skip
    assert judgement.why["render"] == "render seen."
    assert Judgement(**json.loads(json.dumps(judgement.document()))) == judgement


def test_both_sides_are_shown_at_the_same_instants_and_bounded() -> None:
    chat = ScriptedChat(lambda question, seed: grades())
    steps = np.arange(17, dtype=np.uint8)[:, None, None, None]
    source = grey(0) + steps
    sample = dataclasses.replace(removal(0), source=source, target=source + np.uint8(100))
    VlmJudge(chat, frames=5, max_pixels=64 * 36).judgements([sample])
    ((question, _),) = chat.asked
    before, after = question.videos
    assert before.shape == after.shape == (5, 36, 64, 3)
    assert before[:, 0, 0, 0].tolist() == [0, 4, 8, 12, 16]
    assert (after - before == 100).all()
    assert "5 frames" in question.text and "Remove the dog." in question.text
    assert question.schema == prompts.ANSWER


@pytest.mark.parametrize(("made", "name"), [("source", "BEFORE"), ("target", "AFTER")])
def test_the_judge_is_told_which_side_was_made(made: str, name: str) -> None:
    sample = dataclasses.replace(removal(0), made=made)
    text = prompts.question(sample, 8, 10_000).text
    assert f"{name} was made by" in text and f"Look only at {name}" in text


def test_every_task_has_a_rubric_or_is_checked_by_construction() -> None:
    from filters.construction import CONSTRUCTED

    assert set(TASKS) == set(prompts.FAMILIES) | CONSTRUCTED
    assert not set(prompts.FAMILIES) & CONSTRUCTED
    texts = {
        task: prompts.question(dataclasses.replace(removal(0), task=task), 8, 10_000).text
        for task in prompts.FAMILIES
    }
    assert len(set(texts.values())) == len(texts)
    assert not any("{" in text for text in texts.values())


def test_the_examples_follow_the_schema() -> None:
    shown = prompts.question(removal(0), 8, 10_000).system.splitlines()
    answers = [line for line in shown if line.startswith("{")]
    assert len(answers) >= 3
    swapped = [judgement_in(line).scores["order"] for line in answers]
    assert set(swapped) == {0.0, 1.0}  # both answers are shown


def test_a_braced_instruction_is_quoted_as_it_is() -> None:
    sample = dataclasses.replace(removal(0), instruction="Remove {label} and {0}")
    assert '"Remove {label} and {0}"' in prompts.question(sample, 8, 10_000).text


def test_what_has_no_rubric_or_no_instruction_is_not_asked() -> None:
    chat = ScriptedChat(lambda question, seed: grades())
    samples = [
        dataclasses.replace(removal(0), task="deblur"),
        dataclasses.replace(removal(0), instruction=""),
        removal(0),
    ]
    judged = VlmJudge(chat).judgements(samples)
    assert [j.reason for j in judged] == ["not_measured", "not_measured", ""]
    assert len(chat.asked) == 1


BAD = [
    "",
    "The edit is fine.",
    "[1, 2]",
    "{" * 5000,
    grades()[:-10],
    grades(6),
    grades(0),
    grades().replace('"score": 5', '"score": true', 1),
    grades().replace('"score": 5', '"score": 4.5', 1),
    grades().replace('"score": 5', '"score": "5"', 1),
    grades().replace('"instruction seen."', '" "'),
    grades().replace('"swapped": false', '"swapped": "no"'),
    grades().replace("render", "looks"),
    grades().replace('{"reason": "render seen.", "score": 5}', "5"),
]


@pytest.mark.parametrize("answer", BAD)
def test_a_bad_answer_is_asked_for_again_with_another_seed(answer: str) -> None:
    chat = ScriptedChat(lambda question, seed: answer if seed == 0 else grades(2))
    (judgement,) = VlmJudge(chat).judgements([removal(0)])
    assert judgement.scores["instruction"] == 2
    assert [seed for _, seed in chat.asked] == [0, 1]


@pytest.mark.parametrize("answer", BAD[1:])
def test_a_judge_that_is_never_understood_abstains(answer: str) -> None:
    chat = ScriptedChat(lambda question, seed: answer)
    (judgement,) = VlmJudge(chat, attempts=2).judgements([removal(0)])
    assert isinstance(judgement, Judgement) and judgement == Judgement(reason="abstained")
    assert len(chat.asked) == 2
    for verdict in verdicts(judgement).values():
        assert verdict.keep and verdict.score is None and verdict.reason == "abstained"


@pytest.mark.parametrize(
    "wrapped", ["```json\n{}\n```", "<think>Is it {{gone}}?</think>\n{}", "Here: {} Done."]
)
def test_fences_and_thoughts_around_an_answer_are_left_out(wrapped: str) -> None:
    text = wrapped.replace("{}", grades(3))
    assert judgement_in(text).scores["instruction"] == 3


def test_only_unanswered_pairs_are_asked_again() -> None:
    def script(question: Question, seed: int) -> str:
        dark = question.videos[1].mean() < 50
        return "?" if dark and seed == 0 else grades(1 if dark else 4)

    chat = ScriptedChat(script)
    judged = VlmJudge(chat).judgements([removal(200), removal(0), removal(200)])
    assert [j.scores["instruction"] for j in judged] == [4, 1, 4]
    assert len(chat.asked) == 4


def test_one_refused_question_costs_no_other() -> None:
    def script(question: Question, seed: int) -> str:
        if question.videos[1].mean() < 50:
            raise BadInput("context_full", "too long", final=False)
        return grades()

    chat = ScriptedChat(script)
    judged, refused = VlmJudge(chat).judgements([removal(200), removal(0)])
    assert judged.reason == ""
    assert isinstance(refused, BadInput)
    assert (refused.reason, refused.final) == ("context_full", False)
    assert [seed for _, seed in chat.asked] == [0, 0, 0, 0]  # both, then each alone


def test_what_got_no_answer_is_no_abstention() -> None:
    def script(question: Question, seed: int) -> str:
        return "" if question.videos[1].mean() < 50 else grades()

    judge = VlmJudge(ScriptedChat(script))
    judged, unanswered = judge.judgements([removal(200), removal(0)])
    assert judged.reason == ""
    assert isinstance(unanswered, BadInput)
    assert (unanswered.reason, unanswered.final) == ("no_answer", False)
    with pytest.raises(BadInput) as raised:
        judge.prefer([(removal(0), removal(200))])
    assert not raised.value.final


def test_a_server_that_answered_others_may_leave_the_last_unanswered() -> None:
    def script(question: Question, seed: int) -> str:
        if seed:
            raise NoCompletion("the server is too slow")
        return "" if question.videos[1].mean() < 50 else grades()

    judged, unanswered = VlmJudge(ScriptedChat(script)).judgements([removal(200), removal(0)])
    assert judged.reason == ""
    assert isinstance(unanswered, BadInput) and not unanswered.final


def test_an_unreadable_answer_among_empty_ones_is_an_abstention() -> None:
    chat = ScriptedChat(lambda question, seed: "It is fine." if seed == 1 else "")
    (judgement,) = VlmJudge(chat).judgements([removal(0)])
    assert judgement == Judgement(reason="abstained")


def test_a_model_that_cannot_be_had_is_no_abstention() -> None:
    def script(question: Question, seed: int) -> str:
        raise EditmillError("the server cannot be reached; check the address")

    with pytest.raises(EditmillError, match="cannot be reached"):
        VlmJudge(ScriptedChat(script)).judgements([removal(0)])


def test_the_batch_changes_no_judgement_and_no_frame() -> None:
    def script(question: Question, seed: int) -> str:
        return grades(1 + int(question.videos[1].mean()) // 64)

    samples = [removal(level) for level in (10, 100, 250)]
    before = [sample.target.copy() for sample in samples]
    judge = VlmJudge(ScriptedChat(script))
    together = judge.judgements(samples)
    assert [j.scores["instruction"] for j in together] == [1, 2, 4]
    assert together == [judge.judgements([s])[0] for s in samples]
    assert all((s.target == b).all() for s, b in zip(samples, before, strict=True))
    assert judge.judgements([]) == []


def test_the_version_changes_with_what_is_shown() -> None:
    chat = ScriptedChat(brighter)
    versions = {
        VlmJudge(chat, **shown).version
        for shown in ({}, {"frames": 4}, {"max_pixels": 1024 * 4}, {"attempts": 9})
    }
    assert len(versions) == 3  # how often it is asked changes no answer


def _decided(judgement: Judgement, **limits: float) -> dict[str, str]:
    """The reasons by score, and the pair's, that a recipe's thresholds lead to."""
    row: dict[str, object] = {"task": "object_removal"}
    for name in SCORES:
        verdict = verdicts(judgement).get(name)
        row[f"{name}_score"] = verdict.score if verdict else None
        row[f"{name}_reason"] = verdict.reason if verdict else ""
    policy = Policy(Vlm(**limits).cuts)
    scores = {f"{name}_score": pl.Float64 for name in SCORES}
    pairs = pl.LazyFrame([row], schema_overrides=scores)
    decided = policy.with_reasons(policy.decide(pairs)).collect().row(0, named=True)
    names = [name for name in VLM_SCORES if name != "vlm_best"]  # nothing was compared
    return {name: decided[f"{name}_reason"] for name in names} | {"": decided["reason"]}


def test_a_policy_rejects_by_what_is_too_low() -> None:
    low = _judged(grades(2, 2, 2, contradicts_motion=True, swapped=True))
    strict = {"instruction": 3, "preservation": 3, "render": 3, "motion": 0.5, "order": 0.5}
    reasons = {
        "vlm_instruction": "not_followed",
        "vlm_preservation": "rest_changed",
        "vlm_render": "bad_render",
        "vlm_motion": "motion_contradiction",
        "vlm_order": "swapped",
    }
    assert _decided(low, **strict) == reasons | {"": "not_followed"}
    assert set(_decided(low).values()) == {""}
    assert set(_decided(_judged(grades(3, 3, 3)), **strict).values()) == {""}
    assert _decided(_judged("?"), **strict)[""] == ""
    only_order = _decided(low, order=1)
    assert (only_order["vlm_order"], only_order[""]) == ("swapped", "swapped")


@pytest.mark.parametrize("text", ['{"better": "C"}', '{"better": null}', "A", '{"best": "A"}'])
def test_a_comparison_without_a_choice_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        preference_in(text)
