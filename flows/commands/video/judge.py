"""Every filter's word on one pair: `editmill judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from catalog import media
from catalog.errors import BadInput
from catalog.keys import file_digest
from catalog.media import sides
from catalog.wording import counted
from experts.annotate import given_masks
from experts.edit.tasks import task_named
from experts.memory import using
from experts.providers import chosen
from experts.providers.models import Models
from filters.base import FRAMES, PairFrames, Verdict
from filters.config import filters_for
from filters.encoder.base import Encoder
from filters.judge import judge
from filters.rules import Filters
from filters.samples import LONG_SIDE, pair_sample
from filters.vlm.config import judge_for
from filters.vlm.judgement import PairJudge
from filters.vlm.judgement import verdicts as verdicts_of
from filters.vlm.rules import Vlm
from flows.recipe import load

SHORTEST = 2
"""Frames without which nothing about motion can be said."""


def judge_pair(
    source: Path,
    target: Path,
    *,
    task: str,
    instruction: str,
    prompt: str,
    mask: str | None,
    recipe: str = "",
) -> dict[str, Any]:
    """Verdict of each filter (`keep`, `score`, `reason`) and of all together, by the encoder, the
    thresholds and the judge of a recipe; by default the embedded encoder, the paper's thresholds
    and no judge.

    Raises BadInput where a video cannot be read, or the two do not belong together.
    """
    models, rules = Models(), Filters()
    if recipe:
        asked = load(recipe)
        models, rules = asked.models, asked.filters
    known = task_named(task)
    infos = sides.probe(source, target)
    info = infos[1]
    if info.frames < SHORTEST:
        raise BadInput(
            "too_short", f"{target}: {counted(info.frames, 'frame')}; a pair needs {SHORTEST}"
        )
    after = media.sample_frames(target, FRAMES, LONG_SIDE)
    before = media.sample_frames(source, FRAMES, LONG_SIDE)
    before = media.crop_resize(before, after.shape[1:3])  # sides may differ in size
    masks: np.ndarray | None = None
    if mask is not None:
        masks = given_masks.read(mask, info.frames, info.height, info.width)
    elif known.needs_track and task != "object_grounding":  # a map differs from footage everywhere
        masks = given_masks.from_change(before, after)
    sample = pair_sample(
        task=task,
        source=before,
        target=after,
        masks=masks,
        prompt=prompt,
        label="",
        instruction=instruction,
        source_id=file_digest(source),
        sizes=((infos[0].height, infos[0].width), (info.height, info.width)),
    )
    encoder: Encoder = chosen(models.encode)
    filters = filters_for(rules, encoder)
    with using(encoder, *filters):
        (verdicts,) = judge([sample], filters, encoder)
    if (vlm := judge_for(models.judge, rules.vlm)) is not None:
        verdicts |= _asked(vlm, sample, rules.vlm)
    reason = next((verdict.reason for verdict in verdicts.values() if not verdict.keep), "")
    return {
        "keep": not reason,
        "reason": reason,
        "filters": {
            name: {"keep": v.keep, "score": v.score, "reason": v.reason}
            for name, v in verdicts.items()
        },
    }


def _asked(vlm: PairJudge, sample: PairFrames, rules: Vlm) -> dict[str, Verdict]:
    """What the recipe's judge says of the pair, decided by its thresholds. Raises BadInput where it
    gives no answer."""
    with using(vlm):
        (said,) = vlm.judgements([sample])
    if isinstance(said, BadInput):
        raise said
    cuts = {cut.filter: cut for cut in rules.cuts}
    found = {}
    for name, verdict in verdicts_of(said).items():
        least = cuts[name].value
        if verdict.score is not None and least is not None and verdict.score < least:
            verdict = Verdict(False, verdict.score, cuts[name].reason)
        found[name] = verdict
    return found


def describe(verdicts: dict[str, Any]) -> str:
    """The verdicts as a few lines for a person."""
    width = max(12, *map(len, verdicts["filters"]))
    lines = ["keep" if verdicts["keep"] else f"reject: {verdicts['reason']}"]
    for name, verdict in verdicts["filters"].items():
        score = "—" if verdict["score"] is None else f"{verdict['score']:.3f}"
        word = "keep" if verdict["keep"] else "reject"
        lines.append(f"  {name:<{width}} {score:>6}  {word:<6} {verdict['reason']}")
    return "\n".join(lines)
