"""Edits in, edits with an instruction out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.keys import digest
from experts.memory import using
from experts.providers import chosen
from experts.write.capable_writer import CapableWriter
from experts.write.request import WriteRequest, request_for
from experts.write.writer import InstructionWriter
from experts.write.writers import writer_for
from flows.runtime.context import Context
from flows.runtime.results import journal
from flows.runtime.results.journal import Document
from flows.stages.edit import Edit
from flows.stages.plan import part

STAGE = "instruct"
BATCH = 8
"""Requests given to the writer at once; few enough that a kill loses little."""


@dataclass(frozen=True, slots=True)
class InstructedEdit:
    """An edit with its words. `by`, `enhanced_by` and each of `phrasings_by` is `model` or
    `template`."""

    edit: Edit
    instruction: str
    enhanced: str
    by: str
    model: str
    phrasings: list[str]
    phrasings_by: list[str]
    enhanced_by: str = "template"


def run(ctx: Context, shard: Sequence[Edit]) -> list[InstructedEdit]:
    """The shard's edits, each with a short and an enhanced instruction."""
    chat = chosen(ctx.recipe.models.write, threads=ctx.recipe.run.threads)
    writer = writer_for(chat)
    documents = journal.run(
        ctx,
        STAGE,
        shard,
        key=lambda edit: digest(writer.version, dataclasses.asdict(_request(edit))),
        page=lambda edit: edit.clip.clip_id,
        part=lambda edit: part(edit.plan),
        work=lambda batch: _write(writer, batch),
        name=lambda edit: f"{edit.plan.task} {edit.plan.plan_id}",
        batch=BATCH,
    )
    return [InstructedEdit(edit, **document) for edit, document in documents]


def _request(edit: Edit) -> WriteRequest:
    return request_for(edit.plan, edit.clip, edit.track, edit.info)


def _write(writer: InstructionWriter | CapableWriter, batch: Sequence[Edit]) -> list[Document]:
    with using(writer):
        written = writer.write([_request(edit) for edit in batch])
    return [
        {
            "instruction": w.text,
            "enhanced": w.enhanced,
            "by": w.by,
            "model": w.model,
            "phrasings": list(w.phrasings),
            "phrasings_by": list(w.phrasings_by),
            "enhanced_by": w.enhanced_by,
        }
        for w in written
    ]
