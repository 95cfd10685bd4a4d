"""How well the quality filter tells good edits from broken ones, on footage it never saw.

    python infra/bench/quality.py [--seed 0] [--save quality.safetensors]

Makes the training set from the sample clips by the real experts, trains the cross-fitted ensemble,
and scores every pair by the members that did not see its source: leave-one-source-out. Prints AUC
overall, per breakage and per task group, and what each step cost.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experts.weights import fetch
from filters.alignment import auc
from filters.base import PairSample
from filters.descriptor import GROUPS, descriptor
from filters.encoder import Encoder
from filters.features import describe
from filters.quality import THRESHOLD, WORKERS, QualityModel, fit
from filters.training import GOOD, training_set
from flows.quality_set import good_pairs

CLIPS = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")


def table(scores: NDArray, kinds: Sequence[str], of: Sequence[str]) -> dict[str, tuple[float, int]]:
    """AUC of good against broken within each value of `of`; a breakage is set against all good."""
    kinds_array, of_array = np.array(kinds), np.array(of)
    good = kinds_array == GOOD
    out = {}
    for value in sorted(set(of) - {GOOD}):
        chosen = of_array == value
        against = scores[good & chosen] if (good & chosen).any() else scores[good]
        broken = scores[~good & chosen]
        if len(against) and len(broken):
            out[value] = auc(list(against), list(broken)), len(broken)
    return out


def show(scores: NDArray, samples: Sequence[PairSample], kinds: Sequence[str]) -> None:
    """Prints the tables."""
    good = np.array(kinds) == GOOD
    print(f"\nAUC on unseen sources, all: {auc(list(scores[good]), list(scores[~good])):.4f}")
    kept, dropped = (scores[good] >= THRESHOLD).mean(), (scores[~good] < THRESHOLD).mean()
    print(f"at threshold {THRESHOLD}: {kept:.1%} of good kept, {dropped:.1%} of broken dropped")
    columns = {
        "breakage": list(kinds),
        "task group": [GROUPS[s.task] for s in samples],
        "task": [s.task for s in samples],
        "source": [s.source_id for s in samples],
    }
    for title, of in columns.items():
        print(f"\n{title}")
        for value, (area, count) in table(scores, kinds, of).items():
            print(f"  {value:24s} {area:.4f}  ({count} broken)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="write the trained model here")
    options = parser.parse_args()

    videos = [(clip, Path(fetch(clip))) for clip in CLIPS]
    started = time.perf_counter()
    laps: list[tuple[str, float]] = []

    def lap(name: str) -> None:
        laps.append((name, time.perf_counter() - started - sum(s for _, s in laps)))

    good = good_pairs(videos, options.seed)
    lap("good pairs by the experts")
    samples, labels, groups, kinds = training_set(good, options.seed)
    lap("breaking and encoding")
    encoder = Encoder()
    features = describe(samples, encoder, WORKERS)
    lap("features")
    x = np.stack([descriptor(f, s.task) for f, s in zip(features, samples, strict=True)])
    model: QualityModel = fit(x, np.array(labels), groups, options.seed, encoder.name)
    lap("training")
    show(model.score(x, groups), samples, kinds)
    print(f"\n{len(samples)} pairs, {sum(labels)} good; {x.shape[1]} columns")
    for name, seconds in laps:
        print(f"  {name:28s} {seconds:6.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {'peak memory':28s} {peak:6.1f} GiB")
    if options.save:
        model.save(options.save)


if __name__ == "__main__":
    main()
