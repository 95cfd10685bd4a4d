"""Fitting the quality model: one fold per held-out part of the source videos, some MLPs a fold.

The MLPs of a fold differ in columns, size and bootstrap sample. They are scikit-learn's; what is
kept of them is weights, as filters.quality.model reads them.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from catalog.errors import EditmillError
from filters.quality.descriptor import AGREEMENT_COLUMNS, BY_MEASURES, GROUP_NAMES
from filters.quality.model import Fold, Matrix, Mlp, QualityModel, group_index, inputs
from filters.rules import QUALITY_THRESHOLD

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier


@dataclass(frozen=True, slots=True)
class MlpSettings:
    """Task groups that an MLP is trained on and judges, hidden layers, MLPClassifier's alpha (L2
    penalty), and shares of the descriptor's columns that are drawn: `agreement` of those that say
    how the sides agree (filters.quality.descriptor.AGREEMENT_COLUMNS), `columns` of the others
    that such a group has."""

    groups: frozenset[str]
    hidden: tuple[int, ...]
    alpha: float
    agreement: float
    columns: float


STYLES = frozenset(GROUP_NAMES) - BY_MEASURES

_FILLS = MlpSettings(BY_MEASURES, (16,), 0.3, 0.8, 0.15)
_SWAPS = MlpSettings(frozenset({"swap"}), (16,), 0.3, 0.9, 0.4)
_STYLES = MlpSettings(STYLES, (16,), 1.0, 0.5, 0.2)

MLPS = (*3 * (_FILLS, _STYLES, _SWAPS), *5 * (_FILLS, _STYLES))
"""Of every fold. Many small MLPs that see few columns each differ more than fewer large ones, and
more of them fit into 1 MB: see infra/bench/results/quality.md."""


def fit(
    x: NDArray,
    labels: NDArray[np.bool_],
    sources: Sequence[str],
    seed: int,
    features: str,
    *,
    mlps: Sequence[MlpSettings] = MLPS,
    max_folds: int = 7,
    epochs: int = 40,
    good_kept: float = 0.93,
    threshold: float = QUALITY_THRESHOLD,
) -> QualityModel:
    """A model from descriptors x [n, F], labels [n] (True: a good edit) and source ids; `features`
    is the version of the descriptors.

    The defaults were chosen by infra/bench/quality/run.py on held-out sources, but for two:
    `good_kept` is the share of each task group's good edits, scored by folds that were not trained
    on their footage, that is to reach `threshold` (a choice); `threshold` is Señorita-2M's.

    Raises EditmillError unless there are two sources and both labels.
    """
    names = sorted(set(sources))
    if len(names) < 2 or len(set(labels.tolist())) < 2:
        raise EditmillError(
            "the quality filter needs good and failed edits from at least two source videos, so "
            "that no part of it judges the footage it was trained on; add source videos"
        )
    rng = np.random.default_rng(seed)
    of_row = np.asarray(sources)
    folds = []
    for held_out in np.array_split(rng.permutation(names), min(max_folds, len(names))):
        rows = np.flatnonzero(~np.isin(of_row, held_out))
        if len(set(labels[rows].tolist())) < 2:
            continue
        trained_on = frozenset(str(s) for s in set(of_row[rows]))
        blank = Fold(trained_on, *normal(x, rows, labels), mlps=())
        fitted = [
            fit_mlp(how, blank, x, labels, rows, rng, epochs)[0]
            for how in mlps
            if len(set(labels[_of_groups(how.groups, x, rows)].tolist())) == 2
        ]
        folds.append(dataclasses.replace(blank, mlps=tuple(fitted)))
    model = QualityModel(tuple(folds), features)
    logits, group = model.logit(x, sources), group_index(x)
    offsets = []
    for g in range(len(GROUP_NAMES)):
        own = logits[labels & (group == g)]
        lowest = float(np.quantile(own, 1 - good_kept)) if len(own) else 0.0
        offsets.append(math.log(threshold / (1 - threshold)) - lowest)
    return dataclasses.replace(model, offsets=tuple(offsets))


def fit_mlp(
    settings: MlpSettings,
    fold: Fold,
    x: NDArray,
    labels: NDArray[np.bool_],
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    epochs: int,
) -> tuple[Mlp, MLPClassifier]:
    """One MLP on a balanced bootstrap of `rows`, and the scikit-learn classifier that it is."""
    # Imported late: judging needs none of it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    columns = _drawn_columns(settings, x, rng)
    rows = _of_groups(settings.groups, x, rows)
    good, failed = rows[labels[rows]], rows[~labels[rows]]
    each = max(len(good), len(failed))
    drawn = np.concatenate([rng.choice(good, each), rng.choice(failed, each)])
    classifier = MLPClassifier(
        settings.hidden,
        alpha=settings.alpha,
        max_iter=epochs,
        learning_rate_init=2e-3,  # twice scikit-learn's default: few epochs
        batch_size=min(32, len(drawn)),
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings(), threadpool_limits(1):  # small matrices are slower on several
        # A fixed number of epochs is meant: it holds the weights back as the penalty does.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(inputs(fold.departures(x[drawn])[:, columns]), labels[drawn])
    classifier.coefs_ = [_stored(w) for w in classifier.coefs_]
    classifier.intercepts_ = [_stored(b) for b in classifier.intercepts_]
    groups = frozenset(GROUP_NAMES.index(name) for name in settings.groups)
    return Mlp(groups, columns, tuple(classifier.coefs_), tuple(classifier.intercepts_)), classifier


def _of_groups(groups: frozenset[str], x: NDArray, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of `rows` those whose task is of one of the groups."""
    return rows[np.isin(group_index(x[rows]), [GROUP_NAMES.index(name) for name in groups])]


