"""Instructed edits in, judged pairs out. Every filter sees every pair, and every score is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import polars as pl

from catalog.keys import digest
from catalog.policy import Policy
from catalog.records import FILTER_SCORES, VLM_SCORES, Pair, from_row, schema, to_row
from experts.edit.tasks import TASKS
from experts.memory import using
from experts.providers import chosen
from filters.base import PairFrames, Verdict
from filters.config import filters_for
from filters.encoder.base import Encoder
from filters.judge import FeatureFilter, judge, policy_of
from filters.vlm.config import judge_for
from filters.vlm.judgement import Judgement
from filters.vlm.judgement import verdicts as verdicts_of
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.instruct import InstructedEdit
from flows.stages.judging.best import best_attempts
from flows.stages.judging.samples import ShardSamples
from flows.stages.judging.vlm import judged
from flows.stages.plan import part

STAGE = "judge"
BATCH = 4


def run(ctx: Context, shard: Sequence[InstructedEdit]) -> list[Pair]:
    """The shard's pairs with scores, verdict and reason; written to the pairs table.

    A score depends on no threshold: with others, the same scores are decided anew.
    """
    encoder: Encoder = chosen(ctx.recipe.models.encode)
    filters = filters_for(ctx.recipe.filters, encoder, ctx.catalog)
    versions = {f.name: f.version for f in filters}
    judged_by = dict(versions)  # read once: a key for each record holds them
    rules = ctx.recipe.filters.vlm
    vlm = judge_for(ctx.recipe.models.judge, rules)
    if vlm is not None:
        versions |= dict.fromkeys(VLM_SCORES, vlm.version)
    policy = policy_of(filters, rules.cuts if vlm else ())
    samples = ShardSamples(ctx) if vlm else ShardSamples(ctx, budget=0)  # nobody else looks at them
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda e: digest(
            (judged_by, ctx.recipe.filters.construction),
            (e.edit.source.video, e.edit.target.video, e.edit.mask),
            (e.edit.plan.task, e.edit.plan.target_prompt, e.edit.plan.label, e.instruction),
            e.edit.clip.source_id,
            e.edit.plan.plan_id if not e.edit.mask else "",  # names the tracks
        ),
        page=lambda e: e.edit.clip.clip_id,
        part=lambda e: part(e.edit.plan),
        work=lambda batch: _judge([samples.of(edit) for edit in batch], filters, encoder),
        name=lambda e: f"{e.edit.plan.task} {e.edit.plan.plan_id}",
        batch=BATCH,
    )
    pairs = []
    edits = []
    for edit, document in documents:
        verdicts = {name: Verdict(**fields) for name, fields in document.items()}
        edits.append(edit)
        pairs.append(_pair(edit, verdicts, versions, policy))
    if vlm is not None:
        filtered = _decided(pairs, policy_of(filters))
        judgements = judged(
            ctx,
            edits,
            vlm,
            samples.of,
            asked=[rules.of == "all" or pair.keep for pair in filtered],
        )
        pairs = [_with(pair, said) for pair, said in zip(pairs, judgements, strict=True)]
        kept = [pair.keep for pair in _decided(pairs, policy)]
        ranks = best_attempts(ctx, edits, kept, vlm, samples.of)
        pairs = [_ranked(pair, rank) for pair, rank in zip(pairs, ranks, strict=True)]
    parts: dict[str, list[Pair]] = {part(e.edit.plan): [] for e in shard}
    for edit, pair in zip(edits, pairs, strict=True):
        parts[part(edit.edit.plan)].append(pair)
    ctx.catalog.tables.put("pairs", parts, derive=policy.decide)
    pairs = _decided([pair for own in parts.values() for pair in own], policy)
    for pair in pairs:
        ctx.stats.judged(pair.task, pair.keep)
    return pairs


def _decided(pairs: Sequence[Pair], policy: Policy) -> list[Pair]:
    rows = pl.LazyFrame([to_row(pair) for pair in pairs], schema=schema(Pair), orient="row")
    decided = policy.with_reasons(policy.decide(rows)).collect().iter_rows(named=True)
    return [from_row(Pair, row) for row in decided]


def _with(pair: Pair, said: Judgement) -> Pair:
    """The pair with what the recipe's judge says of it."""
    scores: dict[str, Any] = {}
    for name, verdict in verdicts_of(said).items():
        scores |= {f"{name}_score": verdict.score, f"{name}_reason": verdict.reason}
    return dataclasses.replace(pair, **scores, vlm_why=dict(said.why))


