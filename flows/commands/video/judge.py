"""Every filter's word on one pair: `editmill judge`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from catalog import media
from catalog.errors import BadInput
from catalog.keys import file_digest
from catalog.media import sides
from experts.annotate import given_masks
from experts.edit.tasks import task_named
from filters.base import FRAMES
from filters.config import filters_for
from filters.encoder.embedded import EmbeddedEncoder
from filters.judge import judge
from filters.rules import Filters
from filters.samples import LONG_SIDE, pair_sample

SHORTEST = 2
"""Frames without which nothing about motion can be said."""


def judge_pair(
    source: Path, target: Path, *, task: str, instruction: str, prompt: str, mask: str | None
) -> dict[str, Any]:
    """Verdict of each filter (`keep`, `score`, `reason`) and of all together.

    Raises BadInput where a video cannot be read, or the two do not belong together.
    """
    known = task_named(task)
    infos = sides.probe(source, target)
    info = infos[1]
    if info.frames < SHORTEST:
        raise BadInput("too_short", f"{target}: {info.frames} frame; a pair needs {SHORTEST}")
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
    encoder = EmbeddedEncoder()
    filters = filters_for(Filters(), encoder)
    for each in filters:
        each.load()
    (verdicts,) = judge([sample], filters, encoder)
    reason = next((verdict.reason for verdict in verdicts.values() if not verdict.keep), "")
    return {
        "keep": not reason,
        "reason": reason,
        "filters": {
            name: {"keep": v.keep, "score": v.score, "reason": v.reason}
            for name, v in verdicts.items()
        },
    }


def describe(verdicts: dict[str, Any]) -> str:
    """The verdicts as a few lines for a person."""
    lines = ["keep" if verdicts["keep"] else f"reject: {verdicts['reason']}"]
    for name, verdict in verdicts["filters"].items():
        score = "—" if verdict["score"] is None else f"{verdict['score']:.3f}"
        word = "keep" if verdict["keep"] else "reject"
        lines.append(f"  {name:<12} {score:>6}  {word:<6} {verdict['reason']}")
    return "\n".join(lines)