def _drawn_columns(
    settings: MlpSettings, x: NDArray, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Of descriptors [n, F], in order. What is 0 in all of a group's rows is not drawn."""
    every = np.arange(x.shape[1])
    used = every[x[_of_groups(settings.groups, x, np.arange(len(x)))].any(0)]
    agreement = np.intersect1d(every[AGREEMENT_COLUMNS], used)
    others = np.setdiff1d(used, agreement)
    drawn = [
        rng.choice(of, max(1, round(share * len(of))), replace=False)
        for of, share in ((agreement, settings.agreement), (others, settings.columns))
        if len(of)
    ]
    return np.sort(np.concatenate(drawn))


def _stored(values: NDArray) -> Matrix:
    """As the model's file will hold them."""
    return values.astype(np.float16).astype(np.float64)


def normal(
    x: NDArray, rows: NDArray[np.int64], labels: NDArray[np.bool_], shrinkage: int = 4
) -> tuple[Matrix, Matrix]:
    """Median and standard deviation [groups + 1, F] of the good edits in `rows`, per task group
    and, in the last row, of all groups.

    A group's own variance is averaged with that of all `rows`, which counts as `shrinkage` pairs:
    a handful of good edits varies too little.
    """
    overall = x[rows].std(0, dtype=np.float64)
    good = rows[labels[rows]]
    group = group_index(x)
    centre = np.tile(np.median(x[good], axis=0).astype(np.float64), (len(GROUP_NAMES) + 1, 1))
    scale = np.tile(overall + 1e-6, (len(GROUP_NAMES) + 1, 1))
    for g in np.unique(group[good]):
        own = x[good[group[good] == g]]
        centre[g] = np.median(own, axis=0)
        variance = len(own) * own.var(0, dtype=np.float64) + shrinkage * overall**2
        scale[g] = np.sqrt(variance / (len(own) + shrinkage)) + 1e-6
    # As the model's file will hold them.
    return centre.astype(np.float32).astype(np.float64), scale.astype(np.float32).astype(np.float64)
