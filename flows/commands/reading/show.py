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
from catalog.errors import BadInput, visible
from catalog.keeping.erased import kept_path
from catalog.labels import holding
from catalog.media.image import write_png
from catalog.provenance import Provenance, provenance
from catalog.provenance.document import ClipCut, EditPlan, ObjectProvenance, SourceProvenance
from catalog.records import Label, Pair, to_row
from catalog.releases import Catalog
from catalog.report.sheet import pair_sheet, strips
from catalog.report.terminal import half_blocks
from catalog.wording import counted
from flows.commands.reading.judgements import judgements, thresholds_of
from flows.commands.reading.printed import visible_json

SHORT = 12
"""Letters of an id that are shown; a prefix is enough to name it."""

FRAME_COLUMNS = 26
"""Characters of a terminal that a frame gets at least."""


def show(
    root: str | Path,
    pair_id: str,
    *,
    ref: str,
    png: Path | None,
    as_json: bool,
    as_provenance: bool,
) -> None:
    """Prints what the pair is and how it came about; its frames go to `png`, or to a terminal.

    `as_provenance` prints its provenance document instead. Raises EditmillError where there is no
    such pair, or `png` cannot be written.
    """
    dataset = catalog.open(root, ref=ref)
    pair = dataset.pair(pair_id).record
    sheet = None
    if png is not None:
        sheet = pair_sheet(pair, kept_path(dataset.media))
        write_png(png, sheet.picture)
    way = provenance(dataset, pair.pair_id)
    if as_provenance:
        print(visible_json(json.dumps(way, ensure_ascii=False, indent=None if as_json else 2)))
        return
    files = {part: str(dataset.path(medium["ref"])) for part, medium in way["media"].items()}
    label = holding(dataset.storage).get(pair.pair_id)
    if as_json:
        judged = judgements(pair, thresholds_of(dataset))
        print(
            json.dumps(
                {
                    **way,
                    "pair": to_row(pair)
                    | {"params": pair.params, "filter_versions": pair.filter_versions},
                    "files": files,
                    "label": None if label is None else to_row(label),
                    "filters": [{**f, **j} for f, j in zip(way["filters"], judged, strict=True)],
                    "png": None if png is None else str(png),
                    "unreadable": None if sheet is None else sheet.unreadable,
                }
            )
        )
        return
    if png is None and shows_pictures():
        print("\n".join(_pictures(dataset, pair)))
    files = {part: _file(dataset, medium["ref"]) for part, medium in way["media"].items()}
    # Line by line: the thresholds come last, after seconds.
    for line in describe(pair, way, files):
        print(line, flush=True)
    for line in _named("filters", map(_judgement, judgements(pair, thresholds_of(dataset)))):
        print(line)
    print(f"{'verdict':<12}{verdict(pair)}")
    if label is not None:
        print(f"{'label':<12}{visible(said(label))}")
    if sheet is not None:
        lacks = [f"no {part}: {why}" for part, why in sheet.unreadable.items()]
        for line in _named("sheet", [str(png), *lacks]):
            print(line)


def _file(dataset: Catalog, ref: str) -> str:
    """Where the medium lies, or why it is not there."""
    try:
        return str(kept_path(dataset.media)(ref))
    except BadInput as error:
        return str(error)


def describe(pair: Pair, way: Provenance, files: dict[str, str]) -> Iterator[str]:
    """The pair's way in lines for a person, from the footage to the instruction."""
    yield f"{pair.pair_id}  {pair.task}  {verdict(pair)}"
    yield from _named("files", (f"{part:<7}{path}" for part, path in files.items()))
    yield from _named("source", _source(pair, way["source"]))
    yield from _named("clip", _clip(pair, way["clip"]))
    yield from _named("object", _object(pair, way["track"]))
    yield from _named("plan", _plan(pair, way["plan"]))
    yield from _named("edit", _edit(pair))
    yield from _named("instruction", _instruction(pair))