def _ranked(pair: Pair, rank: float | None) -> Pair:
    if rank is None:
        return pair
    return dataclasses.replace(pair, vlm_best_score=rank, vlm_best_reason="")


def _judge(
    samples: Sequence[PairFrames], filters: Sequence[FeatureFilter], encoder: Encoder
) -> list[Document]:
    with using(encoder, *filters):
        verdicts = judge(samples, filters, encoder)
    return [{name: dataclasses.asdict(v) for name, v in pair.items()} for pair in verdicts]


def _licence(*licences: str) -> str:
    """Of what was made from several clips: all that hold, as an SPDX expression."""
    different = sorted({licence for licence in licences if licence})
    return " AND ".join(f"({x})" if " " in x and len(different) > 1 else x for x in different)


def _pair(
    instructed: InstructedEdit,
    verdicts: dict[str, Verdict],
    versions: dict[str, str],
    policy: Policy,
) -> Pair:
    """The pair with its scores, and with the reasons that no threshold gave; what is kept follows
    by the policy."""
    edit, plan, clip = instructed.edit, instructed.edit.plan, instructed.edit.clip
    by_threshold = {cut.filter: cut.reason for cut in policy.thresholds}
    scores: dict[str, Any] = {}
    for name in FILTER_SCORES:
        verdict = verdicts[name]
        by_score = verdict.reason == by_threshold.get(name) and not verdict.final
        scores[f"{name}_score"] = verdict.score
        scores[f"{name}_reason"] = "" if by_score else verdict.reason
    return Pair(
        pair_id=digest("pair", plan.plan_id, edit.expert_version),
        clip_id=clip.clip_id,
        source_id=clip.source_id,
        task=plan.task,
        label=plan.label,
        instruction=instructed.instruction,
        enhanced_instruction=instructed.enhanced,
        instruction_by=instructed.by,
        instruction_model=instructed.model,
        prompt=plan.prompt,
        negative_prompt=plan.negative_prompt,
        target_prompt=plan.target_prompt,
        caption=clip.caption,
        source_video=edit.source.video,
        target_video=edit.target.video,
        mask=edit.mask,
        generated_side=TASKS[plan.task].made_side,
        expert=edit.expert,
        expert_version=edit.expert_version,
        seed=plan.seed,
        params={**plan.params, **{k: v for k, v in edit.info.items() if k != "fill_error"}},
        track_id=plan.track_id,
        first_frame=plan.first_frame,
        source_width=edit.source.width,
        source_height=edit.source.height,
        source_frames=edit.source.frames,
        source_fps=clip.fps,
        target_width=edit.target.width,
        target_height=edit.target.height,
        target_frames=edit.target.frames,
        target_fps=clip.fps,
        source_uri=clip.uri,
        author=clip.author,
        licence=_licence(clip.licence, plan.params.get("donor", {}).get("licence", "")),
        keep=True,
        reason="",
        **scores,
        filter_versions=versions,
        phrasings=instructed.phrasings,
        phrasings_by=instructed.phrasings_by,
        enhanced_by=instructed.enhanced_by,
        plan_id=plan.plan_id,
        output_licence=edit.output_licence.name if edit.output_licence else "",
        may_train=edit.output_licence.may_train if edit.output_licence else None,
        fill_error=edit.info.get("fill_error"),
    )
