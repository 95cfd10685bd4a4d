"""Compares ensembles for the quality filter: size, AUC on sources they never saw, shares kept. The
result is in infra/bench/results/quality.md.

    python infra/bench/quality/run.py --pairs pairs.npz [--only VARIANT ...]

Making the training pairs is what takes long; they are kept in the file and used
again. How the filter fares on footage of no training: infra/bench/quality/unseen.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.descriptor import BY_MEASURES
from filters.quality.training import ensemble, train
from filters.quality.training.ensemble import STYLES, MlpSettings
from filters.quality.training.kept_sets import load, save
from filters.quality.training.training_set import TrainingSet


def _of(fills: MlpSettings, count: int = 8) -> Sequence[MlpSettings]:
    return count * (fills, MlpSettings(STYLES, (16,), 1.0, 0.5, 0.2))


VARIANTS: dict[str, Sequence[MlpSettings]] = {
    "shipped": ensemble.MLPS,
    "fills: agreement alone": _of(MlpSettings(BY_MEASURES, (16,), 0.3, 1.0, 0.0)),
    "fills: agreement and half of the rest": _of(MlpSettings(BY_MEASURES, (16,), 0.3, 0.8, 0.5)),
    "fills: larger": _of(MlpSettings(BY_MEASURES, (32, 16), 0.3, 0.8, 0.15)),
    "fills: held back": _of(MlpSettings(BY_MEASURES, (16,), 3.0, 0.8, 0.15)),
    "half as many": _of(MlpSettings(BY_MEASURES, (16,), 0.3, 0.8, 0.15), 4),
}


def kept(path: Path, make: Callable[[], TrainingSet]) -> TrainingSet:
    """The training set in the file, made first if there is none."""
    if not path.is_file():
        save(path, make())
    return load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="kept here: *.npz")
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    encoder = EmbeddedEncoder()
    examples = kept(options.pairs, lambda: train.sample_pairs(encoder, tell=print))
    print(f"{len(examples.kinds)} training pairs of {len(set(examples.sources))} sources")
    for name in options.only:
        start = time.process_time()
        model = train.train(examples, encoder, mlps=VARIANTS[name])
        found = model.metrics
        print(
            f"{name}: {len(model.to_bytes()) / 1e3:.0f} kB, {time.process_time() - start:.0f} "
            f"core-s\n  AUC sources {found['auc_unseen_sources']:.4f}, clips {found['auc']:.4f}, "
            f"good kept {found['good_kept']:.3f}, broken kept {found['broken_kept']:.3f}"
        )
        for title in ("auc_per_breakage", "auc_per_task"):
            print("  " + ", ".join(f"{k} {v:.3f}" for k, v in found[title].items() if v))


if __name__ == "__main__":
    main()
