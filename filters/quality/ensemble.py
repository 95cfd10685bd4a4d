"""Drops failed edits: an ensemble of MLP classifiers on frozen image features of 17 frames.

Señorita-2M trains such an ensemble on hand-labelled pairs. Here the truth is made: good edits and
edits broken on purpose (filters.quality.breakages). What is normal differs by task group, so a
feature is taken as its departure from the good edits of its group. Members differ in features,
size and sample. They are
cross-fitted by source: a member knows which footage it saw, and a pair is scored only by members
that did not see its footage, so a build may use the very clips the filter was trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from catalog.errors import EditmillError
from filters.base import NOT_MEASURED, PairSample, Verdict
from filters.construction import CONSTRUCTED
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import PairFeatures, describe
from filters.quality.descriptor import GROUP_NAMES, descriptor

EDIT_FAILED = "edit_failed"

THRESHOLD = 0.6
"""Least score that is kept (Señorita-2M, quality filter; it may differ per task)."""

GOOD_KEPT = 0.9
"""Share of the good edits, judged out of fold, that the training puts at THRESHOLD or above."""

MAX_FOLDS = 10

REPEATS = 2
"""Members of each strategy and fold: twice as many bootstraps, +.003 AUC on clips never seen."""

CLIP = 6.0
"""Departures are cut here: footage unlike the training's must not swamp a hidden unit."""

SHRINK = 4
"""Pairs' worth of the whole set's spread in a group's own: few good edits vary too little."""

EPOCHS = 40

_FORMAT = "editmill-quality-2"


@dataclass(frozen=True, slots=True)
class _Strategy:
    """How a member is trained: hidden layers, share of the columns, MLPClassifier's alpha."""

    hidden: tuple[int, ...]
    share: float
    decay: float


