"""Compares ensembles for the quality filter: size, AUC on clips and sources they never saw, shares
kept. The result is in infra/bench/results/quality.md.

    python infra/bench/quality.py --pairs pairs.npz [--held-out VIDEO ...]

Making the training pairs takes five minutes of one core; they are kept in the file and used again.
Videos given by --held-out (and the sample clip `clip_pedestrians`) are no part of any training:
all folds vote on pairs made from them.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from catalog.keys import file_digest
from experts.weights import fetch
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.training import ensemble, train
from filters.quality.training.ensemble import MlpSettings
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.training_set import TrainingSet, training_set
from filters.roc import auc
from filters.rules import QUALITY_THRESHOLD

BEFORE = 2 * (
    MlpSettings((32,), 0.5, 0.1),
    MlpSettings((32,), 0.5, 0.03),
    MlpSettings((64,), 0.5, 0.1),
    MlpSettings((64,), 0.5, 0.3),
    MlpSettings((32, 16), 0.5, 0.1),
    MlpSettings((32, 16), 0.7, 0.3),
)

VARIANTS: dict[str, Sequence[MlpSettings]] = {
    "shipped": ensemble.MLPS,
    "12 large ones a fold, as before": BEFORE,
    "6 of 32 units and half of the columns": 3 * (BEFORE[0], BEFORE[4]),
    "6 of 32 units and a quarter of the columns": 3
    * (MlpSettings((32,), 0.25, 0.1), MlpSettings((32, 16), 0.25, 0.1)),
}


def kept(path: Path, make: Callable[[], TrainingSet]) -> TrainingSet:
    """The training set in the file, made first if there is none."""
    if not path.is_file():
        np.savez(path, **dataclasses.asdict(make()))
    with np.load(path) as file:
        names = ("kinds", "tasks", "sources", "clips")
        return TrainingSet(file["x"], *(tuple(map(str, file[name])) for name in names))


def held_out(videos: Sequence[Path], encoder: EmbeddedEncoder) -> TrainingSet:
    """Pairs of footage that no training saw."""
    named = [(file_digest(video), video) for video in videos]
    return training_set(GoodEdits(windows=4).pairs(named, 0), 0, encoder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="kept here: *.npz")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], metavar="VIDEO")
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    encoder = EmbeddedEncoder()
    examples = kept(options.pairs, lambda: train.sample_pairs(encoder, tell=print))
    videos = [fetch("clip_pedestrians"), *options.held_out]
    others = kept(
        options.pairs.with_name("held-out-" + options.pairs.name),
        lambda: held_out(videos, encoder),
    )
    print(f"{len(examples.kinds)} training pairs, {len(others.kinds)} of held-out footage")
    for name in options.only:
        start = time.process_time()
        model = train.train(examples, encoder, mlps=VARIANTS[name])
        found = model.metrics
        scores, good = model.score(others.x, others.sources), others.good
        print(
            f"{name}: {len(model.to_bytes()) / 1e3:.0f} kB, {time.process_time() - start:.0f} "
            f"core-s\n  AUC clips {found['auc']:.4f}, sources {found['auc_unseen_sources']:.4f}, "
            f"good kept {found['good_kept']:.3f}, broken kept {found['broken_kept']:.3f}\n"
            f"  held-out footage: AUC {auc(scores[good], scores[~good]):.4f}, good kept "
            f"{(scores[good] >= QUALITY_THRESHOLD).mean():.3f}, broken kept "
            f"{(scores[~good] >= QUALITY_THRESHOLD).mean():.3f}"
        )
        print("  " + ", ".join(f"{k} {v:.3f}" for k, v in found["auc_per_breakage"].items()))


if __name__ == "__main__":
    main()
