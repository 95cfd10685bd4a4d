"""A style probe: which of the known styles frozen features show, and whether a prompt names it.

ConSE's idea (Norouzi et al. 2014) carried over to styles: the probe is a linear softmax classifier
on early features and colour statistics, a prompt is compared with the styles' descriptions through
the text encoder, and the score is the probability of the style that the prompt names.
filters.alignment.train trains them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from catalog.errors import EditmillError
from catalog.storage.files import write_bytes
from filters.encoder.embedded import LEVEL_CHANNELS, REGIONS, EmbeddedEncoder, EmbeddedEncoding

SHIPPED = Path(__file__).with_name("style_probes.safetensors")
"""The probes that every build judges with unless its recipe names others."""

GLOBAL, LOCAL = "global_style_transfer", "local_style_transfer"

REGION = {GLOBAL: "view", LOCAL: "inside"}
"""Where each task's style is to be seen (see filters.encoder.embedded.REGIONS)."""

PROBE_LEVELS = 4
"""Feature levels used, from the earliest: later ones tell what is shown rather than how."""

FAMILIARITY = 0.5
"""Cosine of prompt and nearest description, below which the prompt names no known style: chosen."""

INVERSE_TEMPERATURE = 30.0
"""Of the softmax over the cosines of a prompt and the styles' descriptions: a choice, at which a
style's own description gets nearly all of the weight."""

MAX_DEVIATION = 5.0
"""Standard deviations at which features are cut: one must not decide a linear probe alone."""

_TENSORS = ("weight", "bias", "mean", "scale")

_FORMAT = "editmill-style-probes-2"


@dataclass(frozen=True, slots=True)
class ProbeDiscrimination:
    """How a probe tells matched from swapped prompts, on clips that it was not trained on.

    `threshold` is the least score that is kept; `false_rejections` and `swapped_rejected` are the
    shares of matched and of swapped prompts below the threshold that the other clips would have
    given.
    """

    auc: float = 0.0
    threshold: float = 0.0
    false_rejections: float = 0.0
    swapped_rejected: float = 0.0
    examples: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StyleProbe:
    """One task's probe. `styles` are descriptions with `{label}` where the object's name goes.

    `weight` [F, K] and `bias` [K] apply to features scaled by `mean` and `scale` [F].
    """

    styles: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    region: str
    measured: ProbeDiscrimination

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K]: the styles' probabilities from the mean logits of frames' features [N, F]."""
        x = _scaled(features, self.mean, self.scale)
        return _softmax((x @ self.weight + self.bias).mean(0))

    def score(
        self, encoding: EmbeddedEncoding, prompt: str, label: str, encoder: EmbeddedEncoder
    ) -> float | None:
        """Probability that the frames show the style the prompt names; None if it names none."""
        match = self.match(prompt, label, encoder)
        if match is None:
            return None
        return float(self.probabilities(probe_features(encoding, self.region)) @ match)

    def match(
        self, prompt: str, label: str, encoder: EmbeddedEncoder
    ) -> NDArray[np.float32] | None:
        """[K]: how far each style is the one that the prompt names; sums to 1."""
        known = [style.format(label=label or "object") for style in self.styles]
        vectors = encoder.texts([prompt, *known])
        cosines = vectors[1:] @ vectors[0]
        return None if cosines.max() < FAMILIARITY else _softmax(INVERSE_TEMPERATURE * cosines)


@dataclass(frozen=True, slots=True)
class StyleProbes:
    """The probes by task, the version of the encoder that their features come from, and what they
    were trained with."""

    by_task: Mapping[str, StyleProbe]
    encoder: str
    trained_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, Any]:
        """Per task `auc`, `threshold`, `false_rejections`, `swapped_rejected` and `examples`."""
        return {
            task: {name: round(value, 4) for name, value in probe.measured.as_dict().items()}
            for task, probe in self.by_task.items()
        }

    def to_bytes(self) -> bytes:
        """Safetensors: numbers as tensors, the rest as JSON in the header. The same probes give
        the same bytes."""
        tensors = {
            f"{task}.{name}": np.ascontiguousarray(getattr(probe, name))
            for task, probe in self.by_task.items()
            for name in _TENSORS
        }
        head = {
            "format": _FORMAT,
            "encoder": self.encoder,
            "trained_with": dict(self.trained_with),
            "tasks": {
                task: {"styles": p.styles, "region": p.region, "measured": p.measured.as_dict()}
                for task, p in self.by_task.items()
            },
        }
        # One entry of the header: several have no fixed order.
        return serialise(tensors, {"style_probes": json.dumps(head)})

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all; EditmillError if it cannot be written."""
        write_bytes(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> StyleProbes:
        """Reads saved probes; EditmillError if there are none or the file is something else."""
        make = "make others with: editmill train alignment --out FILE"
        if not path.is_file():
            raise EditmillError(f"{path}: there are no style probes; {make}")
        try:
            with safe_open(path, "np") as file:
                head = json.loads((file.metadata() or {})["style_probes"])
                if head["format"] != _FORMAT:
                    raise ValueError(head["format"])
                by_task = {
                    task: StyleProbe(
                        styles=tuple(fact["styles"]),
                        region=fact["region"],
                        measured=ProbeDiscrimination(**fact["measured"]),
                        **{name: file.get_tensor(f"{task}.{name}") for name in _TENSORS},
                    )
                    for task, fact in head["tasks"].items()
                }
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise EditmillError(
                f"{path}: no style probes of this version ({type(error).__name__}); {make}"
            ) from None
        return cls(by_task, head["encoder"], head["trained_with"])


def probe_features(encoding: EmbeddedEncoding, region: str) -> NDArray[np.float32]:
    """[N, F]: the early levels of a region."""
    columns = 2 * sum(LEVEL_CHANNELS[:PROBE_LEVELS])
    return encoding.levels[:, REGIONS.index(region), :columns]


def fit(
    features: NDArray[np.float32],
    labels: Sequence[int],
    styles: Sequence[str],
    region: str,
    measured: ProbeDiscrimination,
    penalty: float = 0.02,
) -> StyleProbe:
    """A probe on features [N, F] that show the styles of these indices; three styles or more (two
    would make it one logit). Raises EditmillError where a style has no example.

    `penalty` is logistic regression's C, chosen on held-out clips: there are a few hundred examples
    for some 190 columns and two dozen styles.
    """
    # Imported late: judging needs none of it.
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if missing := [style for i, style in enumerate(styles) if i not in set(labels)]:
        raise EditmillError(
            f"style probes: no example of {missing[0]!r}; train on more clips, or on more frames "
            "of each"
        )
    mean, scale = features.mean(0), np.maximum(features.std(0), 1e-4)
    model = LogisticRegression(C=penalty, max_iter=500)
    with threadpool_limits(1):  # matrices this small are slower on several cores
        model.fit(_scaled(features, mean, scale), labels)
    weight, bias = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
    return StyleProbe(tuple(styles), weight, bias, mean, scale, region, measured)


def _scaled(
    x: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.clip((x - mean) / scale, -MAX_DEVIATION, MAX_DEVIATION)


def _softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    e = np.exp(x - x.max())
    return e / e.sum()
