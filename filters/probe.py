"""A style probe: which of the known looks frozen features show, and whether a prompt names it.

ConSE's idea carried over to looks: the probe is a linear softmax classifier on early features and
colour statistics, a prompt is matched with the looks' descriptions through the text encoder, and
the score is the probability of the look the prompt names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from filters.encoder import LEVEL_CHANNELS, REGIONS, Encoder, Encoding

PROBES = Path(__file__).with_name("style_probes.safetensors")
"""Trained and measured by infra/bench/alignment.py, which also writes it."""

PROBE_LEVELS = 4
"""Levels used, from the earliest: later ones tell what is shown rather than how."""

FAMILIARITY = 0.5
"""Cosine of prompt and nearest description below which the prompt names no look known here."""

SHARPNESS = 30.0
"""Inverse temperature of the match between a prompt and the looks' descriptions."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One task's probe. `looks` are descriptions with `{label}` where the object's name goes.

    `weight` [F, K] and `bias` [K] apply to features scaled by `mean` and `scale` [F]. `auc` is that
    of matched against swapped prompts on clips outside the training, `threshold` from the same.
    """

    looks: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    region: str
    auc: float
    threshold: float

    def probabilities(self, encoding: Encoding) -> NDArray[np.float32]:
        """[K]: the looks' probabilities from the frames' mean logits."""
        x = (probe_features(encoding, self.region) - self.mean) / self.scale
        return _softmax((np.clip(x, -5, 5) @ self.weight + self.bias).mean(0))

    def score(self, encoding: Encoding, prompt: str, label: str, encoder: Encoder) -> float | None:
        """Probability that the frames show the look the prompt names; None if it names none."""
        match = self.match(prompt, label, encoder)
        return None if match is None else float(self.probabilities(encoding) @ match)

    def match(self, prompt: str, label: str, encoder: Encoder) -> NDArray[np.float32] | None:
        """[K]: how far each look is the one the prompt names; sums to 1."""
        known = [look.format(label=label or "object") for look in self.looks]
        vectors = encoder.texts([prompt, *known])
        cosines = vectors[1:] @ vectors[0]
        return None if cosines.max() < FAMILIARITY else _softmax(SHARPNESS * cosines)


def probe_features(encoding: Encoding, region: str) -> NDArray[np.float32]:
    """[N, F]: the early levels of a region."""
    columns = 2 * sum(LEVEL_CHANNELS[:PROBE_LEVELS])
    return encoding.levels[:, REGIONS.index(region), :columns]


def save_probes(path: Path, probes: dict[str, Probe], encoder: Encoder) -> None:
    """Writes the tasks' probes to one file, with the encoder they belong to."""
    tensors: dict[str, NDArray[np.float32]] = {}
    facts: dict[str, Any] = {}
    for task, probe in probes.items():
        for name in ("weight", "bias", "mean", "scale"):
            tensors[f"{task}.{name}"] = getattr(probe, name)
        facts[task] = {
            "looks": probe.looks,
            "region": probe.region,
            "auc": probe.auc,
            "threshold": probe.threshold,
        }
    head = {"encoder": encoder.name, "tasks": json.dumps(facts)}
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, head)


def load_probes(path: Path = PROBES) -> dict[str, Probe]:
    """Task → probe."""
    with safe_open(path, "np") as file:
        facts = json.loads(file.metadata()["tasks"])
        return {
            task: Probe(
                looks=tuple(fact["looks"]),
                weight=file.get_tensor(f"{task}.weight"),
                bias=file.get_tensor(f"{task}.bias"),
                mean=file.get_tensor(f"{task}.mean"),
                scale=file.get_tensor(f"{task}.scale"),
                region=fact["region"],
                auc=fact["auc"],
                threshold=fact["threshold"],
            )
            for task, fact in facts.items()
        }


def _softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(x - x.max())
    return e / e.sum()
