"""Does an edit flicker? Flow-warping error of the expert's side of every kept pair over the real
side's, task by task.

    python infra/bench/ewarp.py editmill-demo [--json]

Ewarp is `experts.edit.temporal.warp_error` (×10⁻³ MSE), along the real side's optical flow; where
the edit changes what moves (removal, addition, swap) each side's along its own. A ratio of 1 is as
still as the footage. It means little where the expert's side shows something else by the task's own
meaning: maps of edges and strokes, instances in flat colours, black holes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import catalog
from catalog.media import crop_resize, read_video
from catalog.query import Queries
from experts.base import Frames
from experts.edit.temporal import motion, warp_error

OWN_MOTION = {"object_removal", "object_addition", "object_swap"}

OTHERWISE = {
    "object_grounding", "canny_to_video", "hed_detection", "hed_to_video",
    "fake_scribble_detection", "fake_scribble_to_video", "depth_detection", "depth_to_video",
    "inpainting", "outpainting",
}  # fmt: skip
"""Tasks whose made side is not footage."""

LONG_SIDE = 592
"""px at which larger pairs are measured."""

ALLOWED = 1.1


def ratio(dataset: Queries, pair: dict[str, Any]) -> float:
    """Ewarp of the made side over that of the real one."""
    sides = {side: _read(dataset, pair[f"{side}_video"]) for side in ("source", "target")}
    made_side = pair["generated_side"]
    made = sides.pop(made_side)
    (real,) = sides.values()
    if made.shape != real.shape:
        made = crop_resize(made, real.shape[1:3])
    way = motion(real)
    own = motion(made) if pair["task"] in OWN_MOTION else way
    return warp_error(made, own) / max(warp_error(real, way), 1e-6)


def _read(dataset: Queries, ref: str) -> Frames:
    frames = read_video(dataset.path(ref))
    scale = min(1.0, LONG_SIDE / max(frames.shape[1:3]))
    return crop_resize(frames, (round(frames.shape[1] * scale), round(frames.shape[2] * scale)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object a task")
    options = parser.parse_args()
    dataset = catalog.open(options.catalog)
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    pairs = dataset.pairs().filter(pl.col("keep")).sort("task", "pair_id").collect()
    for pair in pairs.iter_rows(named=True):
        found[pair["task"]].append((ratio(dataset, pair), pair["pair_id"]))
    for task, ratios in found.items():
        values = np.array([value for value, _ in ratios])
        worst, pair_id = max(ratios)
        row = {
            "task": task,
            "pairs": len(values),
            "median": float(np.median(values)),
            "above": int((values > ALLOWED).sum()),
            "most": worst,
            "pair": pair_id[:8],
            "means_otherwise": task in OTHERWISE,
        }
        if options.json:
            print(json.dumps(row), flush=True)
            continue
        print(
            f"{task:<26}{row['pairs']:>4} pairs  median {row['median']:6.2f}  most {worst:6.2f} "
            f"({row['pair']})  above {ALLOWED}: {row['above']}"
            + ("  (means otherwise)" if row["means_otherwise"] else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
