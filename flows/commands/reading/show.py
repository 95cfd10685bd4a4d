"""One pair, as facts and as pictures: `editmill show`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import catalog
from catalog.media.image import write_png
from catalog.records import Clip, Pair, Plan, Source, Track, to_row
from catalog.releases import Catalog
from catalog.report.sheet import pair_sheet, strips
from catalog.report.terminal import half_blocks
from flows.commands.reading.lineage import Lineage, judgements, lineage, thresholds_of

SHORT = 12
"""Letters of an id that are shown; a prefix is enough to name it."""

FRAME_COLUMNS = 26
"""Characters of a terminal that a frame gets at least."""


def show(root: str | Path, pair_id: str, *, ref: str, png: Path | None, as_json: bool) -> None:
    """Prints what the pair is and how it came about; its frames go to `png`, or to a terminal.

    Raises EditmillError where there is no such pair, or `png` cannot be written.
    """
    dataset = catalog.open(root, ref=ref)
    pair = dataset.pair(pair_id).record
    if png is not None:
        write_png(png, pair_sheet(pair, dataset.path))
    way = lineage(dataset, pair)
    if as_json:
        judged = judgements(pair, thresholds_of(dataset))
        sheet = None if png is None else str(png)
        print(json.dumps(_document(way) | {"filters": judged, "png": sheet}))
        return
    if png is None and shows_pictures():
        print("\n".join(_pictures(dataset, pair)))
    # Line by line: the thresholds come last, after seconds.
    for line in describe(pair, way):
        print(line, flush=True)
    for line in _named("filters", map(_judgement, judgements(pair, thresholds_of(dataset)))):
        print(line)
    print(f"{'verdict':<12}{verdict(pair)}")
    if png is not None:
        print(f"{'sheet':<12}{png}")


def describe(pair: Pair, way: Lineage) -> Iterator[str]:
    """The pair's way in lines for a person, from the footage to the instruction."""
    yield f"{pair.pair_id}  {pair.task}  {verdict(pair)}"
    yield from _named("files", (f"{part:<7}{path}" for part, path in way["files"].items()))
    yield from _named("source", _source(pair, way["source"]))
    yield from _named("clip", _clip(pair, way["clip"]))
    yield from _named("object", _object(pair, way["track"]))
    yield from _named("plan", _plan(way["plan"]))
    yield from _named("edit", _edit(pair))
    yield from _named("instruction", _instruction(pair))


def verdict(pair: Pair) -> str:
    """`kept`, or why not."""
    return "kept" if pair.keep else f"rejected: {pair.reason}"


def _named(name: str, values: Iterable[str]) -> Iterator[str]:
    """The values in lines below each other, the first beside the name."""
    for k, value in enumerate(values):
        yield f"{name if k == 0 else '':<12}{value}"


def shows_pictures() -> bool:
    """Whether stdout is a terminal that may be sent colours."""
    asked_not = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not asked_not


def _document(way: Lineage) -> dict[str, Any]:
    records = ("source", "clip", "track", "plan")
    rows = {name: None if way[name] is None else to_row(way[name]) for name in records}
    return {**way, **rows}


def _source(pair: Pair, source: Source | None) -> list[str]:
    if source is None:
        return [f"{pair.source_uri}, {pair.licence}"]
    return [
        f"{source.name}, {source.width}×{source.height} at {source.fps:.4g} fps, {source.frames} "
        f"frames, {source.codec}",
        f"licence {pair.licence}, from {pair.source_uri}",
    ]


def _clip(pair: Pair, clip: Clip | None) -> list[str]:
    if clip is None:
        return [f"{pair.clip_id[:SHORT]}: its row is gone"]
    last = clip.first_frame + clip.frames - 1
    line = f"{clip.clip_id[:SHORT]}: frames {clip.first_frame} to {last} of the source"
    return [line, *([f"caption: {clip.caption}"] if clip.caption else [])]


def _object(pair: Pair, track: Track | None) -> list[str]:
    if track is None:
        return [pair.label] if pair.label else []
    sure = [c for c in track.confidence if c]
    return [
        f"{track.label}, detected with {track.score:.2f}, tracked over frames {track.first_frame} "
        f"to {track.last_frame} with {np.mean(sure or [0]):.2f}, {track.area:.1%} of the frame"
    ]


def _plan(plan: Plan | None) -> list[str]:
    if plan is None:
        return []
    x, y, width, height = plan.crop
    lines = [
        f"frames {plan.first_frame} to {plan.first_frame + plan.frames - 1} of the clip, "
        f"{width}×{height} px at {x},{y} as {plan.width}×{plan.height}; seed {plan.seed}"
    ]
    said = (("object", plan.phrase), ("prompt", plan.prompt), ("not", plan.negative_prompt))
    lines += [", ".join(f"{what}: {text}" for what, text in said if text)]
    return [line for line in lines if line]


def _edit(pair: Pair) -> list[str]:
    lines = [f"{pair.expert} {pair.expert_version} made the {pair.generated_side}"]
    if pair.params:
        lines.append(json.dumps(pair.params, ensure_ascii=False, sort_keys=True))
    return lines


def _instruction(pair: Pair) -> list[str]:
    writer = pair.instruction_model if pair.instruction_by == "model" else pair.instruction_by
    others = [text for text in pair.phrasings if text != pair.instruction]
    return [f"{pair.instruction} ({writer})", *(f"or: {text}" for text in others)]


def _judgement(judged: dict[str, Any]) -> str:
    score = "–" if judged["score"] is None else f"{judged['score']:.3f}"
    word = {True: "passed", False: "failed", None: "did not judge"}[judged["passed"]]
    return f"{judged['name']:<13}{score:>6}  {judged['rule']:<7} {word} {judged['reason']}".rstrip()


def _pictures(dataset: Catalog, pair: Pair) -> Iterator[str]:
    """Each row of frames under its name."""
    columns = shutil.get_terminal_size().columns
    count = max(2, min(5, columns // FRAME_COLUMNS))
    for strip in strips(pair, dataset.path, count, 4 * FRAME_COLUMNS):
        yield f"{strip.name}{': ' if strip.error else ''}{strip.error}"
        if not strip.error:
            yield half_blocks(np.concatenate([*strip.frames], axis=1), columns)
