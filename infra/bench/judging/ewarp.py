"""Does an edit flicker? Flow-warping error of the expert's side of every kept pair over the real
side's, task by task.

    python infra/bench/judging/ewarp.py editmill-demo [--json]

Ewarp is `experts.edit.style.temporal.warp_error` (×10⁻³ MSE), along the real side's optical flow;
where the edit changes what moves (removal, addition, swap) each side's along its own. A ratio of 1
is as still as the footage. The same misfit of a pixel's way weighs more on sharper edges, so the
ratio is also given per unit of gradient energy: a style with black outlines has more of it than the
footage it was painted over. Both mean little where the expert's side shows something else by the
task's own meaning: maps of edges and strokes, instances in flat colours, black holes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import catalog
from catalog.media import crop_resize, read_video
from catalog.query import Queries
from experts.base import Frames
from experts.edit.style.temporal import motion, warp_error

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


def ratios(dataset: Queries, pair: dict[str, Any]) -> tuple[float, float]:
    """Ewarp of the made side over that of the real one; the same per gradient energy."""
    sides = {side: _read(dataset, pair[f"{side}_video"]) for side in ("source", "target")}
    made_side = pair["generated_side"]
    made = sides.pop(made_side)
    (real,) = sides.values()
    if made.shape != real.shape:
        made = crop_resize(made, real.shape[1:3])
    way = motion(real)
    own = motion(made) if pair["task"] in OWN_MOTION else way
    plain = warp_error(made, own) / max(warp_error(real, way), 1e-6)
    return plain, plain * energy(real) / max(energy(made), 1e-6)


def energy(frames: Frames) -> float:
    """Mean squared gradient, levels² per px²."""
    total = 0.0
    for frame in frames:
        image = frame.astype(np.float32)
        dx, dy = (cv2.Sobel(image, cv2.CV_32F, i, 1 - i, scale=1 / 8) for i in (1, 0))
        total += float((dx * dx + dy * dy).mean())
    return total / len(frames)


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
    found: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    pairs = dataset.pairs().filter(pl.col("keep")).sort("task", "pair_id").collect()
    for pair in pairs.iter_rows(named=True):
        found[pair["task"]].append((*ratios(dataset, pair), pair["pair_id"]))
    for task, rows in found.items():
        values = np.array([plain for plain, _, _ in rows])
        worst, _, pair_id = max(rows)
        row = {
            "task": task,
            "pairs": len(values),
            "median": float(np.median(values)),
            "median_per_energy": float(np.median([each for _, each, _ in rows])),
            "above": int((values > ALLOWED).sum()),
            "most": worst,
            "pair": pair_id[:8],
            "means_otherwise": task in OTHERWISE,
        }
        if options.json:
            print(json.dumps(row), flush=True)
            continue
        print(
            f"{task:<26}{row['pairs']:>4} pairs  median {row['median']:6.2f} "
            f"(per energy {row['median_per_energy']:5.2f})  most {worst:6.2f} "
            f"({row['pair']})  above {ALLOWED}: {row['above']}"
            + ("  (means otherwise)" if row["means_otherwise"] else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
