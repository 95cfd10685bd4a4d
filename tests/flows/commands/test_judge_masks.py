"""What the judge stage hands to the filters: the made side as the task says, and its masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from catalog import media
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import SCORES, Clip, Pair, Track, from_row, to_row
from experts.edit.job import Side
from experts.edit.tasks import TASKS
from experts.licences import OutputLicence
from filters.base import Verdict
from filters.samples import pair_sample
from flows.recipe import parse
from flows.runtime.context import context
from flows.stages.edit import Edit
from flows.stages.instruct import InstructedEdit
from flows.stages.judging.judge import _pair
from flows.stages.judging.samples import masks_of
from tests.flows.tiny_training import FRAMES, HEIGHT, WIDTH, write_catalog, write_pairs

RECIPE = "name: tiny\nsources: [{kind: folder, path: v}]\nplan: {weights: {deblur: 1}}\n"


@pytest.mark.parametrize("task", TASKS)
def test_the_made_side_is_the_tasks(task: str) -> None:
    frames = np.zeros((17, 16, 16, 3), np.uint8)
    sample = pair_sample(
        task=task, source=frames, target=frames + np.uint8(1), masks=None, prompt="", label="",
        instruction="", source_id="", sizes=((16, 16), (16, 16)),
    )  # fmt: skip
    assert sample.made == TASKS[task].made_side
    real, made = sample.sides
    assert made is (sample.source if sample.made == "source" else sample.target)
    assert real is (sample.target if sample.made == "source" else sample.source)


def test_a_grounding_is_judged_by_its_objects_masks(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    written = write_catalog(root, sources=2)
    ctx = context(root, parse(RECIPE, "tiny"))
    (clip,) = (c for c in ctx.catalog.tables.records("clips") if c.clip_id == written.plan.clip_id)
    tracks = {t.track_id: t for t in ctx.catalog.tables.records("tracks")}
    track = tracks[written.plan.track_id]
    assert isinstance(clip, Clip) and isinstance(track, Track)
    plan = dataclasses.replace(
        written.plan, task="object_grounding", params={"tracks": [track.track_id]}
    )
    side = Side(clip.video, WIDTH, HEIGHT, FRAMES)
    edit = Edit(plan, clip, side, side, "", "grounding", "1", {})
    whole = media.read_masks(ctx.catalog.path(track.masks))
    masks = masks_of(ctx, edit)
    assert masks is not None and masks.any()
    assert np.array_equal(masks, whole[: plan.frames])
    assert masks_of(
        ctx, dataclasses.replace(edit, plan=dataclasses.replace(plan, task="deblur"))
    ) is (None)
    stored = masks_of(ctx, dataclasses.replace(edit, mask=track.masks))
    shown = np.rint(np.linspace(0, len(whole) - 1, 17)).astype(int)
    assert stored is not None and np.array_equal(stored, whole[shown])


def test_a_row_from_before_the_construction_filter_still_reads(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    write_catalog(root, sources=1)
    write_pairs(root)
    ctx = context(root, parse(RECIPE, "tiny"))
    row = to_row(ctx.catalog.tables.records("pairs")[0])
    old = row | {"construction_score": None, "construction_reason": None}
    pair = from_row(Pair, old)
    assert pair.construction_score is None and pair.construction_reason == ""


@pytest.mark.parametrize(
    ("licence", "columns"),
    [
        (OutputLicence("LicenseRef-X", False, "its page"), ("LicenseRef-X", False)),
        (None, ("", None)),
    ],
)
def test_a_pair_tells_the_licence_of_what_its_expert_made(licence, columns, tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    written = write_catalog(root, sources=1)
    (clip,) = context(root, parse(RECIPE, "tiny")).catalog.tables.records("clips")
    side = Side(clip.video, WIDTH, HEIGHT, FRAMES)
    edit = Edit(written.plan, clip, side, side, "", "tiny", "1", {}, output_licence=licence)
    said = InstructedEdit(edit, "Remove it.", "", "template", "", [], [])
    unasked = {name: Verdict(True, None, "not_measured") for name in SCORES}
    pair = _pair(said, unasked, {}, Policy())
    assert (pair.output_licence, pair.may_train) == columns
    assert from_row(Pair, to_row(pair)) == pair


def test_constants_of_the_checks_are_the_recipes() -> None:
    given = parse(f"{RECIPE}filters: {{construction: {{lines: {{least_lines: 0.001}}}}}}\n", "t")
    assert given.filters.construction == {"lines": {"least_lines": 0.001}}
    for wrong, there in (
        ("liens: {least_lines: 1}", "regions"),
        ("lines: {least: 1}", "most_lines"),
    ):
        with pytest.raises(EditmillError, match=there) as error:
            parse(f"{RECIPE}filters: {{construction: {{{wrong}}}}}\n", "t")
        assert "\n" not in str(error.value)
