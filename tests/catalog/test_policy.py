"""What a policy keeps, by known truth and by the rule in plain Python."""

import dataclasses
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import EditmillError
from catalog.policy import UNDECIDED, Policy, Threshold
from catalog.records import SCORES, Pair, schema

QUALITY = Threshold("quality", "at_least", "edit_failed", 0.5, {"deblur": 0.8})
ALIGNMENT = Threshold("alignment", "at_least", "text_mismatch", None, {"object_swap": 0.2})
SUBTLE = Threshold("subtle", "at_most", "subtle", 0.9)
POLICY = Policy((QUALITY, ALIGNMENT, SUBTLE))

Row = dict[str, Any]


def row(task: str = "inpainting", **judged: float | str | None) -> Row:
    """A pair's judgement: `quality=0.4` is a score, `quality_reason="abstained"` a reason."""
    found: Row = {"task": task, "keep": None, "reason": None}
    for name in SCORES:
        found[f"{name}_score"] = judged.pop(name, None)
        found[f"{name}_reason"] = judged.pop(f"{name}_reason", "")
    assert not judged
    return found


def frame(rows: list[Row]) -> pl.LazyFrame:
    columns = {name: schema(Pair)[name] for name in row()}
    return pl.LazyFrame(rows, schema=columns, orient="row")


def decided(policy: Policy, *rows: Row) -> list[tuple[bool, str]]:
    found = policy.decide(frame(list(rows))).select("keep", "reason").collect()
    return list(found.iter_rows())


def reason(policy: Policy, judged: Row) -> str:
    """The pair's reason; a pair is kept where it has none, and only there."""
    ((keep, found),) = decided(policy, judged)
    assert keep == (found == "")
    return found


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (row(), ""),  # nothing was measured
        (row(quality=0.5), ""),  # the bound itself is kept
        (row(quality=0.4999), "edit_failed"),
        (row(subtle=0.9), ""),
        (row(subtle=0.9001), "subtle"),
        (row(quality=0.4, subtle=0.95), "edit_failed"),  # quality is asked before subtle
        (row(construction_reason="not_aligned", quality=0.4), "not_aligned"),
        (row(subtle=0.1, subtle_reason="subtle"), "subtle"),  # invisible, whatever the score
        (row(quality=0.9, quality_reason="edit_failed"), "edit_failed"),
    ],
)
def test_each_rule(judged: Row, expected: str) -> None:
    assert reason(POLICY, judged) == expected


def test_a_task_may_have_a_value_of_its_own() -> None:
    assert reason(POLICY, row("deblur", quality=0.7)) == "edit_failed"
    assert reason(POLICY, row("deblur", quality=0.8)) == ""
    assert reason(POLICY, row("object_swap", alignment=0.1)) == "text_mismatch"
    assert reason(POLICY, row("object_swap", alignment=0.2)) == ""
    assert reason(POLICY, row("object_removal", alignment=-9.0)) == ""  # no value for this task


@pytest.mark.parametrize("undecided", UNDECIDED)
def test_who_did_not_judge_rejects_nothing(undecided: str) -> None:
    for name, score in (("quality", 0.0), ("alignment", -1.0), ("subtle", 1.0)):
        judged = row("object_swap", **{name: score, f"{name}_reason": undecided})
        assert reason(POLICY, judged) == ""
        (own,) = POLICY.with_reasons(frame([judged])).collect()[f"{name}_reason"]
        assert own == undecided  # and it is still told


def test_a_filter_that_is_off_rejects_nothing_but_still_says_what_it_found() -> None:
    off = POLICY.changed(off=("quality", "construction"))
    judged = row(construction_reason="not_aligned", quality=0.1, subtle=0.95)
    assert reason(off, judged) == "subtle"
    told = off.with_reasons(off.decide(frame([judged]))).collect().row(0, named=True)
    assert (told["construction_reason"], told["quality_reason"]) == ("not_aligned", "edit_failed")
    assert reason(off.changed(on=("quality",)), judged) == "edit_failed"
    assert off.changed(on=("quality", "construction")) == POLICY


def test_scores_and_all_other_columns_stay() -> None:
    rows = [row(quality=0.1), row("deblur", quality=0.9, subtle=0.2)]
    found = POLICY.with_reasons(POLICY.decide(frame(rows))).collect()
    columns = [name for name in rows[0] if name.endswith("_score") or name == "task"]
    assert found.select(columns).equals(frame(rows).select(columns).collect())
    assert found.columns == list(rows[0])


def test_a_verdict_of_another_policy_leaves_no_trace() -> None:
    strict = POLICY.changed({"quality": 0.99})
    rows = frame([row(quality=0.6), row(quality=0.2), row(subtle=0.95)])
    again = POLICY.decide(strict.decide(rows)).collect()
    assert again.equals(POLICY.decide(rows).collect())


