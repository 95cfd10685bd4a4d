"""Local-editing records of clips whose objects are known, and through the command."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import catalog
from catalog import media
from catalog.errors import BadInput
from catalog.records import Clip, LocalEdit, Track
from catalog.samples.local_edit import read
from experts.annotate.clip import AnnotatedClip
from experts.local_edits.captions import DELETION
from experts.local_edits.draw import DraftedClip
from experts.local_edits.draw import draw as draw_records
from experts.local_edits.make import exact_masks
from experts.local_edits.working import WorkingClip
from experts.masks.geometry import box_of
from experts.masks.kinds import KINDS, augment
from experts.weights import fetch
from flows.cli import app
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.stages.local_edits import draw, local_edit
from flows.stages.local_edits.mask_index import lend

HEIGHT, WIDTH, FRAMES, FPS = 144, 256, 20, 10
RECIPE = """
name: tiny
sources: [{kind: folder, path: v}]
records: {per_clip: 12, images_per_video: 0.5, min_seconds: 1, min_lines: 128}
"""


def known_clip(ctx: Context, name: str, colour: tuple[int, int, int], step: int) -> AnnotatedClip:
    """A square on the left that goes `step` px a frame over a calm wall and a busy floor."""
    rng = np.random.default_rng(len(name))
    floor = rng.integers(60, 200, (6, WIDTH // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    wall = rng.integers(120, 130, (HEIGHT - 48, WIDTH, 3), np.uint8)
    frames = np.repeat(np.concatenate([wall, floor])[None], FRAMES, 0)
    masks = np.zeros(frames.shape[:3], bool)
    boxes = []
    for k in range(FRAMES):
        left = 20 + step * k
        masks[k, 90:122, left : left + 24] = True
        boxes += [left, 90, left + 24, 122]
    grain = (
        rng.integers(-25, 25, (8, 6, 1)).repeat(4, 0).repeat(4, 1)
    )  # flow needs something to see
    for frame, mask in zip(frames, masks, strict=True):
        frame[mask] = (np.array(colour) + grain).clip(0, 255).reshape(-1, 3)
    with ctx.catalog.media.writing(".mp4") as video:
        media.write_video(video.path, frames, FPS, crf=10)
    with ctx.catalog.media.writing(".mkv") as mask:
        media.write_masks(mask.path, masks, FPS)
    clip = Clip(
        name, f"source-{name}", f"{name}.mp4", "MIT", video.ref, 0, FRAMES, FPS, WIDTH, HEIGHT
    )
    area = float(masks.mean())
    sure = [1.0] * FRAMES
    track = Track(f"track-{name}", name, "car", 0.9, mask.ref, 0, FRAMES - 1, sure, area, boxes)
    return AnnotatedClip(clip, [track])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, list[DraftedClip]]:
    ctx = context(tmp_path_factory.mktemp("local") / "catalog", parse(RECIPE, "tiny"))
    clips = [known_clip(ctx, "one", (200, 30, 30), 6), known_clip(ctx, "other", (30, 60, 200), 3)]
    assert ctx.recipe.records is not None
    scenes = draw.run(ctx, lend(clips, ctx.recipe.records, ctx.recipe.seed))
    local_edit.run(ctx, scenes)
    return ctx, scenes


def rows(ctx: Context) -> list[LocalEdit]:
    found: list[LocalEdit] = ctx.catalog.tables.records("local_edits")
    return found


def test_both_subsets_and_all_tasks_are_there(built) -> None:
    ctx, scenes = built
    edits = rows(ctx)
    assert not ctx.catalog.failures().collect().height
    assert {(e.subset, e.task) for e in edits} == {
        (subset, task)
        for subset in ("video", "image")
        for task in ("addition", "modification", "deletion")
    }
    assert {e.mask_kind for e in edits} == set(KINDS)
    # 3:1 of what is drawn to what is taken away, of 12 videos and of 6 images.
    assert [sum(d.task == "deletion" for d in s.drafts) for s in scenes] == [3 + 2, 3 + 2]
    assert all(e.frames == 1 and e.first_frame == 0 for e in edits if e.subset == "image")


def test_a_row_gives_x_m_masked_and_captions(built) -> None:
    ctx, _ = built
    for row in catalog.open(Path(ctx.uri)).local_edits().collect().iter_rows(named=True):
        sample = read(ctx.catalog, row)
        assert sample.x.shape == (row["frames"], row["height"], row["width"], 3)
        assert sample.m.shape == sample.x.shape[:3]
        assert (sample.masked[sample.m] == 0).all()
        assert (sample.masked[~sample.m] == sample.x[~sample.m]).all()
        assert sample.m[0].any()
        assert row["mask_area"] == pytest.approx(sample.m.mean(), abs=1e-4)
    assert not list(Path(ctx.uri).glob("media/*/*masked*"))


def test_masks_follow_from_their_rows(built) -> None:
    """Byte for byte: what a row says is enough to make its mask again."""
    ctx, scenes = built
    by_clip = {s.clip.clip_id: WorkingClip(ctx.catalog, s) for s in scenes}
    for edit in rows(ctx):
        again = augment(exact_masks(edit, by_clip[edit.clip_id]), edit.mask_kind, edit.grow)
        stored = media.read_masks(ctx.catalog.path(edit.mask))
        assert (again == stored).all(), edit


def test_captions_say_what_is_known(built) -> None:
    for edit in rows(built[0]):
        if edit.task == "deletion":
            assert {edit.caption_short, edit.caption_medium, edit.caption_long} == {DELETION}
            assert edit.caption_by == "fixed"
            continue
        colour = "red" if edit.clip_id == "one" else "blue"
        goes = "driving right" if edit.subset == "video" else "on the left"
        assert edit.caption_short == f"a {colour} car {goes}"
        assert f"a {colour} car at the bottom left of the picture" in edit.caption_medium


def test_motion_is_measured_for_videos_only(built) -> None:
    for edit in rows(built[0]):
        if edit.subset == "image":
            assert edit.motion_foreground is None and edit.motion_relative is None
        else:
            assert edit.motion_background == pytest.approx(0, abs=0.3)
            if edit.mask_kind == "exact" and edit.task != "deletion":
                step = 6 if edit.clip_id == "one" else 3
                assert edit.motion_relative == pytest.approx(step, rel=0.35)


def test_a_deletion_lies_on_background_and_moves_as_it_says(built) -> None:
    ctx, scenes = built
    objects = {
        s.clip.clip_id: media.read_masks(ctx.catalog.path(s.tracks[0].masks)) for s in scenes
    }
    for edit in rows(ctx):
        if edit.task != "deletion":
            continue
        assert edit.track_id.removeprefix("track-") != edit.clip_id
        assert edit.params["detail"] <= edit.params["usual_detail"]
        footage = WorkingClip(
            ctx.catalog, next(s for s in scenes if s.clip.clip_id == edit.clip_id)
        )
        exact = exact_masks(edit, footage)
        assert not (exact & objects[edit.clip_id][: edit.frames]).any()
        boxes = np.array([box_of(m) for m in exact])
        if edit.propagation == "background":  # the camera stands still
            assert np.abs(boxes - boxes[0]).max() == 0
        elif edit.propagation == "trajectory":
            assert boxes[-1, 0] > boxes[0, 0] + 10


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_both_ways_of_moving_a_pasted_mask(built, share: float) -> None:
    ctx, scenes = built
    rules = ctx.recipe.records.model_copy(update={"background_share": share})
    scene = dataclasses.replace(scenes[0], drafts=[])
    drafts = [d for d in draw_records(scene, rules, 0) if d.task == "deletion"]
    moves = {d.propagation for d in drafts if d.subset == "video"}
    assert moves == ({"background"} if share else {"trajectory"})


def test_a_pasted_mask_rides_on_the_background(tmp_path: Path) -> None:
    asked = "per_clip: 4, images_per_video: 0, background_share: 1"
    text = RECIPE.replace("per_clip: 12, images_per_video: 0.5", asked)
    ctx = context(tmp_path / "catalog", parse(text, "tiny"))
    assert ctx.recipe.records is not None
    lender = known_clip(ctx, "lender", (30, 60, 200), 3)
    rng = np.random.default_rng(0)
    wide = rng.integers(110, 140, (HEIGHT // 8, 48, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    frames = np.stack([wide[:, 3 * k : 3 * k + WIDTH] for k in range(FRAMES)])
    with ctx.catalog.media.writing(".mp4") as video:
        media.write_video(video.path, frames, FPS, crf=10)
    clip = Clip("pan", "source-pan", "pan", "MIT", video.ref, 0, FRAMES, FPS, WIDTH, HEIGHT)
    scenes = lend([AnnotatedClip(clip, []), lender], ctx.recipe.records, 0)[:1]
    edits = local_edit.run(ctx, draw.run(ctx, scenes))
    assert [e.propagation for e in edits] == ["background"]
    exact = exact_masks(
        edits[0], WorkingClip(ctx.catalog, dataclasses.replace(scenes[0], drafts=edits))
    )
    lefts = np.array([box_of(m)[0] for m in exact if m.any()])
    assert np.diff(lefts).mean() == pytest.approx(-3, abs=0.3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"min_seconds": 5}, "too_short"), ({"min_lines": 720}, "too_small")],
)
def test_what_the_paper_leaves_out_is_a_failure(built, change: dict, reason: str) -> None:
    ctx, scenes = built
    rules = ctx.recipe.records.model_copy(update=change)
    with pytest.raises(BadInput) as raised:
        draw_records(scenes[0], rules, 0)
    assert raised.value.reason == reason


def test_the_defaults_are_the_papers() -> None:
    rules = parse("name: a\nsources: [{kind: folder, path: v}]\nrecords: {}\n", "a").records
    assert rules is not None
    assert (rules.min_seconds, rules.min_lines, rules.images_per_video) == (5, 720, 10)
    weights = rules.weights
    assert weights["addition"] + weights["modification"] == 3 * weights["deletion"]


CLI_RECIPE = """
name: tiny-records
sources: [{{kind: folder, path: {folder}, licence: MIT}}]
clips: {{min_frames: 8, max_frames: 33, per_source: 1}}
annotate: {{keyframe_seconds: 1, max_objects: 1}}
records: {{per_clip: 4, images_per_video: 1, min_seconds: 1, min_lines: 200}}
run: {{shard_size: 1}}
"""


@pytest.mark.weights
@pytest.mark.timeout(600)
def test_a_build_through_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "footage"
    folder.mkdir()
    frames = media.read_video(fetch("clip_motorway"), count=8)
    media.write_video(folder / "motorway.mp4", media.crop_resize(frames, (270, 480)), 8)
    (folder / "broken.mp4").write_bytes(b"no video")
    # Nothing to find: one lends no masks and is given some, the other is too small for that.
    rng = np.random.default_rng(0)
    for name, lines in (("floor", 240), ("small", 96)):
        wide = rng.integers(90, 110, (lines // 8, 60, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        drift = np.stack([wide[:, 2 * k : 2 * k + 320] for k in range(25)])
        media.write_video(folder / f"{name}.mp4", drift, 25)
    recipe = tmp_path / "records.yaml"
    recipe.write_text(CLI_RECIPE.format(folder=folder))

    out = tmp_path / "out"
    command = ["build", str(recipe), "--out", str(out)]

    def build(*options: str) -> str:
        done = CliRunner().invoke(app, [*command, *options], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    outcome = json.loads(build("--json"))
    assert outcome["product"] == "local_edits"
    assert outcome["totals"]["made"] >= 8
    tasks = {line["task"]: line["made"] for line in outcome["tasks"]}
    assert all(tasks.values()), tasks
    failed = catalog.open(out).sql("select reason from failures")
    assert {"corrupt_video", "too_small"} <= set(failed["reason"])
    counted = catalog.open(out).sql("select sum(count) n from statistics where name = 'task'")
    assert counted.item() == outcome["totals"]["made"]
    page = (out / "report.html").read_text()
    assert "<svg" in page and DELETION in page
    before = catalog.open(out).local_edits().collect()
    assert "Nothing was left to do" in build()

    # Without the note of the finished build everything is drawn anew, and found in the journal.
    for note in (out / "work" / "build").rglob("*.json"):
        note.unlink()
    again = json.loads(build("--json"))
    stages = {line["stage"]: line for line in again["stages"]}
    assert stages["local_edit"]["reused"] == stages["local_edit"]["records"]
    assert catalog.open(out).local_edits().collect().sort("edit_id").equals(before.sort("edit_id"))
    assert again["release"] == outcome["release"]
