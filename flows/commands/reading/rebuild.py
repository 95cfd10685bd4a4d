"""A pair made again from its row: `editmill rebuild`.

A pair's row names its plan, the plan its clip, its tracks and every number drawn for it. From these
alone the source, the target, the mask and the words come out again, byte for byte, as long as the
experts are the same and the machine computes the same sums.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

import catalog
from catalog.errors import EditmillError
from catalog.keeping.erased import refuse_erased
from catalog.query import Queries
from catalog.records import Clip, Pair, Plan, Track, from_row
from catalog.storage.files import copy_file, replacing
from catalog.storage.folder import refuse_inside
from catalog.storage.media import MediaStore
from experts import threads
from experts.edit.job import DecodedClip, Job, carry_out, store_masks, store_video
from experts.edit.tasks import TASKS
from experts.instances import ready, shared
from experts.serving import that_made
from experts.write.chat.models import LlamaCppChat
from experts.write.request import request_for
from experts.write.writer import InstructionWriter
from flows.runtime import worker

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A pair made again. `same` says of each part whether it is what the catalog holds."""

    pair_id: str
    task: str
    files: dict[str, str]  # part → where it was written; empty without a folder
    instruction: str
    same: dict[str, bool] = field(default_factory=dict)
    expert: str = ""  # name and version that made the pair
    expert_here: str = ""  # name and version that made it again

    @property
    def identical(self) -> bool:
        return all(self.same.values())


def rebuild(
    root: str | Path, pair_id: str, *, ref: str = "main", out: Path | None = None
) -> Rebuilt:
    """Makes the pair of that id (or of the only one that begins so) again, into `out` if given.

    Raises EditmillError where there is no such pair, its clip's footage is gone, or `out` lies
    inside the catalog or cannot be written.
    """
    worker.limit_threads(threads.USUAL)
    dataset = catalog.open(root, ref=ref)
    if out is not None:
        refuse_inside(dataset.storage, out)
    pair = dataset.pair(pair_id).record
    job = _job(dataset, pair)
    expert = that_made(dataset, pair)
    with _scratch(out) as folder:
        store = MediaStore(folder)
        footage = DecodedClip(dataset, store)
        result = carry_out(job, footage, expert)
        made = store_video(store, result.frames, job.clip.fps).video
        real = footage.stored(job).video
        mask = store_masks(store, result.masks, job.clip.fps)
        source, target = (made, real) if pair.generated_side == "source" else (real, made)
        instruction, same_words = _words(job, pair, result.info)
        return Rebuilt(
            pair_id=pair.pair_id,
            task=pair.task,
            files=_hand_out(store, out, {"source": source, "target": target, "mask": mask}),
            instruction=instruction,
            same={
                "source": source == pair.source_video,
                "target": target == pair.target_video,
                "mask": mask == pair.mask,
                **same_words,
            },
            expert=f"{pair.expert} {pair.expert_version}",
            expert_here=f"{expert.name} {expert.version}",
        )


def _words(job: Job, pair: Pair, info: Mapping[str, Any]) -> tuple[str, dict[str, bool]]:
    """The instruction, and whether all words come out as the pair has them. What a server wrote is
    not asked for again: it need not answer the same twice."""
    chat = shared(LlamaCppChat, threads=1)
    if not pair.instruction_model.startswith(f"{chat.name}@"):
        return pair.instruction, {}
    track = job.tracks.get(job.plan.track_id)
    request = request_for(job.plan, job.clip, track, info)
    (words,) = ready(InstructionWriter(chat)).write([request])
    had = (pair.instruction, pair.enhanced_instruction, pair.phrasings)
    return words.text, {"instruction": (words.text, words.enhanced, list(words.phrasings)) == had}


def describe(rebuilt: Rebuilt, check: bool) -> str:
    """The result in a few lines for a person."""
    lines = [f"{part:<12}{path}" for part, path in rebuilt.files.items()]
    if not rebuilt.files:
        lines.append("The files were not kept; name a folder for them with --out.")
    lines.append(f"instruction {rebuilt.instruction}")
    if check:
        apart = [part for part, same in rebuilt.same.items() if not same]
        if not apart:
            lines.append(f"{rebuilt.pair_id}: identical, byte for byte")
        elif rebuilt.expert != rebuilt.expert_here:
            lines.append(
                f"{rebuilt.pair_id}: {', '.join(apart)} differ; the pair was made by "
                f"{rebuilt.expert}, this is {rebuilt.expert_here}: build again to renew it"
            )
        else:
            lines.append(
                f"{rebuilt.pair_id}: {', '.join(apart)} differ; another machine's arithmetic or "
                "other package versions: compare `editmill doctor` on both"
            )
    return "\n".join(lines)


def _job(dataset: Queries, pair: Pair) -> Job:
    if not pair.plan_id:
        raise EditmillError(
            f"{pair.pair_id}: its row is from before plans were recorded; build again to renew it"
        )
    plan = _row(dataset, "plans", Plan, pl.col("plan_id") == pair.plan_id, pair)
    clip = _row(dataset, "clips", Clip, pl.col("clip_id") == pair.clip_id, pair)
    tracks = dataset.tracks().filter(pl.col("clip_id") == pair.clip_id).collect()
    if plan.task not in TASKS:
        raise EditmillError(f"{pair.pair_id}: this version has no task {plan.task!r} any more")
    by_id = {row["track_id"]: from_row(Track, row) for row in tracks.iter_rows(named=True)}
    job = Job(plan, clip, by_id)
    gone = [ref for ref in job.media if not dataset.path(ref).is_file()]
    for ref in gone:
        refuse_erased(dataset.media.storage, ref)
    if gone or not by_id.keys() >= set(job.track_ids):
        raise EditmillError(
            f"{pair.pair_id}: what it was made of is gone ({', '.join(gone) or 'its track'}); "
            "build again from the same sources to bring it back"
        )
    return job


def _row(dataset: Queries, table: str, record: type[R], where: pl.Expr, pair: Pair) -> R:
    found = dataset.table(table).filter(where).collect()
    if found.is_empty():
        raise EditmillError(f"{pair.pair_id}: its row in {table} is gone; build again to renew it")
    return from_row(record, found.row(0, named=True))


@contextmanager
def _scratch(out: Path | None) -> Iterator[Path]:
    """Where media are written first: beside `out`, since moving them must not copy."""
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=out, prefix=".rebuild-")
    except OSError as error:
        raise EditmillError(
            f"{out or tempfile.gettempdir()}: cannot be written ({error.strerror}); "
            "name another folder with --out"
        ) from None
    with made as folder:
        yield Path(folder)


def _hand_out(store: MediaStore, out: Path | None, parts: dict[str, str]) -> dict[str, str]:
    files = {}
    for part, ref in parts.items():
        if out is not None and ref:
            final = out / f"{part}{Path(ref).suffix}"
            with replacing(final) as temporary:
                copy_file(store.path(ref), temporary)
            files[part] = str(final)
    return files