def verdict(pair: Pair) -> str:
    """`kept`, or why not."""
    return "kept" if pair.keep else f"rejected: {pair.reason}"


def said(label: Label) -> str:
    """`bad, by ada on 2026-11-27: a shadow is left`."""
    by = f", by {label.by}" if label.by else ""
    note = f": {label.note}" if label.note else ""
    return f"{'good' if label.good else 'bad'}{by} on {label.labelled_at[:10]}{note}"


def _named(name: str, values: Iterable[str]) -> Iterator[str]:
    """The values in lines below each other, the first beside the name."""
    for k, value in enumerate(values):
        yield f"{name if k == 0 else '':<12}{visible(value)}"


def shows_pictures() -> bool:
    """Whether stdout is a terminal that may be sent colours."""
    asked_not = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not asked_not


def _source(pair: Pair, source: SourceProvenance | None) -> list[str]:
    if source is None:
        return [f"{pair.source_uri}, {pair.licence}"]
    return [
        f"{source['name']}, {source['width']}×{source['height']} at {source['fps']:.4g} fps, "
        f"{counted(source['frames'], 'frame')}, {source['codec']}",
        f"licence {pair.licence}, {f'by {pair.author}, ' if pair.author else ''}"
        f"from {pair.source_uri}",
    ]


def _clip(pair: Pair, clip: ClipCut | None) -> list[str]:
    if clip is None:
        return [f"{pair.clip_id[:SHORT]}: its row is gone"]
    first, last = clip["first_frame"], clip["first_frame"] + clip["frames"] - 1
    line = f"{clip['clip_id'][:SHORT]}: frames {first} to {last} of the source"
    return [line, *([f"caption: {clip['caption']}"] if clip["caption"] else [])]


def _object(pair: Pair, track: ObjectProvenance | None) -> list[str]:
    if track is None:
        return [pair.label] if pair.label else []
    return [
        f"{track['label']}, detected with {track['score']:.2f}, tracked over frames "
        f"{track['first_frame']} to {track['last_frame']} with {track['confidence'] or 0:.2f}, "
        f"{track['area']:.1%} of the frame"
    ]


def _plan(pair: Pair, plan: EditPlan | None) -> list[str]:
    if plan is None:
        return []
    x, y, width, height = plan["crop"]
    first, last = plan["first_frame"], plan["first_frame"] + plan["frames"] - 1
    lines = [
        f"frames {first} to {last} of the clip, {width}×{height} px at {x},{y} as "
        f"{plan['width']}×{plan['height']}; seed {plan['seed']}"
    ]
    said = (
        ("object", plan["phrase"]),
        (f"prompt of the {pair.expert}", plan["prompt"]),
        ("not", plan["negative_prompt"]),
    )
    lines += [", ".join(f"{what}: {text}" for what, text in said if text)]
    return [line for line in lines if line]


def _edit(pair: Pair) -> list[str]:
    lines = [f"{pair.expert} {pair.expert_version} made the {pair.generated_side}"]
    if pair.output_licence:
        train = {True: "may train a model", False: "may not train a model", None: ""}
        said = (f"output under {pair.output_licence}", train[pair.may_train])
        lines.append(", ".join(filter(None, said)))
    if pair.fill_error is not None:
        lines.append(f"expected error of the fill: {pair.fill_error:.1f} dB of full scale")
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
    return f"{judged['name']:<13}{score:>6}  {judged['rule']:<8} {word} {judged['reason']}".rstrip()


def _pictures(dataset: Catalog, pair: Pair) -> Iterator[str]:
    """Each row of frames under its name."""
    columns = shutil.get_terminal_size().columns
    count = max(2, min(5, columns // FRAME_COLUMNS))
    for strip in strips(pair, kept_path(dataset.media), count, 4 * FRAME_COLUMNS):
        yield f"{strip.name}{': ' if strip.error else ''}{strip.error}"
        if not strip.error:
            yield half_blocks(np.concatenate([*strip.frames], axis=1), columns)
