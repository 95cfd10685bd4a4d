"""A style probe: which of the known looks frozen features show, and whether a prompt names it.

ConSE's idea carried over to looks: the probe is a linear softmax classifier on early features and
colour statistics, a prompt is matched with the looks' descriptions through the text encoder, and
the score is the probability of the look the prompt names. filters/alignment/train.py trains them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from catalog.errors import EditmillError
from filters.encoder.embedded import LEVEL_CHANNELS, REGIONS, EmbeddedEncoder, Encoding

GLOBAL, LOCAL = "global_style_transfer", "local_style_transfer"

REGION = {GLOBAL: "view", LOCAL: "inside"}
"""Where each task's look is to be seen (see filters.encoder.embedded.REGIONS)."""

PROBE_LEVELS = 4
"""Levels used, from the earliest: later ones tell what is shown rather than how."""

FAMILIARITY = 0.5
"""Cosine of prompt and nearest description below which the prompt names no look known here."""

SHARPNESS = 30.0
"""Inverse temperature of the match between a prompt and the looks' descriptions."""

PENALTY = 0.02
"""Logistic regression's C: a few hundred examples for some 190 columns and two dozen looks."""

FARTHEST = 5.0
"""Deviations at which features are cut: a linear probe must not be carried away by one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How a probe tells matched from swapped prompts on clips outside its training.

    `threshold` is the least score that is kept; `false_rejections` and `swapped_dropped` are shares
    of matched and swapped prompts below the threshold that the other clips would have given.
    """

    auc: float = 0.0
    threshold: float = 0.0
    false_rejections: float = 0.0
    swapped_dropped: float = 0.0
    examples: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Probe:
    """One task's probe. `looks` are descriptions with `{label}` where the object's name goes.

    `weight` [F, K] and `bias` [K] apply to features scaled by `mean` and `scale` [F].
    """

    looks: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    region: str
    measured: Measured

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K]: the looks' probabilities from the mean logits of frames' features [N, F]."""
        x = _scaled(features, self.mean, self.scale)
        return _softmax((x @ self.weight + self.bias).mean(0))

    def score(
        self, encoding: Encoding, prompt: str, label: str, encoder: EmbeddedEncoder
    ) -> float | None:
        """Probability that the frames show the look the prompt names; None if it names none."""
        match = self.match(prompt, label, encoder)
        if match is None:
            return None
        return float(self.probabilities(probe_features(encoding, self.region)) @ match)

    def match(
        self, prompt: str, label: str, encoder: EmbeddedEncoder
    ) -> NDArray[np.float32] | None:
        """[K]: how far each look is the one the prompt names; sums to 1."""
        known = [look.format(label=label or "object") for look in self.looks]
        vectors = encoder.texts([prompt, *known])
        cosines = vectors[1:] @ vectors[0]
        return None if cosines.max() < FAMILIARITY else _softmax(SHARPNESS * cosines)


def probe_features(encoding: Encoding, region: str) -> NDArray[np.float32]:
    """[N, F]: the early levels of a region."""
    columns = 2 * sum(LEVEL_CHANNELS[:PROBE_LEVELS])
    return encoding.levels[:, REGIONS.index(region), :columns]


def fit(
    features: NDArray[np.float32],
    labels: Sequence[int],
    looks: Sequence[str],
    region: str,
    measured: Measured,
) -> Probe:
    """A probe on features [N, F] that show the looks of these indices; each look at least once,
    and three looks or more (two would make it one logit)."""
    mean, scale = features.mean(0), np.maximum(features.std(0), 1e-4)
    model = LogisticRegression(C=PENALTY, max_iter=500)
    with threadpool_limits(1):  # matrices this small are slower on several cores
        model.fit(_scaled(features, mean, scale), labels)
    weight, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
    return Probe(tuple(looks), weight, bias, mean, scale, region, measured)


def save_probes(path: Path, probes: dict[str, Probe], encoder: EmbeddedEncoder) -> None:
    """Writes the tasks' probes, with the encoder they belong to, as one whole file.

    All facts are one entry of the file's head: of several, the order would differ from run to run.
    """
    tensors = {
        f"{task}.{name}": np.ascontiguousarray(getattr(probe, name))
        for task, probe in probes.items()
        for name in _TENSORS
    }
    facts = {
        task: {"looks": p.looks, "region": p.region, "measured": p.measured.as_dict()}
        for task, p in probes.items()
    }
    head = {"probes": json.dumps({"encoder": encoder.name, "tasks": facts})}
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        save_file(tensors, unfinished, head)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_probes(path: Path) -> dict[str, Probe]:
    """Task → probe. Raises EditmillError if the file is missing or damaged."""
    try:
        with safe_open(path, "np") as file:
            facts = json.loads(file.metadata()["probes"])["tasks"]
            return {
                task: Probe(
                    looks=tuple(fact["looks"]),
                    region=fact["region"],
                    measured=Measured(**fact["measured"]),
                    **{name: file.get_tensor(f"{task}.{name}") for name in _TENSORS},
                )
                for task, fact in facts.items()
            }
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, SafetensorError) as error:
        raise EditmillError(
            f"style probes {path}: unreadable ({error}); make them with `editmill train alignment`"
        ) from None


def missing(path: Path) -> EditmillError:
    """What to raise where there are no probes."""
    return EditmillError(
        f"style probes {path}: not there; make them with `editmill train alignment`"
    )


_TENSORS = ("weight", "bias", "mean", "scale")


def _scaled(
    x: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.clip((x - mean) / scale, -FARTHEST, FARTHEST)


def _softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(x - x.max())
    return e / e.sum()
