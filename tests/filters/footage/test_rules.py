"""The recipe's section, and refusals on both sides of every threshold."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import EditmillError
from catalog.validated import validated
from filters.footage.models import switched_off
from filters.footage.rules import FootageRules, refusal

GOOD = {
    "samples": 20.0,
    "luma": 110.0,
    "black_share": 0.0,
    "static_share": 0.0,
    "slides": 0.0,
    "slide_share": 0.0,
    "flat_area": 0.2,
    "drawn_area": 0.0,
    "text_area": 0.01,
    "overlay_area": 0.0,
}


def reason(measures: dict[str, float], rules: FootageRules | None = None, **size: float) -> str:
    given = {"width": 640, "height": 360, "seconds": 8.0} | size
    found = refusal(GOOD | measures, rules or FootageRules(), **given)
    if found is None:
        return ""
    assert "\n" not in found[1]
    assert "footage." in found[1]
    return found[0]


@pytest.mark.parametrize(
    ("key", "measure", "also", "expected"),
    [
        ("black", "black_share", {}, "black"),
        ("still", "static_share", {}, "still"),
        ("slide_show", "slide_share", {"slides": 2.0}, "slide_show"),
        ("screen", "drawn_area", {"flat_area": 0.5}, "screen_recording"),
        ("text", "text_area", {}, "text_heavy"),
        ("watermark", "overlay_area", {}, "watermark"),
    ],
)
def test_each_threshold_has_two_sides(key: str, measure: str, also: dict, expected: str) -> None:
    least = getattr(FootageRules(), key)
    assert reason({measure: least, **also}) == expected
    assert reason({measure: math.nextafter(least, 0), **also}) == ""
    assert reason({measure: 1.0, **also}, FootageRules.model_validate({key: None})) == ""
    assert reason({measure: 0.9 * least, **also}, FootageRules.model_validate({key: 0.8 * least}))


def test_sizes_and_lengths() -> None:
    rules = FootageRules(smallest_side=240, shortest_seconds=1.0)
    assert reason({}, rules, width=240, height=426) == ""
    assert reason({}, rules, width=239, height=426) == "too_small"
    assert reason({}, rules, seconds=1.0) == ""
    assert reason({}, rules, seconds=0.99) == "too_short"
    assert reason({}, width=8, height=8, seconds=0.1) == ""


def test_one_held_picture_is_no_slide_show() -> None:
    assert reason({"slide_share": 1.0, "slides": 1.0}) == ""


def test_fog_is_flat_but_not_drawn_and_a_fence_is_drawn_but_not_flat() -> None:
    assert reason({"flat_area": 0.9, "drawn_area": 0.001}) == ""
    assert reason({"flat_area": 0.3, "drawn_area": 0.02}) == ""


def test_switches_refuse_only_when_on() -> None:
    shown = {"nsfw": 0.99, "face_share": 1.0}
    assert reason(shown) == ""
    assert reason(shown, FootageRules(nsfw=True)) == "nsfw"
    assert reason(shown, FootageRules(faces=True)) == "faces"
    assert reason({"nsfw": 0.79, "face_share": 1 / 6}, FootageRules(nsfw=True, faces=True)) == ""


def test_what_is_off_is_said() -> None:
    off = switched_off(FootageRules())
    assert len(off) == 2
    assert "nsfw: true" in off[0]
    assert "faces: true" in off[1]
    assert switched_off(FootageRules(nsfw=True, faces=True)) == []


def test_the_message_has_the_figure_and_the_key() -> None:
    found = refusal({"text_area": 0.31}, FootageRules(), 640, 360, 8.0)
    assert found == (
        "text_heavy",
        "text takes 31 % of the picture, 15 % are enough to refuse it; if it is good, "
        "set footage.text higher, or to null",
    )


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.floats(0, 1)), st.sampled_from(
    ["black", "still", "slide_show", "screen", "text", "watermark"]))  # fmt: skip
def test_a_rule_taken_away_never_refuses_more(measures: dict[str, float], key: str) -> None:
    strict, loose = FootageRules(), FootageRules.model_validate({key: None})
    if refusal(measures, strict, 640, 360, 8.0) is None:
        assert refusal(measures, loose, 640, 360, 8.0) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"blck": 0.5}, "unknown key `blck`"),
        ({"text": 1.5}, "`text`"),
        ({"smallest_side": 0}, "`smallest_side`"),
        ({"nsfw": "perhaps"}, "`nsfw`"),
    ],
)
def test_a_wrong_section_is_one_line(given: dict, said: str) -> None:
    with pytest.raises(EditmillError, match=said):
        validated(FootageRules, given, "recipe.yaml")
