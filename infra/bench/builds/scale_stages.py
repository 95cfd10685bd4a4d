"""A build's stages with no model and no pixel: what is left is what the build itself costs.

Each stage is the real one; only what decodes, encodes or asks a model is replaced, by a record of
the same shape after a sleep. A clip has four objects, a few of which are sure enough for a swap.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from catalog.keys import digest
from catalog.records import FILTER_SCORES, Clip, Source, Track, to_row
from experts.edit.swap.appearance import GRID
from filters.footage.duplicates.fingerprint import Fingerprint, FrameHash
from flows import pipelines
from flows.runtime.context import Context
from flows.stages import bank, edit, instruct, plan
from flows.stages.clips import annotate, ingest, look
from flows.stages.judging import judge
from flows.stages.tasks import stage_task

FRAMES, WIDTH, HEIGHT = 49, 640, 360
LABELS = ("car", "truck", "bus", "motorcycle")
SURE = 25
"""One object in so many is sure enough for a swap, so that matching does not drown the rest."""

ASLEEP = "sleep-"
"""A recipe whose name begins so sleeps as many hundredths of a second in each record."""


def _sleep(ctx: Context) -> None:
    if ctx.recipe.name.startswith(ASLEEP):
        time.sleep(int(ctx.recipe.name.removeprefix(ASLEEP)) / 100)


def media_of(*what: object) -> str:
    """A reference to nothing."""
    name = hashlib.sha256(repr(what).encode()).hexdigest()
    return f"media/{name[:2]}/{name}.mp4"


def _look(self: Any, file: Any, content: str) -> dict[str, Any]:
    _sleep(self.ctx)
    rng = np.random.default_rng(int(content[:15], 16))
    bits = rng.integers(0, 1 << 63, (4, 3), dtype=np.uint64)
    samples = tuple(FrameHash(500 * k, *map(int, row)) for k, row in enumerate(bits))
    source = Source(
        source_id=content,
        name=file.name,
        uri=file.uri,
        licence=file.licence,
        width=WIDTH,
        height=HEIGHT,
        fps=25.0,
        frames=FRAMES,
        codec="h264",
        fingerprint=Fingerprint(content[:16], samples).document(),
        measures={},
    )
    return {"source": to_row(source), "shots": [(0, FRAMES)]}


def _cut(ctx: Context, look: look.Look) -> dict[str, Any]:
    _sleep(ctx)
    source = look.source
    video = media_of("clip", source.source_id)
    clip = Clip(
        digest("clip", video),
        source.source_id,
        source.uri,
        source.licence,
        video,
        0,
        FRAMES,
        25.0,
        WIDTH,
        HEIGHT,
    )
    return {"clips": [to_row(clip)]}


def _annotate(ctx: Context, clip: Clip, *_: object) -> dict[str, Any]:
    _sleep(ctx)
    rng = np.random.default_rng(int(clip.clip_id[:15], 16))
    tracks = []
    for k in range(len(LABELS)):
        x, y, step = 20 + 150 * k, rng.uniform(140, 160), rng.uniform(-0.4, 0.4)
        boxes = [[x + step * t, y, x + step * t + 90, y + 80] for t in range(FRAMES)]
        tracks.append(
            Track(
                track_id=digest("track", clip.clip_id, k),
                clip_id=clip.clip_id,
                label=LABELS[k],
                score=0.9 if rng.integers(SURE) == 0 else 0.3,
                masks=media_of("masks", clip.clip_id, k),
                first_frame=0,
                last_frame=FRAMES - 1,
                confidence=[0.9] * FRAMES,
                area=0.07,
                boxes=[float(v) for box in boxes for v in box],
                mean_score=0.9,
            )
        )
    camera = [0.0] * (2 * FRAMES)
    return {"tracks": [to_row(t) for t in tracks], "caption": "Cars.", "camera": camera}


def _appearances(ctx: Context, annotated: Any) -> dict[str, Any]:
    _sleep(ctx)
    found = []
    for track in annotated.tracks:
        rng = np.random.default_rng(int(track.track_id[:15], 16))
        lab = [rng.uniform(40, 60), 0.0, 0.0] * 2  # both halves
        row = {
            "outline": [2**GRID - 1] * GRID,
            "lab": lab,
            "surround_lab": [50.0, 0.0, 0.0],
            "blur": 1.0,
            "colour": "red",
            "occluded": 0.0,
        }
        frames = range(0, FRAMES, bank.STRIDE)
        found.append([{"frame": t, "box": track.boxes[4 * t : 4 * t + 4], **row} for t in frames])
    return {"appearances": found}


def _edit(ctx: Context, job: Any, *_: object) -> dict[str, Any]:
    _sleep(ctx)
    wanted = job.plan

    def side(name: str) -> dict[str, Any]:
        video = media_of(name, wanted.plan_id)
        return {k: getattr(wanted, k) for k in ("width", "height", "frames")} | {"video": video}

    return {
        "made": side("made"),
        "real": side("real"),
        "mask": media_of("mask", wanted.plan_id),
        "expert": wanted.expert,
        "expert_version": "1",
        "info": {},
    }


def _write(_: object, batch: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "instruction": f"Edit {one.plan.plan_id[:8]}.",
            "enhanced": "Edit it, and keep the rest.",
            "by": "template",
            "model": "none",
            "phrasings": ["Edit it."],
            "phrasings_by": ["template"],
            "enhanced_by": "template",
        }
        for one in batch
    ]


class _Unseen:
    """Samples of pairs that nobody looks at."""

    def __init__(self, ctx: Context, **_: object) -> None:
        self._ctx = ctx

    def of(self, instructed: object) -> Context:
        return self._ctx


def _judge(samples: Sequence[Context], *_: object) -> list[dict[str, Any]]:
    verdict = {"keep": True, "score": 0.9, "reason": "", "final": False}
    for ctx in samples:
        _sleep(ctx)
    return [dict.fromkeys(FILTER_SCORES, verdict) for _ in samples]


class _Tracker:
    version = "synthetic"


def install() -> None:
    """Replaces models and pixels in this process."""
    look._Looking._look = _look  # type: ignore[method-assign,assignment]
    ingest._cut = _cut
    annotate.tracker_for = lambda *_: _Tracker()  # type: ignore[assignment,return-value]
    annotate._begun = lambda *_: iter(())
    annotate._document = _annotate
    bank._appearances = _appearances
    edit._edit = _edit
    instruct._write = _write  # type: ignore[assignment]
    judge._judge = _judge  # type: ignore[assignment]
    judge.ShardSamples = _Unseen  # type: ignore[assignment,misc]


def _installed(run: Callable[[Context, Any], Any]) -> Callable[[Context, Any], Any]:
    """The stage, in whichever worker it runs."""

    def stage(ctx: Context, given: Any) -> Any:
        from infra.bench.builds import scale_stages

        scale_stages.install()
        return run(ctx, given)

    return stage


def use() -> None:
    """Builds of this process run these stages."""
    install()
    for name, stage, run in (
        ("look_shard", look.STAGE, look.run),
        ("ingest_shard", ingest.STAGE, ingest.run),
        ("annotate_shard", annotate.STAGE, annotate.run),
        ("bank_shard", bank.STAGE, bank.run),
        ("plan_shard", plan.STAGE, plan.run),
        (
            "plan_donated_swaps_shard",
            plan.STAGE,
            lambda c, given: plan.run_donated_swaps(c, *given),
        ),
        ("edit_shard", edit.STAGE, edit.run),
        ("instruct_shard", instruct.STAGE, instruct.run),
        ("judge_shard", judge.STAGE, judge.run),
    ):
        setattr(pipelines, name, stage_task(stage, _installed(run)))
