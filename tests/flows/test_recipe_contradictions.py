"""A recipe that no clip, object or edit could satisfy is refused before anything is built."""

from __future__ import annotations

import pytest

from catalog.errors import EditmillError
from flows import recipe

HEAD = "name: tiny\nsources: [{kind: folder, path: videos}]\n"
CLIPS = HEAD + "plan: {weights: {deblur: 1}}\nclips: "
PEXELS = "name: tiny\nsources: [{kind: pexels, popular: true, %s}]\nplan: {weights: {deblur: 1}}\n"


def of_plan(fields: str, weights: str = "deblur: 1") -> str:
    return f"{HEAD}plan: {{weights: {{{weights}}}, {fields}}}\n"


def of_records(fields: str) -> str:
    return f"{HEAD}records: {{{fields}}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (of_plan("min_area: 0.5, max_area: 0.1"), "`min_area` is 0.5, above `max_area`, 0.1"),
        (of_plan("max_area: 0.002"), "`min_area` is 0.004, above `max_area`, 0.002"),
        (of_plan("max_area: 0"), "`plan.max_area`: Input should be greater than 0"),
        (of_plan("min_area: 2"), "`plan.min_area`: Input should be less than or equal to 1"),
        (
            of_plan("frames: 100, shortest_frames: 200"),
            "`shortest_frames` is 200, above `frames`, 100",
        ),
        (
            of_plan("long_side: 128, smallest_long_side: 4000"),
            "`smallest_long_side` is 4000, above `long_side`, 128",
        ),
        (
            of_plan("swaps_per_clip: 0", "object_swap: 1, deblur: 0"),
            "`swaps_per_clip` is 0, and `weights` draws nothing but object_swap",
        ),
        (
            CLIPS + "{min_frames: 34, max_frames: 33}",
            "`clips`: `min_frames` is 34, above `max_frames`, 33",
        ),
        (
            (CLIPS + "{min_frames: 50}").replace("videos", "videos, max_frames: 40"),
            "`sources.0.max_frames` is 40, below `clips.min_frames`, 50",
        ),
        (of_records("min_area: 0.5, max_area: 0.1"), "`min_area` is 0.5, above `max_area`, 0.1"),
        (
            of_records("min_area: 0.2, max_masked: 0.1"),
            "`min_area` is 0.2, above `max_masked`, 0.1",
        ),
        (of_records("max_masked: 0"), "`records.max_masked`: Input should be greater than 0"),
        (of_records("grow: [0.2, 0.1]"), "`records.grow`: goes from 0.2 to 0.1; give the lower"),
        (of_records("grow: [-1, 0.1]"), "`records.grow.0`: Input should be greater than or equal"),
        (of_records("paste_scale: [0, 1]"), "`records.paste_scale.0`: Input should be greater"),
        (
            PEXELS % "min_duration: 7, max_duration: 3",
            "`min_duration` is 7.0, above `max_duration`, 3.0",
        ),
        (PEXELS % "largest_side: 700", "`smallest_side` is 720, above `largest_side`, 700"),
        (of_plan("edits_per_clip: yes"), "`plan`: `edits_per_clip` needs a number"),
        (of_plan("frames: 9", "deblur: yes"), "`plan`: `weights.deblur` needs a number"),
        (
            HEAD + "plan: {weights: {deblur: 1}}\nmodels: {detect: {provider: grounding_dino, "
            "batch: yes}}",
            "`models.detect`: grounding_dino: `batch` needs a number",
        ),
    ],
)
def test_fields_that_exclude_each_other_are_named(text: str, says: str) -> None:
    with pytest.raises(EditmillError) as told:
        recipe.parse(text, "tiny.yaml")
    assert says in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        of_plan("min_area: 0.1, max_area: 0.1"),
        of_plan("frames: 17, shortest_frames: 17, max_area: 1, min_score: 0"),
        of_plan("swaps_per_clip: 0", "object_swap: 1, deblur: 1"),
        CLIPS + "{min_frames: 33, max_frames: 33}",
        of_records("grow: [0, 0], paste_scale: [1, 1], lines: 128, min_lines: 720"),
    ],
)
def test_bounds_that_leave_a_single_value_are_fine(text: str) -> None:
    recipe.parse(text, "tiny.yaml")
