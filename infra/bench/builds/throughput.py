"""Kept pairs per core-minute, task by task, and where the time goes.

The real stages run one after the other on one thread over the embedded recipe's samples, some clips
of each, with every task that suits the clip; the processor time of each call is read from a
profile. Per pair:

- model: what experts, writer, filters and annotation compute, which is the limit;
- decode, encode: reading and writing video and masks;
- rest: everything else, journal, hashing, tables, resizing between stages.

Ingest, annotation, the bank of donors and planning are shared out evenly among all edits. What is
loaded once per process is loaded before.

    python infra/bench/builds/throughput.py            # the table
    python infra/bench/builds/throughput.py --json     # the same, for machines
    python infra/bench/builds/throughput.py --clips 4  # of each sample, not 2
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experts.edit.tasks import TASKS
from experts.instances import loaded, ready, shared
from experts.plan.bank import Bank
from experts.serving import embedded
from experts.write.chat.models import LlamaCppChat
from filters.config import filters_for
from filters.encoder.embedded import EmbeddedEncoder
from flows.recipe import load
from flows.runtime import worker
from flows.runtime.context import Context, context
from flows.sources import local_files
from flows.stages import bank, edit, instruct, plan
from flows.stages.clips import annotate, ingest, look
from flows.stages.judging import judge
from flows.stages.plan import PlannedClip

DECODE = {("decode.py", name) for name in ("read_video", "read_masks", "sample_frames")}
ENCODE = {("encode.py", name) for name in ("write_video", "write_masks")}
MODEL = {
    ("writer.py", "write"),
    ("pair.py", "describe"),
    ("filter.py", "verdicts"),
    ("subtle.py", "verdicts"),
    ("shots.py", "shots"),
    ("track.py", "track"),
    ("camera.py", "camera_path"),
    ("appearance.py", "appearance_of"),
}
"""(file, function) whose time is the category's; an expert's `edit` counts as model too."""


class Spent:
    """Processor seconds by category."""

    def __init__(self) -> None:
        self.total = self.model = self.decode = self.encode = 0.0

    @property
    def rest(self) -> float:
        return self.total - self.model - self.decode - self.encode

    def add(self, other: Spent, share: float = 1.0) -> None:
        for name in ("total", "model", "decode", "encode"):
            setattr(self, name, getattr(self, name) + share * getattr(other, name))


@contextmanager
def spending(into: Spent) -> Iterator[None]:
    """Adds what the body spends. Processor time, so that a call's own threads count."""
    profile = cProfile.Profile(time.process_time)
    started = time.process_time()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        into.total += time.process_time() - started
        stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
        for (path, _, function), (_, _, _, seconds, _) in stats.items():
            name = (Path(path).name, function)
            if name in DECODE:
                into.decode += seconds
            elif name in ENCODE:
                into.encode += seconds
            elif name in MODEL or (function == "edit" and "/experts/edit/" in path):
                into.model += seconds


def measured(clips: int) -> tuple[dict[str, Spent], dict[str, list[int]]]:
    """Per task what its pairs cost, and [planned, kept]."""
    recipe = load("embedded")
    recipe = recipe.model_copy(
        update={
            "clips": recipe.clips.model_copy(update={"per_source": clips}),
            "plan": recipe.plan.model_copy(update={"edits_per_clip": 2 * len(TASKS)}),
        }
    )
    spent: dict[str, Spent] = defaultdict(Spent)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    with tempfile.TemporaryDirectory() as root:
        ctx = context(Path(root), recipe)
        worker.limit_threads(1)
        _warm(ctx)
        shared = Spent()
        with spending(shared):
            looks = look.run(ctx, local_files(recipe.sources))
            annotated = annotate.run(ctx, ingest.run(ctx, looks))
            planned = plan.run(ctx, annotated, Bank(bank.run(ctx, annotated)))
        edits = sum(len(clip.plans) for clip in planned)
        print(f"{len(planned)} clips, {edits} edits", file=sys.stderr, flush=True)
        for clip in planned:
            for task in sorted({p.task for p in clip.plans}):
                own = [p for p in clip.plans if p.task == task]
                only = PlannedClip(clip.clip, clip.tracks, own)
                with spending(spent[task]):
                    pairs = _through(ctx, only)
                spent[task].add(shared, len(own) / edits)
                counts[task][0] += len(own)
                counts[task][1] += pairs
            print(f"{clip.clip.clip_id}: {len(clip.plans)} edits", file=sys.stderr, flush=True)
    return spent, counts


def _through(ctx: Context, clip: PlannedClip) -> int:
    """The clip's edits through the stages that make a pair; how many are kept."""
    pairs = judge.run(ctx, instruct.run(ctx, edit.run(ctx, [clip])))
    return sum(pair.keep for pair in pairs)


def _warm(ctx: Context) -> None:
    """Opens every model that the stages would open on their first record."""
    for task, weight in ctx.recipe.plan.weights.items():
        if weight:
            embedded(task)
    loaded(LlamaCppChat, threads=ctx.recipe.run.threads)
    ready(annotate.tracker_for(ctx.recipe.annotate, ctx.recipe.run.threads, ctx.recipe.run.workers))
    for each in filters_for(ctx.recipe.filters, shared(EmbeddedEncoder), ctx.catalog):
        ready(each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--clips", type=int, default=2, help="clips of each sample")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    spent, counts = measured(args.clips)
    rows = []
    for task in (task for task in TASKS if task in spent):
        cost, (planned, kept) = spent[task], counts[task]
        rows.append(
            {
                "task": task,
                "planned": planned,
                "kept": kept,
                "core_seconds_per_pair": cost.total / planned,
                "kept_per_core_minute": 60 * kept / cost.total,
                **{
                    part: getattr(cost, part) / cost.total
                    for part in ("model", "decode", "encode", "rest")
                },
            }
        )
    whole = Spent()
    for cost in spent.values():
        whole.add(cost)
    kept = sum(k for _, k in counts.values())
    summary = {
        "kept_per_core_minute": 60 * kept / whole.total,
        **{
            part: getattr(whole, part) / whole.total
            for part in ("model", "decode", "encode", "rest")
        },
    }
    if args.json:
        print(json.dumps({"tasks": rows, "summary": summary}))
        return
    print(
        f"{'task':<26}{'made':>5}{'kept':>5}{'core-s':>8}{'kept/core-min':>15}"
        f"{'model':>8}{'decode':>8}{'encode':>8}{'rest':>7}"
    )
    for row in rows:
        print(
            f"{row['task']:<26}{row['planned']:>5}{row['kept']:>5}"
            f"{row['core_seconds_per_pair']:>8.1f}{row['kept_per_core_minute']:>15.1f}"
            f"{row['model']:>8.0%}{row['decode']:>8.0%}{row['encode']:>8.0%}{row['rest']:>7.0%}"
        )
    print(
        f"{'all':<26}{'':>5}{kept:>5}{'':>8}{summary['kept_per_core_minute']:>15.1f}"
        f"{summary['model']:>8.0%}{summary['decode']:>8.0%}{summary['encode']:>8.0%}"
        f"{summary['rest']:>7.0%}"
    )


if __name__ == "__main__":
    main()
