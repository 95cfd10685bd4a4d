"""A swap through the stages: two clips of known people, the bank, the plan, the edit, the words."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from catalog import media
from catalog.errors import EditmillError
from catalog.records import Clip, Track, to_row
from experts.annotate.clip import AnnotatedClip
from experts.edit.tasks import TASKS
from experts.plan.bank import Bank
from experts.write.request import request_for
from flows.recipe import parse
from flows.runtime.context import Context, context
from flows.runtime.shard import Shard
from flows.stages import bank, edit, plan
from flows.stages.clips import annotate
from flows.stages.donor_index import DonorIndex
from flows.stages.judging.judge import _licence
from flows.stages.recorded import ClipReference, recorded

pytestmark = pytest.mark.weights

HEIGHT, WIDTH, FRAMES, FPS = 192, 320, 9, 5
TOP, TALL, WIDE = 70, 84, 36
RECIPE = """
name: tiny
sources: [{kind: folder, path: v}]
plan: {weights: {object_swap: 1}, edits_per_clip: 1, max_invented: 1, frames: 8}
"""


def known_clip(ctx: Context, name: str, colour: tuple[int, int, int]) -> AnnotatedClip:
    """A block as tall as a person that goes 8 px a frame before a street of soft noise; each place
    behind it is seen in some frame, so nothing is inpainted."""
    rng = np.random.default_rng(len(name))
    street = cv2.GaussianBlur(rng.normal(120, 90, (HEIGHT, WIDTH, 3)), (0, 0), 1.5)
    frames = np.repeat(np.clip(street, 0, 255).astype(np.uint8)[None], FRAMES, 0)
    masks = np.zeros(frames.shape[:3], bool)
    boxes: list[float] = []
    stripes = (np.arange(TALL)[:, None, None] // 6 % 2) * 30 - 15
    for k in range(FRAMES):
        left = 110 + 8 * k
        masks[k, TOP : TOP + TALL, left : left + WIDE] = True
        boxes += [left, TOP, left + WIDE, TOP + TALL]
        frames[k, TOP : TOP + TALL, left : left + WIDE] = np.clip(colour + stripes, 0, 255)
    with ctx.catalog.media.writing(".mp4") as video:
        media.write_video(video.path, frames, FPS, crf=10)
    with ctx.catalog.media.writing(".mkv") as mask:
        media.write_masks(mask.path, masks, FPS)
    clip = Clip(name, f"s-{name}", name, "MIT", video.ref, 0, FRAMES, FPS, WIDTH, HEIGHT)
    sure, area = [1.0] * FRAMES, float(masks.mean())
    track = Track(f"t-{name}", name, "person", 0.9, mask.ref, 0, FRAMES - 1, sure, area, boxes)
    return AnnotatedClip(clip, [track])


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, list[edit.Edit]]:
    ctx = context(tmp_path_factory.mktemp("swap") / "catalog", parse(RECIPE, "tiny"))
    shard = [known_clip(ctx, "red", (190, 40, 40)), known_clip(ctx, "green", (40, 150, 60))]
    for each in shard:  # as the stage before leaves them; no table is read
        document = {"tracks": list(map(to_row, each.tracks)), "caption": "", "camera": []}
        page = ctx.catalog.products.page(annotate.STAGE, each.clip.clip_id)
        page.put({annotate.key(ctx, each.clip): document})
    banked = Shard(bank.run(ctx, shard))
    with DonorIndex() as index:
        index.add(banked)
        sample = bank.keep_sample(ctx, index.sample())
        ((again, sources),) = index.shards()
    assert (again, again.name) == (banked, banked.name)
    planned = plan.run_donated_swaps(ctx, again, sources, sample)
    assert planned == plan.run_swaps(ctx, shard, Bank(bank.candidates(ctx, shard)))
    return ctx, edit.run(ctx, planned)


def pixels(ctx: Context, ref: str) -> np.ndarray:
    return media.read_video(Path(ctx.catalog.path(ref))).astype(int)


def test_each_takes_the_others_place_and_the_target_is_real(swapped) -> None:
    ctx, edits = swapped
    assert [e.plan.phrase for e in edits] == ["person in red", "person in green"]
    assert TASKS["object_swap"].made_side == "source"
    for made, before, after in zip(edits, (1, 0), (0, 1), strict=True):
        source, target = pixels(ctx, made.source.video), pixels(ctx, made.target.video)
        masks = media.read_masks(ctx.catalog.path(made.mask))
        core = masks.copy()
        for t, mask in enumerate(core):
            core[t] = cv2.erode(mask.astype(np.uint8), np.ones((21, 21))) > 0
        assert source[core].mean(0).argmax() == before  # the other's colour
        assert target[core].mean(0).argmax() == after
        assert np.abs(source - target)[~masks].mean() < 2  # the codec's


def test_the_footage_is_the_clips_own(swapped) -> None:
    ctx, edits = swapped
    for made in edits:
        shown = made.plan
        x, y, width, height = shown.crop
        whole = media.read_video(ctx.catalog.path(made.clip.video), first=shown.first_frame)
        part = whole[: shown.frames, y : y + height, x : x + width]
        real = media.crop_resize(part, (shown.height, shown.width))
        assert np.abs(pixels(ctx, made.target.video) - real).mean() < 3


def test_the_plan_names_the_donor(swapped) -> None:
    _, edits = swapped
    donors = [e.plan.params["donor"]["clip_id"] for e in edits]
    assert donors == ["green", "red"]
    assert all(e.info["covered"] > 0.6 for e in edits)


def test_the_words_are_asked_for_both(swapped) -> None:
    made = swapped[1][0]
    wanted = request_for(made.plan, made.clip)
    assert (wanted.other, wanted.label) == ("person in green", "person in red")


def test_a_clip_that_is_gone_from_the_journal_is_named(swapped) -> None:
    ctx = swapped[0]
    gone = dataclasses.replace(swapped[1][0].clip, clip_id="gone")
    with pytest.raises(EditmillError, match="clip gone is gone from the journal; run again"):
        list(recorded(ctx, [ClipReference(gone, ())]))


def test_both_clips_licences_hold() -> None:
    assert _licence("MIT", "MIT") == "MIT"
    assert _licence("MIT", "") == "MIT"
    assert _licence("MIT", "CC-BY-4.0") == "CC-BY-4.0 AND MIT"
    assert _licence("MIT", "GPL-2.0 OR MIT") == "(GPL-2.0 OR MIT) AND MIT"
