"""Pictures of all pairs of a catalog, numbered, and a file to label them in."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from catalog.media.image import Picture, write_png
from catalog.records import Pair
from catalog.report.sheet import strips
from infra.bench.unseen.labels import Label, Labels, line, videos

FRAMES, LONG_SIDE = 5, 288
PAIRS = 4
"""To a picture."""

KEPT, REJECTED = (206, 240, 206), (250, 208, 204)
"""RGB behind the words about a pair."""


def draw(pairs: Sequence[Pair], media: Callable[[str], Path], labels: Labels, out: Path) -> None:
    """Every pair that has no label yet as source above target, mask and words, PAIRS to a PNG; and
    `pairs.jsonl`, a label for each that says it is right, to be corrected by who looks."""
    out.mkdir(parents=True, exist_ok=True)
    unlabelled = [pair for pair in pairs if labels.right(pair) is None]
    unlabelled.sort(key=lambda pair: (pair.source_uri, pair.task, pair.pair_id))
    blocks = [_block(number, pair, media) for number, pair in enumerate(unlabelled)]
    for first in range(0, len(blocks), PAIRS):
        write_png(out / f"{first:03d}.png", _stacked(blocks[first : first + PAIRS]))
    asked = [
        Label(_name(pair), pair.task, videos(pair), pair.instruction, True, True)
        for pair in unlabelled
    ]
    (out / "pairs.jsonl").write_text("".join(line(label) + "\n" for label in asked), "utf-8")


def _name(pair: Pair) -> str:
    return Path(pair.source_uri).stem


def _block(number: int, pair: Pair, media: Callable[[str], Path]) -> Picture:
    rows = [
        np.concatenate([*strip.frames], axis=1)
        for strip in strips(pair, media, FRAMES, LONG_SIDE)
        if not strip.error
    ]
    scores = " ".join(
        f"{name} {value:.2f}"
        for name in ("construction", "quality", "alignment", "subtle")
        if (value := getattr(pair, f"{name}_score")) is not None
    )
    verdict = "kept" if pair.keep else f"rejected: {pair.reason}"
    words = [
        f"#{number} {_name(pair)} {pair.task} {verdict} ({scores}) {pair.instruction_by}",
        f"> {pair.instruction}",
        f"enhanced: {pair.enhanced_instruction}",
        f"caption: {pair.caption} | label: {pair.label} | target: {pair.target_prompt}",
        f"said otherwise: {' / '.join(pair.phrasings[1:])}",
    ]
    if pair.target_height > pair.target_width:
        rows = [_beside(rows)]
    paper = KEPT if pair.keep else REJECTED
    return _stacked([*rows, *(_text(words, max(row.shape[1] for row in rows), paper))])


def _text(words: Sequence[str], width: int, paper: tuple[int, int, int]) -> list[Picture]:
    lines = [part for each in words for part in textwrap.wrap(each, max(20, width // 9))]
    made = []
    for each in lines:
        bar = np.full((20, width, 3), paper, np.uint8)
        plain = each.encode("ascii", "replace").decode()
        cv2.putText(bar, plain, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1, 16)
        made.append(bar)
    return made


def _beside(rows: Sequence[Picture]) -> Picture:
    return _stacked([row.transpose(1, 0, 2) for row in rows]).transpose(1, 0, 2)


def _stacked(rows: Sequence[Picture]) -> Picture:
    width = max(row.shape[1] for row in rows)
    padded = [
        np.pad(r, ((0, 4), (0, width - r.shape[1]), (0, 0)), constant_values=255) for r in rows
    ]
    return np.concatenate(padded)
