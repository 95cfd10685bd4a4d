"""Pairs of a catalog that people labelled, as training examples, and how two models judge them.

They are what a build made and stored, so nothing is broken or encoded again. A person's label may
contradict what holds of synthetic pairs: what looks right to them is what a dataset is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.errors import BadInput
from catalog.keeping.erased import kept_path
from catalog.records import Label, Pair
from catalog.storage.media import MediaStore
from filters.base import PairFrames
from filters.encoder.base import Encoder
from filters.quality.model import QualityModel
from filters.quality.training.training_set import (
    LABELLED_BAD,
    LABELLED_GOOD,
    TrainingSet,
    described,
)
from filters.roc import auc
from filters.samples import stored_sample

LEAST_LABELS = 10
"""Of either kind, on which models are compared: a choice. With 10 and 10 the standard error of an
AUC of .8 is .10 (Hanley and McNeil, 1982)."""

LEAST_SOURCES = 5
"""From which these labels come at least, a choice: pairs of one source stand or fall together."""

CLEARLY = 0.95
"""Share of the resamples in which a model must be worse for it to be so beyond chance."""

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A pair, the label that holds of it, and where its media lie."""

    label: Label
    record: Pair
    media: MediaStore

    def read(self) -> PairFrames:
        """As filters see it; raises BadInput where its media cannot be read."""
        return stored_sample(self.record, kept_path(self.media))


def labelled_examples(
    pairs: Sequence[LabelledPair], encoder: Encoder, tell: Callable[[str], None]
) -> Iterator[TrainingSet]:
    """A row for each pair; one that cannot be read is told of and left out."""
    for pair in pairs:
        try:
            sample = pair.read()
        except BadInput as error:
            tell(f"labelled pair {pair.record.pair_id[:12]} is left out: {error}")
            continue
        (row,) = described([sample], encoder)
        kind = LABELLED_GOOD if pair.label.good else LABELLED_BAD
        source, clip = pair.record.source_id, pair.record.clip_id
        yield TrainingSet(row[None], (kind,), (sample.task,), (source,), (f"{source}:{clip}",))


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """How well two models tell labelled pairs apart, each pair judged by folds that were not
    trained on its source.

    `aucs`: of the one and the other. `worse`, `better`: in what shares of resamples of the sources
    (Efron's bootstrap) the one's AUC is lower, and higher.
    """

    aucs: tuple[float, float]
    worse: float
    better: float

    @property
    def clearly_worse(self) -> bool:
        return self.worse >= CLEARLY

    @property
    def clearly_better(self) -> bool:
        return self.better >= CLEARLY


def on_labels(
    one: QualityModel, other: QualityModel, examples: TrainingSet, seed: int = 0
) -> LabelComparison | None:
    """Of two models on the labelled pairs among the examples; None with fewer than LEAST_LABELS of
    either kind, or LEAST_SOURCES."""
    rows = np.flatnonzero(examples.labelled)
    good, sources = examples.good[rows], np.array(examples.sources)[rows]
    names = np.unique(sources)
    if min(good.sum(), (~good).sum()) < LEAST_LABELS or len(names) < LEAST_SOURCES:
        return None
    x = examples.x[rows]
    scores = np.stack([model.score(x, sources.tolist()) for model in (one, other)])
    of_source = [np.flatnonzero(sources == name) for name in names]
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([of_source[k] for k in rng.integers(len(names), size=len(names))])
        if good[drawn].any() and not good[drawn].all():
            mine, its = (auc(s[drawn][good[drawn]], s[drawn][~good[drawn]]) for s in scores)
            gains.append(mine - its)
    aucs = tuple(auc(s[good], s[~good]) for s in scores)
    gained = np.array(gains)
    return LabelComparison(
        (aucs[0], aucs[1]), float((gained < 0).mean()), float((gained > 0).mean())
    )
