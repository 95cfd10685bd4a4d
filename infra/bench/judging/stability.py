"""How still the global stylizer keeps a style: flow-warping error against per-frame stylization.

    python infra/bench/judging/stability.py [--clips clip_city …] [--styles dusk …] [--json]

For each clip and style: Ewarp (×10⁻³ MSE, `experts.edit.style.temporal.warp_error`) of the source,
of the network run frame by frame, and of the stylizer. The stylizer follows the same flow (DIS)
that this error is measured along, which favours it; so the ratio is measured again along
Farnebäck's flow, which it never sees. Sharpness is the mean absolute Laplacian against the
frame-by-frame result: below 1, the stillness was bought with blur.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from catalog.media import fit_size, probe, read_video
from experts.annotate.motion.flow import Flow, consistent
from experts.base import EditRequest, Frames
from experts.edit.style.global_stylizer import GlobalStylizer
from experts.edit.style.painters import Painter
from experts.edit.style.styles import style_named
from experts.edit.style.temporal import FrameMapping, Motion, motion, warp_error
from experts.weights import fetch

CLIPS = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel")
STYLES = ("coloured_pencil", "starry_swirls", "indigo_woodblock", "pencil_sketch", "watercolor")
FIRST = 60  # clear of the clips' fade-ins


def farneback(frames: Frames) -> Motion:
    """The frames' motion by another method than the stylizer's; trust is not filled in."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    ahead = []
    for a, b in itertools.pairwise(grey):
        forward, backward = _farneback(a, b), _farneback(b, a)
        seen = consistent(forward, backward)
        ahead.append(FrameMapping(forward, seen, seen.astype(np.float32)))
    return Motion((), tuple(ahead))


def _farneback(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
    field: Flow = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 5, 13, 5, 5, 1.1, 0)
    return field


def sharpness(frames: Frames) -> float:
    """Mean absolute Laplacian of the luma."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    return float(np.mean([np.abs(cv2.Laplacian(g, cv2.CV_32F)).mean() for g in grey]))


def measure(clip: str, styles: list[str], count: int) -> list[dict[str, float | str]]:
    """One row per style."""
    path = fetch(clip)
    info = probe(path)
    size = fit_size(info.width, info.height, 336, 592)
    frames = read_video(path, first=FIRST, count=count, size=size)
    seen, other = motion(frames), farneback(frames)
    source, source_other = warp_error(frames, seen), warp_error(frames, other)
    stylizer, painter = GlobalStylizer(), Painter()
    stylizer.load()
    rows: list[dict[str, float | str]] = []
    for name in styles:
        style = style_named(name)
        naive = np.stack([painter.paint(frame, style) for frame in frames])
        start = time.perf_counter()
        ours = stylizer.edit(EditRequest("global_style_transfer", frames, params={"style": name}))
        seconds = time.perf_counter() - start
        still, loose = warp_error(ours.frames, seen), warp_error(naive, seen)
        rows.append(
            {
                "clip": clip,
                "style": name,
                "source": source,
                "naive_to_source": loose / source,
                "ours_to_source": still / source,
                "ours_to_naive": still / loose,
                "ours_to_naive_farneback": warp_error(ours.frames, other)
                / warp_error(naive, other),
                "ours_to_source_farneback": warp_error(ours.frames, other) / source_other,
                "sharpness": sharpness(ours.frames) / sharpness(naive),
                "seconds": seconds,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", nargs="+", default=CLIPS)
    parser.add_argument("--styles", nargs="+", default=STYLES)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args()
    heads: list[str] = []
    for clip in options.clips:
        for row in measure(clip, list(options.styles), options.frames):
            if options.json:
                print(json.dumps(row), flush=True)
                continue
            if not heads:
                heads = list(row)
                print("  ".join(heads))
            cells = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
            print("  ".join(c.rjust(len(h)) for c, h in zip(cells, heads, strict=True)), flush=True)


if __name__ == "__main__":
    main()
