"""What the quality filter gains by pairs that people labelled, on sources that it did not see. The
result is in infra/bench/results/quality.md.

    python infra/bench/quality/labels.py --pairs FOLDER [--windows 3] [--labels 60 120] [--draws 2]

Nobody labelled these: a draw takes pairs of infra/bench/quality/unseen.py on `reported_on`, half of
them right and half broken, and gives them the label that the truth is. A model trained on synthetic
pairs of `tuned_on` and on these is held beside one trained on the synthetic pairs alone; every pair
is judged by folds that were not trained on its source. Making the pairs takes most of an hour of
one core; they are kept in the folder, source by source, and used again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from experts.weights import entry, fetch
from filters.encoder.embedded import EmbeddedEncoder
from filters.quality.descriptor import features_version, stacked
from filters.quality.model import QualityModel
from filters.quality.training.ensemble import fit
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.labelled import on_labels
from filters.quality.training.train import SAMPLES
from filters.quality.training.training_set import (
    LABELLED_BAD,
    LABELLED_GOOD,
    TrainingSet,
    described,
    joined,
    training_set,
)
from filters.roc import auc
from filters.rules import QUALITY_THRESHOLD
from infra.bench.quality.run import kept
from infra.bench.quality.unseen import REMOVAL, RIGHT, Cases, additions, samples, sources

Rows = Iterator[tuple[np.ndarray, str, str, str, str]]


def synthetic(name: str, windows: int, encoder: EmbeddedEncoder) -> TrainingSet:
    """The training pairs of a sample clip."""
    pairs = GoodEdits(windows=windows).pairs([(entry(name).sha256, fetch(name))], 0)
    return training_set(pairs, 0, encoder)


def unseen(source: str, cases: Cases, encoder: EmbeddedEncoder) -> TrainingSet:
    """All versions of a source's cases; their kinds are RIGHT and what is broken."""

    def rows() -> Rows:
        for number, task, case, made in cases:
            found = samples(task, case, made, source, number)
            for each in [found, additions(found)] if task == REMOVAL else [found]:
                for kind, row in zip(each, described([*each.values()], encoder), strict=True):
                    yield row, kind, next(iter(each.values())).task, source, f"{source}:{number}"

    x, *facts = zip(*rows(), strict=True)
    return TrainingSet(stacked(x), *facts)


def draw(pairs: TrainingSet, count: int, seed: int) -> TrainingSet:
    """So many of the pairs, half of them right, with labels."""
    rng = np.random.default_rng(seed)
    right = np.array(pairs.kinds) == RIGHT
    of_each = [np.flatnonzero(right), np.flatnonzero(~right)]
    good = min(count // 2, len(of_each[0]))
    wanted = zip(of_each, (good, count - good), strict=True)
    chosen = np.concatenate([rng.choice(of, n, replace=False) for of, n in wanted])
    taken = {
        name: tuple(getattr(pairs, name)[i] for i in chosen)
        for name in ("tasks", "sources", "clips")
    }
    kinds = tuple(LABELLED_GOOD if right[i] else LABELLED_BAD for i in chosen)
    return TrainingSet(pairs.x[chosen], kinds, **taken)


def told(model: QualityModel, pairs: TrainingSet) -> str:
    """Of all unseen pairs, labelled or not."""
    scores, right = model.score(pairs.x, pairs.sources), np.array(pairs.kinds) == RIGHT
    passed = scores >= QUALITY_THRESHOLD
    return (
        f"AUC {auc(scores[right], scores[~right]):.3f}, keeps {passed[right].mean():.0%} of the "
        f"right and {passed[~right].mean():.0%} of the broken ones"
    )


def overall(model: QualityModel, examples: TrainingSet) -> float:
    scores = model.score(examples.x, examples.sources)
    return auc(scores[examples.good], scores[~examples.good])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="a folder; they are kept here")
    parser.add_argument("--windows", type=int, default=3, help="of each sample clip; training: 6")
    parser.add_argument("--labels", type=int, nargs="*", default=[60, 120])
    parser.add_argument("--draws", type=int, default=2)
    options = parser.parse_args()
    options.pairs.mkdir(parents=True, exist_ok=True)
    encoder = EmbeddedEncoder()

    def stored(name: str, make: Callable[[], TrainingSet]) -> TrainingSet:
        return kept(options.pairs / f"{name}.npz", make)

    made = joined(
        [stored(name, partial(synthetic, name, options.windows, encoder)) for name in SAMPLES]
    )
    pairs = joined(
        [
            stored(name, partial(unseen, source, cases, encoder))
            for name, source, cases in sources("reported_on", (), options.windows)
        ]
    )
    right = pairs.kinds.count(RIGHT)
    print(
        f"{len(made.kinds)} synthetic pairs; unseen: {right} right, {len(pairs.kinds) - right} not"
    )

    def model(examples: TrainingSet) -> QualityModel:
        return fit(examples.x, examples.good, examples.sources, 0, features_version(encoder))

    before = model(made)
    print(f"no labels: {told(before, pairs)}")
    for count in options.labels:
        for seed in range(options.draws):
            both = joined([made, draw(pairs, count, seed)])
            after = model(both)
            found = on_labels(after, before, both)
            assert found is not None, "too few labels of either kind"
            print(
                f"{count} labels, draw {seed}: {told(after, pairs)}\n  on the labels "
                f"{found.aucs[0]:.3f}, without them {found.aucs[1]:.3f} (of resamples worse in "
                f"{found.worse:.0%}, better in {found.better:.0%}); on everything "
                f"{overall(after, both):.4f}, without them "
                f"{overall(before, both):.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
