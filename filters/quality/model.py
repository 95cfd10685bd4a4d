"""The quality model: an ensemble of small MLPs on a pair's descriptor, and its file.

What is normal differs by task group, so each MLP sees a feature as its departure from the good
edits of the pair's group. The ensemble is cross-fitted by source video: it consists of folds, a
fold knows on which footage it was trained, and a pair is scored only by the folds that were not
trained on its footage. A build may therefore use the very clips that the model was trained on.

The file is a safetensors of at most 1 MB: weights are stored as float16, to which the training
rounds them before it measures anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from catalog.errors import EditmillError
from catalog.storage.files import write_bytes
from filters.quality.descriptor import GROUP_NAMES

SHIPPED = Path(__file__).with_name("quality.safetensors")
"""The model that every build judges with unless its recipe names another."""

MAX_DEPARTURE = 6.0
"""Standard deviations at which departures are cut: footage unlike the training footage must not
saturate a hidden unit."""

_FORMAT = "editmill-quality-4"

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mlp:
    """One classifier of a fold: the task groups that it judges (numbers of GROUP_NAMES), the
    descriptor columns that it sees [C], and per layer the weights [inputs, outputs] and biases
    [outputs]. The first layer has 2·C inputs, the last one output."""

    groups: frozenset[int]
    columns: NDArray[np.int64]
    weights: tuple[Matrix, ...]
    biases: tuple[Matrix, ...]

    def logit(self, departures: Matrix) -> Matrix:
        """[n]: log odds of a good edit from departures [n, F]."""
        y = inputs(departures[:, self.columns])
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            y = np.maximum(y @ w + b, 0)
        out: Matrix = (y @ self.weights[-1] + self.biases[-1])[:, 0]
        return out


@dataclass(frozen=True, slots=True)
class Fold:
    """The MLPs trained on the footage of the source ids `trained_on`, and what was normal there.

    `centre`, `scale` [groups + 1, F]: median and standard deviation of the good edits per task
    group; the last row is for a task of no known group.
    """

    trained_on: frozenset[str]
    centre: Matrix
    scale: Matrix
    mlps: tuple[Mlp, ...]

    def departures(self, x: NDArray) -> Matrix:
        """Descriptors [n, F] or shorter ones → departures from the group's good edits, standard
        deviations."""
        group = group_index(x)
        x = np.pad(x, ((0, 0), (0, self.centre.shape[1] - x.shape[1])))
        z = (x - self.centre[group]) / self.scale[group]
        return np.clip(z, -MAX_DEPARTURE, MAX_DEPARTURE)

    def logit(self, x: NDArray) -> Matrix:
        """[n]: mean log odds of the MLPs that judge the row's group, from descriptors [n, F]; 0
        where none does."""
        departures, group = self.departures(x), group_index(x)
        total, votes = np.zeros(len(x)), np.zeros(len(x))
        for mlp in self.mlps:
            rows = np.flatnonzero(np.isin(group, list(mlp.groups)))
            if len(rows):
                total[rows] += mlp.logit(departures[rows])
                votes[rows] += 1
        return total / np.maximum(votes, 1)


def inputs(departures: Matrix) -> Matrix:
    """What an MLP sees of departures [n, C]: signed square roots, then absolute values [n, 2·C]."""
    size = np.abs(departures)
    return np.hstack([np.sign(departures) * np.sqrt(size), size])


def group_index(x: NDArray) -> NDArray[np.int64]:
    """[n]: the task group of each descriptor; the number of groups where it has none."""
    one_hot = x[:, : len(GROUP_NAMES)]
    return np.where(one_hot.any(1), one_hot.argmax(1), len(GROUP_NAMES))


@dataclass(frozen=True, slots=True)
class QualityModel:
    """The ensemble.

    `features` is the version of the descriptors it was trained on. `offsets` are added to the log
    odds, one for each of GROUP_NAMES. `metrics` are what the training measured
    (filters.quality.training.evaluation) and `trained_with` what the training pairs were made from
    and by.
    """

    folds: tuple[Fold, ...]
    features: str
    offsets: tuple[float, ...] = (0.0,) * len(GROUP_NAMES)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained_with: Mapping[str, Any] = field(default_factory=dict)

    def logit(self, x: NDArray, source_ids: Sequence[str]) -> Matrix:
        """[n]: mean log odds of the folds that were not trained on the pair's footage.

        Raises EditmillError if every fold was: then the model is not cross-fitted.
        """
        votes = np.stack([fold.logit(x) for fold in self.folds])
        may_vote = np.array([[s not in f.trained_on for s in source_ids] for f in self.folds])
        if not may_vote.any(0).all():
            raise EditmillError(
                "every part of the quality model was trained on this pair's footage; train one "
                "that is cross-fitted by source: editmill train quality --out quality.safetensors"
            )
        offsets = np.array([*self.offsets, 0.0])[group_index(x)]
        out: Matrix = (votes * may_vote).sum(0) / may_vote.sum(0) + offsets
        return out

    def score(self, x: NDArray, source_ids: Sequence[str]) -> Matrix:
        """[n], 0–1: the same as a probability that the edit is good."""
        return 1 / (1 + np.exp(-self.logit(x, source_ids)))

    def to_bytes(self) -> bytes:
        """Safetensors: numbers as tensors, the rest as JSON in the header. The same model gives
        the same bytes."""
        tensors: dict[str, NDArray] = {}
        for i, fold in enumerate(self.folds):
            tensors[f"{i}.centre"] = fold.centre.astype(np.float32)
            tensors[f"{i}.scale"] = fold.scale.astype(np.float32)
            for j, mlp in enumerate(fold.mlps):
                tensors[f"{i}.{j}.columns"] = mlp.columns.astype(np.int16)
                for k, (w, b) in enumerate(zip(mlp.weights, mlp.biases, strict=True)):
                    tensors[f"{i}.{j}.{k}.weight"] = w.astype(np.float16)
                    tensors[f"{i}.{j}.{k}.bias"] = b.astype(np.float16)
        head = {
            "format": _FORMAT,
            "features": self.features,
            "offsets": list(self.offsets),
            "folds": [
                {
                    "trained_on": sorted(f.trained_on),
                    "layers": [len(m.weights) for m in f.mlps],
                    "groups": [sorted(m.groups) for m in f.mlps],
                }
                for f in self.folds
            ],
            "metrics": dict(self.metrics),
            "trained_with": dict(self.trained_with),
        }
        return serialise(
            {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
            {"quality": json.dumps(head, sort_keys=True)},  # one entry: several have no fixed order
        )

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all; EditmillError if it cannot be written."""
        write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> QualityModel:
        """Reads a saved model; EditmillError if there is none or the file is something else."""
        if not path.is_file():
            raise EditmillError(f"{path}: there is no quality model; {_make(path)}")
        try:
            with safe_open(path, "np") as file:
                head = json.loads((file.metadata() or {})["quality"])
                if head["format"] != _FORMAT:
                    raise ValueError(head["format"])

                def tensor(name: str) -> Matrix:
                    return file.get_tensor(name).astype(np.float64)

                folds = tuple(
                    Fold(
                        frozenset(fold["trained_on"]),
                        tensor(f"{i}.centre"),
                        tensor(f"{i}.scale"),
                        tuple(
                            Mlp(
                                frozenset(groups),
                                file.get_tensor(f"{i}.{j}.columns").astype(np.int64),
                                tuple(tensor(f"{i}.{j}.{k}.weight") for k in range(layers)),
                                tuple(tensor(f"{i}.{j}.{k}.bias") for k in range(layers)),
                            )
                            for j, (layers, groups) in enumerate(
                                zip(fold["layers"], fold["groups"], strict=True)
                            )
                        ),
                    )
                    for i, fold in enumerate(head["folds"])
                )
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise EditmillError(
                f"{path}: not a quality model of this version ({type(error).__name__}); "
                + _make(path)
            ) from None
        return cls(
            folds,
            head["features"],
            tuple(head["offsets"]),
            head["metrics"],
            head["trained_with"],
        )


def _make(path: Path) -> str:
    return "make another one with: editmill train quality --out FILE"
