"""Calibrates the subtle-change filter: what similarity do invisible edits have, what do real ones?

    python infra/bench/judging/subtle.py [--seed 0]

Invisible: footage encoded again (CRF 17 and 28), slight noise, 2 % brighter. Real: good pairs of
the quality filter's training set. Prints both distributions per task and what a threshold costs.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.media import read_video, write_video
from experts.weights import fetch
from filters.base import PairFrames
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import describe
from filters.quality.training.good_edits import GoodEdits
from filters.roc import auc
from filters.subtle import MEASURED, SubtleFilter, similarity, visible

CLIPS = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")


def invisible(pair: PairFrames, rng: np.random.Generator) -> Iterator[PairFrames]:
    """The pair with its target replaced by its source, hardly changed."""
    frames = pair.source
    noisy = frames + rng.normal(0, 2, frames.shape)
    for made in (
        again(frames, 17),
        again(frames, 28),
        np.clip(np.rint(noisy), 0, 255).astype(np.uint8),
        np.clip(np.rint(frames * 1.02), 0, 255).astype(np.uint8),
    ):
        yield dataclasses.replace(pair, target=made)


def again(frames: NDArray[np.uint8], crf: int) -> NDArray[np.uint8]:
    """The frames after another trip through the video encoder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "again.mp4"
        write_video(path, frames, 25, crf)
        return read_video(path)


def line(name: str, values: Sequence[float]) -> str:
    low, first, median, last, high = np.quantile(values, (0, 0.05, 0.5, 0.95, 1))
    return (
        f"{name:24s} n={len(values):3d}  min {low:.4f}  5% {first:.4f}  median {median:.4f}  "
        f"95% {last:.4f}  max {high:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    encoder = EmbeddedEncoder()
    rng = np.random.default_rng(options.seed)
    pairs = GoodEdits().pairs([(clip, Path(fetch(clip))) for clip in CLIPS], options.seed)
    real = [p for _, p in pairs if p.task in MEASURED]
    same = [near for p in real[:: len(CLIPS)] for near in invisible(p, rng)]
    scores = {
        kind: [similarity(f.source, f.target) for f in describe(chosen, encoder)]
        for kind, chosen in (("invisible", same), ("real", real))
    }
    print(line("invisible", scores["invisible"]))
    for task in sorted({p.task for p in real}):
        chosen = [s for s, p in zip(scores["real"], real, strict=True) if p.task == task]
        print(line(task, chosen))
    print(f"AUC of the similarity {auc(scores['invisible'], scores['real']):.4f}")
    threshold = SubtleFilter(encoder).threshold
    for kind, chosen in (("invisible", same), ("real", real)):
        alike = np.array(scores[kind]) > threshold
        unseen = np.array([not visible(p.source, p.target, p.mask) for p in chosen])
        print(
            f"{kind}: {alike.mean():.1%} above {threshold}, {unseen.mean():.1%} not seen, "
            f"{(alike | unseen).mean():.1%} dropped"
        )


if __name__ == "__main__":
    main()
