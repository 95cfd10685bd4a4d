"""A release holds what its recipe asks for: nothing of another recipe, of another expert, of
footage that is gone, or of a build that is still at work. Through the stages, from clips on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import catalog
from catalog import media
from catalog.diff.pairs import changes
from catalog.records import Clip, Release
from experts.annotate.clip import AnnotatedClip
from experts.edit.degrade.deblur import Blurring
from flows.recipe import parse
from flows.release.tag import publish_release
from flows.runtime.context import Context, context
from flows.runtime.selection import PartsByTable, parts, select, settle
from flows.stages import edit, plan
from flows.stages.edit import Edit
from flows.stages.instruct import InstructedEdit
from flows.stages.judging import judge

pytestmark = pytest.mark.weights  # every pair is judged

RECIPE = """
name: tiny
seed: {seed}
sources: [{{kind: folder, path: v}}]
plan: {{edits_per_clip: 2, frames: 8, long_side: 128, weights: {weights}}}
filters: {{subtle: {subtle}}}
"""
BOTH = "{deblur: 1, colorization: 1}"
HEIGHT, WIDTH, FRAMES, FPS = 96, 128, 10, 25.0


class Build:
    """One build, stage by stage, of clips that are given."""

    def __init__(self, root: Path, weights: str = BOTH, seed: int = 0, subtle: float = 0.9) -> None:
        recipe = parse(RECIPE.format(weights=weights, seed=seed, subtle=subtle), "tiny")
        self.ctx: Context = context(root, recipe)
        self.ctx.catalog = select(self.ctx.catalog, recipe)
        self.ctx.catalog.become_main()
        self.before: PartsByTable = parts(self.ctx.catalog.tables)

    def make(self, names: str) -> Build:
        """All stages after the annotation, of the clips `ab`."""
        return self.make_of([known_clip(self.ctx, name) for name in names])

    def make_of(self, clips: Sequence[Clip]) -> Build:
        self.ctx.catalog.tables.put("clips", {clip.clip_id: [clip] for clip in clips})
        planned = plan.run(self.ctx, [AnnotatedClip(clip, []) for clip in clips])
        judge.run(self.ctx, [_said(made) for made in edit.run(self.ctx, planned)])
        return self

    def release(self) -> Release:
        return publish_release(self.ctx, None, settle(self.ctx.catalog.tables, self.before))

    def made(self, stage: str) -> tuple[int, int]:
        """How many records were made, and how many found in the journal."""
        stats = self.ctx.stats.stage(stage)
        return stats.done, stats.reused


def _said(made: Edit) -> InstructedEdit:
    return InstructedEdit(made, "Do it.", "", "template", "", ["Do it."], ["template"])


def known_clip(ctx: Context, name: str) -> Clip:
    """Noise that drifts: there is something to blur, and colour to take away."""
    rng = np.random.default_rng(ord(name))
    wide = rng.integers(0, 255, (24, 48, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = np.stack([wide[:, 3 * k : 3 * k + WIDTH] for k in range(FRAMES)])
    with ctx.catalog.media.writing(".mp4") as video:
        media.write_video(video.path, frames, FPS, crf=10)
    return Clip(name, f"s-{name}", name, "MIT", video.ref, 0, FRAMES, FPS, WIDTH, HEIGHT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "catalog"


def held(root: Path, ref: str = "main") -> list[tuple[str, str]]:
    """Clip and task of each pair at the ref, sorted. All are of the clips and plans it holds."""
    at = catalog.open(root, ref=ref)
    pairs = at.pairs().select("clip_id", "task", "plan_id").collect()
    assert set(pairs["plan_id"]) == set(at.table("plans").collect()["plan_id"])
    assert set(pairs["clip_id"]) == set(at.clips().collect()["clip_id"])
    return sorted(pairs.select("clip_id", "task").iter_rows())


def tasks(names: str, *of: str) -> list[tuple[str, str]]:
    return sorted((name, task) for name in names for task in of or ("colorization", "deblur"))


def test_a_release_counts_what_it_holds(root: Path) -> None:
    release = Build(root).make("ab").release()
    assert (release.tag, held(root)) == ("v1", tasks("ab"))
    kept = dict(catalog.open(root).pairs().group_by("task").agg(pl.sum("keep")).collect().rows())
    assert release.counts["tasks"] == {
        task: {"made": 2, "kept": kept[task]} for task in ("colorization", "deblur")
    }
    assert release.counts["tables"]["pairs"] == release.counts["tables"]["plans"] == 4
    again = Build(root).make("ab")
    assert (again.made("edit"), again.made("judge")) == ((0, 4), (0, 4))
    assert again.release() == release


def test_a_dropped_task_is_in_no_later_release(root: Path) -> None:
    first = Build(root).make("ab").release()
    fewer = Build(root, "{deblur: 1}").make("ab")
    assert fewer.made("edit") == (0, 2)  # they are there
    assert fewer.release().tag == "v2"
    assert held(root) == held(root, "v2") == tasks("ab", "deblur")
    assert held(root, "v1") == tasks("ab")
    assert Build(root).make("ab").release() == first  # whoever asks for both again has v1
    assert held(root) == tasks("ab")


def test_removed_footage_is_in_no_later_release(root: Path) -> None:
    Build(root).make("abc").release()
    shorter = Build(root).make("ac")
    assert shorter.made("edit") == (0, 4)
    assert shorter.release().tag == "v2"
    assert held(root) == held(root, "v2") == tasks("ac")
    assert held(root, "v1") == tasks("abc")
    Build(root).make("abc").release()  # it comes back
    assert held(root, "v3") == tasks("abc")
    assert not changes(root, "v1", "v3")


def test_what_could_not_be_listed_stays(root: Path) -> None:
    Build(root).make("abc").release()
    one = Build(root).make("a")  # a server did not answer, which has the others
    assert settle(one.ctx.catalog.tables, one.before, keep=True) == []
    assert publish_release(one.ctx, None, []).tag == "v1"  # nothing changed
    assert held(root) == tasks("abc")


def test_another_version_of_an_expert_takes_the_place_of_the_old_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Build(root).make("a").release()
    old = _versions(root, "v1")
    monkeypatch.setattr(Blurring, "version", "the next")
    newer = Build(root).make("a")
    assert newer.made("edit") == (1, 1)  # only its own edits are made anew
    newer.release()
    assert _versions(root, "v2") == old | {"deblur": "the next"}
    assert _versions(root, "v1") == old
    assert held(root, "v1") == held(root, "v2") == tasks("a")
    monkeypatch.undo()
    assert Build(root).make("a").release().tag == "v1"


def _versions(root: Path, ref: str) -> dict[str, str]:
    pairs = catalog.open(root, ref=ref).pairs().select("task", "expert_version").collect()
    return dict(pairs.iter_rows())


def test_another_seed_is_another_selection(root: Path) -> None:
    Build(root).make("a").release()
    Build(root, seed=1).make("a").release()
    one, other = (catalog.open(root, ref=ref).pairs().collect() for ref in ("v1", "v2"))
    assert len(one) == len(other) == 2
    assert not set(one["pair_id"]) & set(other["pair_id"])


def test_another_threshold_is_the_same_selection_under_another_policy(root: Path) -> None:
    first = Build(root).make("a").release()
    moved = Build(root, subtle=0.5).make("a")
    assert (moved.made("edit"), moved.made("judge")) == ((0, 2), (0, 2))
    second = moved.release()
    assert (second.tag, second.selection) == ("v2", first.selection)
    assert second.tables["pairs"] == first.tables["pairs"]  # not a row was written
    cuts = [
        {cut["filter"]: cut["value"] for cut in r.policy["thresholds"]} for r in (first, second)
    ]
    assert [cut["subtle"] for cut in cuts] == [0.9, 0.5]


def test_recipes_at_work_at_once_do_not_see_each_other(root: Path) -> None:
    one, other = Build(root), Build(root, "{upscaling: 1}")
    one.make("a")
    other.make("ab")
    one.make("b")
    of_one, of_other = one.release(), other.release()
    assert held(root, of_one.tag) == tasks("ab")
    assert held(root, of_other.tag) == tasks("ab", "upscaling")
    assert held(root) == tasks("ab", "upscaling")  # main is the one that began last
    assert set(of_other.counts["tasks"]) == {"upscaling"}


def test_what_another_build_of_the_recipe_is_still_making_is_left_out(root: Path) -> None:
    one = Build(root).make("a")
    other = Build(root).make("b")  # of other footage, begun before the first one ended
    released = one.release()
    assert held(root, released.tag) == tasks("a")
    assert released.without == ["b"]
    assert released.counts["tasks"]["deblur"]["made"] == 1
    assert released.counts["tables"]["clips"] == 1
    other.make("a")
    assert held(root, other.release().tag) == tasks("ab")
    assert held(root, released.tag) == tasks("a")


def test_failures_are_those_of_the_recipes_own_edits(root: Path) -> None:
    broken = Build(root)
    clip = known_clip(broken.ctx, "a")
    stored = broken.ctx.catalog.path(clip.video)
    whole = stored.read_bytes()
    stored.write_bytes(b"no video")
    broken.make_of([clip])
    assert _failed(root, broken.release().tag) == {("edit", "colorization"), ("edit", "deblur")}
    stored.write_bytes(whole)
    other = Build(root, "{upscaling: 1}").make("a")
    assert _failed(root, other.release().tag) == set()
    assert _failed(root, "v1") == {("edit", "colorization"), ("edit", "deblur")}


def _failed(root: Path, ref: str) -> set[tuple[str, str]]:
    rows = catalog.open(root, ref=ref).failures().select("stage", "record").collect()
    return {(stage, record.split()[0]) for stage, record in rows.iter_rows()}
