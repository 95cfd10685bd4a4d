"""Annotated clips in, what a capable language model would put in an object's place, or make of it.

Asked only where an edit is generated: an embedded expert can neither paint a word's object nor its
look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from catalog.keys import digest
from experts.annotate.clip import AnnotatedClip
from experts.edit.tasks import TASKS
from experts.memory import using
from experts.providers import chosen
from experts.write.ideas import Ideas
from experts.write.request import WriteRequest
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document

STAGE = "ideas"
PER_LABEL = 3
"""Asked for with as many seeds for each kind of object of a clip, so that edits differ."""

Named = dict[str, list[str]]
"""By label."""


@dataclass(frozen=True, slots=True)
class ClipIdeas:
    """For the labels of a clip's objects what may replace them, and looks they could take on."""

    replacements: Named = field(default_factory=dict)
    looks: Named = field(default_factory=dict)


def run(
    ctx: Context, shard: Sequence[AnnotatedClip], generated: Sequence[str]
) -> dict[str, ClipIdeas]:
    """By clip id; empty where no task of `generated` has ideas or the model is not capable."""
    chat = chosen(ctx.recipe.models.write, threads=ctx.recipe.run.threads)
    wanted = [task.ideas for task in TASKS.values() if task.ideas and task.name in generated]
    if not (wanted and chat.structured):
        return {}
    ideas = Ideas(chat)
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda clip: digest(
            ideas.version, PER_LABEL, wanted, clip.clip.caption, _labels(clip), ctx.recipe.seed
        ),
        page=lambda clip: clip.clip.clip_id,
        work=lambda batch: [_document(ctx, clip, ideas, wanted) for clip in batch],
        name=lambda clip: clip.clip.clip_id,
    )
    return {clip.clip.clip_id: ClipIdeas(**document) for clip, document in documents}


def _labels(annotated: AnnotatedClip) -> list[str]:
    return sorted({track.label for track in annotated.named})


def _document(
    ctx: Context, annotated: AnnotatedClip, ideas: Ideas, wanted: Sequence[str]
) -> Document:
    requests = [
        WriteRequest(
            "local_style_transfer",
            label=label,
            kind=label,
            caption=annotated.clip.caption,
            seed=ctx.recipe.seed + number,
        )
        for label in _labels(annotated)
        for number in range(PER_LABEL)
    ]
    ask: dict[str, Callable[[Sequence[WriteRequest]], list[str]]] = {
        "replacements": ideas.name_replacements,
        "looks": ideas.name_styles,
    }
    found: Document = {}
    with using(ideas):
        for what in wanted:
            named: Named = {}
            for request, idea in zip(requests, ask[what](requests), strict=True):
                if idea and idea not in named.setdefault(request.label, []):
                    named[request.label].append(idea)
            found[what] = named
    return found