STRATEGIES = (
    _Strategy((32,), 0.5, 0.1),
    _Strategy((32,), 0.5, 0.03),
    _Strategy((64,), 0.5, 0.1),
    _Strategy((64,), 0.5, 0.3),
    _Strategy((32, 16), 0.5, 0.1),
    _Strategy((32, 16), 0.7, 0.3),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One MLP: columns → departures from the task group's good edits → ReLU layers → logistic.

    `centre`, `spread` [groups + 1, columns]; the last row is for a task of no known group.
    """

    columns: NDArray[np.int64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]
    seen: frozenset[str]

    def prepare(self, x: NDArray) -> NDArray[np.float64]:
        """Descriptors [n, F] → the MLP's inputs: each departure's signed root, and its size."""
        group = _group(x)
        z = (x[:, self.columns] - self.centre[group]) / self.spread[group]
        z = np.clip(z, -CLIP, CLIP)
        return np.hstack([np.sign(z) * np.sqrt(np.abs(z)), np.abs(z)])

    def logit(self, x: NDArray) -> NDArray[np.float64]:
        """[n]: log odds that an edit is good; of sklearn's predict_proba on `prepare(x)`."""
        y = self.prepare(x)
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            y = np.maximum(y @ w + b, 0)
        out: NDArray[np.float64] = (y @ self.weights[-1] + self.biases[-1])[:, 0]
        return out


def _group(x: NDArray) -> NDArray[np.int64]:
    one_hot = x[:, : len(GROUP_NAMES)]
    return np.where(one_hot.any(1), one_hot.argmax(1), len(GROUP_NAMES))


@dataclass(frozen=True, slots=True)
class QualityModel:
    """The ensemble, and the encoder its features come from. `offset` is added to the log odds."""

    members: tuple[Member, ...]
    encoder: str
    facts: Mapping[str, Any]
    offset: float = 0.0

    def logit(self, x: NDArray, source_ids: Sequence[str]) -> NDArray[np.float64]:
        """[n]: mean log odds of the members that never saw the pair's footage.

        Raises EditmillError if every member saw it: then the model was not cross-fitted.
        """
        votes = np.stack([member.logit(x) for member in self.members])
        may = np.array([[s not in m.seen for s in source_ids] for m in self.members])
        if not may.any(0).all():
            raise EditmillError(
                "the quality model has no member that did not train on this pair's footage; "
                "train it again: editmill train quality"
            )
        return (votes * may).sum(0) / may.sum(0) + self.offset

    def score(self, x: NDArray, source_ids: Sequence[str]) -> NDArray[np.float64]:
        """[n]: the same as a probability that the edit is good."""
        return 1 / (1 + np.exp(-self.logit(x, source_ids)))

    def to_bytes(self) -> bytes:
        """Safetensors: weights as tensors, the rest as JSON; same model, same bytes."""
        tensors: dict[str, NDArray] = {}
        members = []
        for i, member in enumerate(self.members):
            tensors[f"{i}.columns"] = member.columns
            tensors[f"{i}.centre"], tensors[f"{i}.spread"] = member.centre, member.spread
            for k, (w, b) in enumerate(zip(member.weights, member.biases, strict=True)):
                tensors[f"{i}.weight.{k}"], tensors[f"{i}.bias.{k}"] = w, b
            members.append({"layers": len(member.weights), "seen": sorted(member.seen)})
        head = {
            "members": members,
            "encoder": self.encoder,
            "facts": dict(self.facts),
            "offset": self.offset,
            "format": _FORMAT,
        }
        return serialise(
            {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
            {"quality": json.dumps(head, sort_keys=True)},
        )

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(self.to_bytes())
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> QualityModel:
        """Reads a saved model; EditmillError if there is none or it is not one."""
        if not path.is_file():
            raise EditmillError(
                f"{path}: there is no quality model; make one with: editmill train quality"
            )
        try:
            with safe_open(path, "np") as file:
                head = json.loads((file.metadata() or {})["quality"])
                if head["format"] != _FORMAT:
                    raise ValueError(head["format"])
                members = []
                for i, fact in enumerate(head["members"]):
                    layers = range(fact["layers"])
                    members.append(
                        Member(
                            file.get_tensor(f"{i}.columns"),
                            file.get_tensor(f"{i}.centre"),
                            file.get_tensor(f"{i}.spread"),
                            tuple(file.get_tensor(f"{i}.weight.{k}") for k in layers),
                            tuple(file.get_tensor(f"{i}.bias.{k}") for k in layers),
                            frozenset(fact["seen"]),
                        )
                    )
        except (SafetensorError, KeyError, ValueError) as error:
            raise EditmillError(
                f"{path}: not a quality model of this version ({type(error).__name__}); "
                "make one with: editmill train quality"
            ) from error
        return cls(tuple(members), head["encoder"], head["facts"], head["offset"])


class QualityFilter:
    """Keeps a pair whose score reaches the threshold; the score is the probability of a good edit.

    Tasks that filters.construction checks are not measured: there is nothing to guess.

    `model` is a trained model or the path of one, read at `load`. `thresholds` overrides per task.
    """

    name = "quality"

    def __init__(
        self,
        encoder: EmbeddedEncoder,
        model: QualityModel | Path,
        threshold: float = THRESHOLD,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self.encoder = encoder
        self.threshold = threshold
        self.thresholds = dict(thresholds or {})
        self._path = model if isinstance(model, Path) else None
        self._model = None if isinstance(model, Path) else model
        self._version = ""

    @property
    def version(self) -> str:
        """Of the model's file and of the encoder that its features come from."""
        if not self._version:
            content = self._loaded().to_bytes()
            model = hashlib.sha256(content).hexdigest()[:8]
            self._version = f"1+{self.encoder.version}+{model}"
        return self._version

    def load(self) -> None:
        """Opens encoder and model. Raises EditmillError if there is no model, or it isn't ours."""
        self.encoder.load()
        model = self._loaded()
        if model.encoder != self.encoder.name:
            raise EditmillError(
                f"the quality model was trained on {model.encoder}, not on {self.encoder.name}; "
                "train one for this encoder: editmill train quality"
            )

    def close(self) -> None:
        """The encoder is shared: whoever made it closes it."""
        if self._path is not None:
            self._model, self._version = None, ""

    def judge(self, samples: Sequence[PairSample]) -> list[Verdict]:
        """One verdict per sample, in order."""
        return self.verdicts(samples, describe(samples, self.encoder))

    def verdicts(
        self, samples: Sequence[PairSample], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        out = [Verdict(True, None, NOT_MEASURED)] * len(samples)
        guessed = [i for i, s in enumerate(samples) if s.task not in CONSTRUCTED]
        if guessed:
            x = np.stack([descriptor(features[i], samples[i]) for i in guessed])
            scores = self._loaded().score(x, [samples[i].source_id for i in guessed])
            for i, score in zip(guessed, scores, strict=True):
                out[i] = self._verdict(samples[i].task, float(score))
        return out

    def _verdict(self, task: str, score: float) -> Verdict:
        keep = score >= self.thresholds.get(task, self.threshold)
        return Verdict(keep, score, "" if keep else EDIT_FAILED)

    def _loaded(self) -> QualityModel:
        if self._model is None:
            assert self._path is not None
            self._model = QualityModel.load(self._path)
        return self._model


def fit(
    x: NDArray,
    labels: NDArray[np.bool_],
    groups: Sequence[str],
    seed: int,
    encoder: str,
) -> QualityModel:
    """An ensemble from descriptors [n, F] and labels (True: a good edit); `groups` are source ids.

    Raises EditmillError unless there are two sources and both labels.
    """
    sources = sorted(set(groups))
    if len(sources) < 2 or len(set(labels.tolist())) < 2:
        raise EditmillError(
            "the quality filter needs good and failed edits from at least two source videos, so "
            "that none judges its own footage; add source videos"
        )
    rng = np.random.default_rng(seed)
    folds = np.array_split(rng.permutation(sources), min(MAX_FOLDS, len(sources)))
    group = np.asarray(groups)
    members = []
    for held_out in folds:
        rows = np.flatnonzero(~np.isin(group, held_out))
        seen = frozenset(str(s) for s in set(group[rows]))
        if len(set(labels[rows].tolist())) < 2:
            continue
        for strategy in STRATEGIES * REPEATS:
            members.append(train_member(strategy, x, labels, rows, seen, rng)[0])
    facts = {
        "samples": len(labels),
        "good": int(labels.sum()),
        "sources": len(sources),
        "seed": seed,
    }
    model = QualityModel(tuple(members), encoder, facts)
    lowest = float(np.quantile(model.logit(x, groups)[labels], 1 - GOOD_KEPT))
    return dataclasses.replace(model, offset=math.log(THRESHOLD / (1 - THRESHOLD)) - lowest)


def train_member(
    strategy: _Strategy,
    x: NDArray,
    labels: NDArray[np.bool_],
    rows: NDArray[np.int64],
    seen: frozenset[str],
    rng: np.random.Generator,
) -> tuple[Member, MLPClassifier]:
    """One member on a balanced bootstrap of `rows`, and the classifier it was taken from."""
    count = max(1, round(strategy.share * x.shape[1]))
    columns = np.sort(rng.choice(x.shape[1], count, replace=False))
    good, failed = rows[labels[rows]], rows[~labels[rows]]
    each = max(len(good), len(failed))
    drawn = np.concatenate([rng.choice(good, each), rng.choice(failed, each)])
    centre, spread = _normal(x[:, columns], _group(x), rows, labels)
    blank = Member(columns, centre, spread, (), (), seen)
    classifier = MLPClassifier(
        strategy.hidden,
        alpha=strategy.decay,
        max_iter=EPOCHS,
        learning_rate_init=2e-3,
        batch_size=min(32, len(drawn)),
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        # A fixed number of epochs is meant: it holds the members back as decay does
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(blank.prepare(x[drawn]), labels[drawn])
    weights, biases = tuple(classifier.coefs_), tuple(classifier.intercepts_)
    return dataclasses.replace(blank, weights=weights, biases=biases), classifier


def _normal(
    x: NDArray, group: NDArray[np.int64], rows: NDArray[np.int64], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median and deviation of the good edits in `rows`, per group and (last) of all groups."""
    overall = x[rows].std(0, dtype=np.float64)
    good = rows[labels[rows]]
    centre = np.tile(np.median(x[good], axis=0).astype(np.float64), (len(GROUP_NAMES) + 1, 1))
    spread = np.tile(overall + 1e-6, (len(GROUP_NAMES) + 1, 1))
    for g in np.unique(group[good]):
        own = x[good[group[good] == g]]
        centre[g] = np.median(own, axis=0)
        variance = len(own) * own.var(0, dtype=np.float64) + SHRINK * overall**2
        spread[g] = np.sqrt(variance / (len(own) + SHRINK)) + 1e-6
    return centre, spread
