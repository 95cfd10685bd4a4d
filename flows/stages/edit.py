"""Plans in, pairs of videos out: the expert makes one side, the other is the real footage."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog import media
from catalog.keys import digest
from catalog.records import Clip, Plan, Track
from experts.base import Expert
from experts.edit.job import (
    DecodedClip,
    Job,
    Side,
    carry_out,
    refuse_invention,
    refuse_poor_fill,
    store_masks,
    store_video,
)
from experts.edit.tasks import TASKS
from experts.licences import OutputLicence
from experts.serving import served_by, serving
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.plan import PlannedClip, part

STAGE = "edit"


@dataclass(frozen=True, slots=True)
class Edit:
    """A plan carried out."""

    plan: Plan
    clip: Clip
    made: Side
    real: Side
    mask: str
    expert: str
    expert_version: str
    info: dict[str, Any]
    track: Track | None = None  # of the edited object
    output_licence: OutputLicence | None = None

    @property
    def made_side(self) -> str:
        """`source` or `target`: where in the pair the expert's output goes."""
        return TASKS[self.plan.task].made_side

    @property
    def source(self) -> Side:
        return self.made if self.made_side == "source" else self.real

    @property
    def target(self) -> Side:
        return self.made if self.made_side == "target" else self.real


def run(ctx: Context, shard: Sequence[PlannedClip]) -> list[Edit]:
    """The shard's edits, clip by clip."""
    jobs = [Job(plan, p.clip, p.tracks) for p in shard for plan in p.plans]
    footage = DecodedClip(ctx.catalog, ctx.catalog.media)
    recipe = ctx.recipe
    served = {
        task: serving(ctx.catalog, recipe.experts, task, recipe.models)
        for task in dict.fromkeys(job.plan.task for job in jobs)
    }
    documents = journal.run(
        ctx,
        STAGE,
        jobs,
        key=lambda job: _key(ctx, job, served[job.plan.task]),
        page=lambda job: job.clip.clip_id,
        part=lambda job: part(job.plan),
        work=lambda batch: [_edit(ctx, job, footage, served[job.plan.task]) for job in batch],
        name=lambda job: f"{job.plan.task} {job.plan.plan_id}",
    )
    made = [
        Edit(
            plan=job.plan,
            clip=job.clip,
            made=Side(**document["made"]),
            real=Side(**document["real"]),
            mask=document["mask"],
            expert=document["expert"],
            expert_version=document["expert_version"],
            info=document["info"],
            track=job.tracks.get(job.plan.track_id),
            output_licence=served[job.plan.task].output_licence,
        )
        for job, document in documents
    ]
    for stage in ("instruct", "judge"):  # what was not made has no instruction
        ctx.stats.expect(stage, len(made) - len(jobs))
    return made


def _key(ctx: Context, job: Job, expert: Expert) -> str:
    """All that the pixels depend on. The task's name is not in it: an addition finds the edit that
    the removal of the same object made."""
    plan, rules = job.plan, ctx.recipe.plan
    return digest(
        (expert.name, expert.version, job.clip.video, [job.tracks[t].masks for t in job.track_ids]),
        (plan.first_frame, plan.frames, plan.crop, plan.width, plan.height),
        (plan.seed, plan.params),
        (plan.prompt, plan.negative_prompt, media.CRF, rules.max_invented, rules.max_fill_error),
    )


def _edit(ctx: Context, job: Job, footage: DecodedClip, expert: Expert) -> Document:
    result = carry_out(job, footage, expert)
    refuse_invention(job.plan, result, ctx.recipe.plan.max_invented)
    refuse_poor_fill(job.plan, result, ctx.recipe.plan.max_fill_error)
    real = footage.stored(job)
    made = store_video(ctx.catalog.media, result.frames, job.clip.fps)
    return {
        "made": dataclasses.asdict(made),
        "real": dataclasses.asdict(real),
        "mask": store_masks(ctx.catalog.media, result.masks, job.clip.fps),
        "expert": expert.name,
        "expert_version": expert.version,
        "info": {
            **result.info,
            **served_by(ctx.recipe.experts, job.plan.task, ctx.recipe.models),
        },
    }
