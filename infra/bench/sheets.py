"""Contact sheets: some random kept pairs of every task as one picture each, to be looked at.

    python infra/bench/sheets.py editmill-demo sheets/ [--pairs 12] [--seed 0] [--rejected]

A pair is a row under its instruction: source and target at the first frame, then at two thirds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import catalog
from catalog.media import read_video
from catalog.query import Queries

CELL = (200, 356)
"""Height and width of a picture, px; what has another shape is fitted in."""

BAR = 22
"""px, the height of the line above a row."""

LETTERS = 150
"""Of an instruction that fit in a row."""

Picture = NDArray[np.uint8]


def sheet(dataset: Queries, pairs: pl.DataFrame) -> Picture:
    """RGB [H, W, 3] of the pairs, two to a line."""
    rows = [_row(dataset, pair) for pair in pairs.iter_rows(named=True)]
    if len(rows) % 2:
        rows.append(np.zeros_like(rows[0]))
    return np.vstack([np.hstack(rows[i : i + 2]) for i in range(0, len(rows), 2)])


def _row(dataset: Queries, pair: dict[str, Any]) -> Picture:
    source, target = (read_video(dataset.path(pair[f"{s}_video"])) for s in ("source", "target"))
    later = 2 * min(len(source), len(target)) // 3
    cells = np.hstack([_cell(side[t]) for t in (0, later) for side in (source, target)])
    bar = np.full((BAR, cells.shape[1], 3), 255, np.uint8)
    words = f"{pair['pair_id'][:6]} {pair['reason']} {pair['instruction']}"[:LETTERS]
    cv2.putText(bar, words, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([bar, cells])


def _cell(frame: Picture) -> Picture:
    scale = min(CELL[0] / frame.shape[0], CELL[1] / frame.shape[1])
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    cell = np.zeros((*CELL, 3), np.uint8)
    cell[: small.shape[0], : small.shape[1]] = small
    return cell


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("out", type=Path, help="folder for one PNG a task")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rejected", action="store_true", help="what was not kept instead")
    options = parser.parse_args()
    dataset = catalog.open(options.catalog)
    wanted = pl.col("keep") != options.rejected
    pairs = dataset.pairs().filter(wanted).sort("task", "pair_id").collect()
    options.out.mkdir(parents=True, exist_ok=True)
    for (task,), own in pairs.group_by("task", maintain_order=True):
        drawn = own.sample(min(options.pairs, len(own)), shuffle=True, seed=options.seed)
        path = options.out / f"{task}.png"
        cv2.imwrite(str(path), cv2.cvtColor(sheet(dataset, drawn), cv2.COLOR_RGB2BGR))
        print(f"{path}: {len(drawn)} of {len(own)}", flush=True)


if __name__ == "__main__":
    main()