def test_reasons_of_thresholds_can_be_taken_back() -> None:
    """As the rows of format 1 have them; another policy then decides by the scores alone."""
    rows = frame([row(quality=0.1), row(construction_reason="not_aligned"), row(subtle=0.95)])
    stored = POLICY.with_reasons(rows)
    assert stored.collect()["quality_reason"].to_list() == ["edit_failed", "", ""]
    assert POLICY.without_reasons(stored).collect().equals(rows.collect())


def test_a_new_value_holds_for_all_tasks_but_those_that_are_given_theirs() -> None:
    moved = POLICY.changed({"quality": 0.1}, {("quality", "inpainting"): 0.95})
    assert moved.thresholds[0] == dataclasses.replace(
        QUALITY, value=0.1, per_task={"inpainting": 0.95}
    )
    assert moved.thresholds[1:] == POLICY.thresholds[1:]
    assert POLICY.thresholds[0] == QUALITY  # the old one stays as it was
    both = POLICY.changed({"alignment": 0.3}, {("alignment", "object_swap"): 0.4})
    assert (both.thresholds[1].value, both.thresholds[1].per_task) == (0.3, {"object_swap": 0.4})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"values": {"construction": 0.5}}, "there are: quality, alignment, subtle"),
        ({"values": {"qualtiy": 0.5}}, "no filter 'qualtiy'"),
        ({"per_task": {("beauty", "deblur"): 0.5}}, "no filter 'beauty'"),
        ({"off": ("beauty",)}, "there are: construction, quality"),
        ({"on": ("beauty",)}, "there are: construction, quality"),
    ],
)
def test_an_unknown_filter_is_told_with_those_there_are(change: Row, told: str) -> None:
    with pytest.raises(EditmillError, match=told) as caught:
        POLICY.changed(**change)
    assert "\n" not in str(caught.value)


def test_a_document_says_all_of_it() -> None:
    policy = POLICY.changed(off=("subtle",))
    there = json.loads(json.dumps(policy.document()))
    assert Policy.from_document(there) == policy
    assert Policy.from_document(there).key == policy.key
    for other in (POLICY, policy.changed({"quality": 0.51}), Policy()):
        assert other.key != policy.key
    turned = dataclasses.replace(QUALITY, per_task={"b": 1.0, "a": 2.0})
    same = dataclasses.replace(QUALITY, per_task={"a": 2.0, "b": 1.0})
    assert Policy((turned,)).key == Policy((same,)).key


@pytest.mark.parametrize(
    "document", [{}, {"thresholds": []}, {"thresholds": [{"filter": "quality"}], "off": []}]
)
def test_what_is_no_policy(document: Row) -> None:
    with pytest.raises(EditmillError, match="a policy has thresholds and off"):
        Policy.from_document(document)


def _plain(policy: Policy, judged: Row) -> str:
    """The reason of one pair, as a reader would work it out by hand."""
    for name in SCORES:
        own, score = judged[f"{name}_reason"] or "", judged[f"{name}_score"]
        cut = next((each for each in policy.thresholds if each.filter == name), None)
        if not own and cut is not None and score is not None:
            limit = cut.per_task.get(judged["task"], cut.value)
            wrong = limit is not None and (
                score < limit if cut.bound == "at_least" else score > limit
            )
            own = cut.reason if wrong else ""
        if own and own not in UNDECIDED and name not in policy.off:
            return own
    return ""


TASKS = st.sampled_from(["deblur", "object_swap", "inpainting"])
NUMBERS = st.sampled_from([0.0, 0.25, 0.5]) | st.floats(-1, 1)
REASONS = st.sampled_from(["", "", "", "broken", *UNDECIDED]) | st.none()


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    cut = draw(st.lists(st.sampled_from(SCORES), unique=True))
    thresholds = tuple(
        Threshold(
            name,
            draw(st.sampled_from(["at_least", "at_most"])),
            f"bad {name}",
            draw(NUMBERS | st.none()),
            draw(st.dictionaries(TASKS, NUMBERS)),
        )
        for name in cut
    )
    return Policy(thresholds, tuple(sorted(draw(st.sets(st.sampled_from(SCORES))))))


@st.composite
def judgements(draw: st.DrawFn) -> Row:
    scores = {name: draw(NUMBERS | st.none()) for name in SCORES}
    reasons = {f"{name}_reason": draw(REASONS) for name in SCORES}
    return row(draw(TASKS), **scores, **reasons)


@given(policies(), st.lists(judgements(), max_size=8))
def test_columns_decide_as_the_rule_does_row_by_row(policy: Policy, rows: list[Row]) -> None:
    expected = [_plain(policy, judged) for judged in rows]
    assert decided(policy, *rows) == [(found == "", found) for found in expected]
    assert Policy.from_document(json.loads(json.dumps(policy.document()))) == policy
