"""Training the style probes: sample clips in every style of the stylizers, about a minute.

Each clip is judged by probes that were not trained on it, which gives AUC and threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experts import weights
from experts.edit.style.global_stylizer import GlobalStylizer
from experts.edit.style.local_stylizer import LocalStylizer
from filters.alignment.style_examples import Example, StyleExamples, styles
from filters.alignment.style_probe import REGION, Measured, StyleProbe, StyleProbes, fit
from filters.encoder.embedded import EmbeddedEncoder
from filters.roc import auc

SAMPLES = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")
"""Footage that the styles are painted on, by slot of experts/weights/weights.toml. Every clip is
held out once."""

FALSE_REJECTIONS = 0.05
"""Share of matched prompts that a threshold may reject: a choice."""


def train(
    encoder: EmbeddedEncoder,
    samples: Sequence[str] = SAMPLES,
    seed: int = 0,
    *,
    frames: int = 3,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[StyleProbes, dict[str, list[Example]]]:
    """The probes of every task, with what was measured, and the examples they were trained on.

    `frames` of each clip are painted in every style. `tell` gets a line now and then; what it
    raises ends the work. Raises EditmillError where a sample or a stylizer cannot be had.
    """
    clips = [(weights.entry(name).sha256, weights.fetch(name)) for name in samples]
    painted = StyleExamples(encoder, frames=frames).of(clips, seed, tell)
    probes = {
        task: _measured(painted[task], descriptions, REGION[task], encoder)
        for task, descriptions in styles().items()
    }
    return StyleProbes(probes, encoder.version, trained_with(samples, seed)), painted


def trained_with(samples: Sequence[str] = SAMPLES, seed: int = 0) -> dict[str, Any]:
    """What the examples depend on besides this package's code: seed, samples with the digest of
    their files, and the stylizers' versions."""
    return {
        "seed": seed,
        "samples": {name: weights.entry(name).sha256[:12] for name in samples},
        "experts": {
            "global_style_transfer": GlobalStylizer.version,
            "local_style_transfer": LocalStylizer.version,
        },
    }


@dataclass(frozen=True, slots=True)
class Agreement:
    """Per task, the share of the painted frames in which two probes find the same style likeliest,
    and by how much their thresholds differ."""

    same_style: Mapping[str, float]
    threshold_difference: Mapping[str, float]

    def holds(self, same_style: float = 0.99, threshold_difference: float = 0.01) -> bool:
        """Whether the one may pass for the other: two trainings on one machine give the same
        probes, and on another processor the last bits of the features differ."""
        return (
            min(self.same_style.values()) >= same_style
            and max(self.threshold_difference.values()) <= threshold_difference
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, with `holds`."""
        return {
            "holds": self.holds(),
            "same_style": {k: round(v, 4) for k, v in self.same_style.items()},
            "threshold_difference": {k: round(v, 4) for k, v in self.threshold_difference.items()},
        }


def agreement(
    one: StyleProbes, other: StyleProbes, painted: Mapping[str, Sequence[Example]]
) -> Agreement:
    """Of two tasks' probes on the painted frames."""
    same, apart = {}, {}
    for task, examples in painted.items():
        probes = one.by_task[task], other.by_task[task]
        likeliest = np.array(
            [[p.probabilities(e.features[None]).argmax() for e in examples] for p in probes]
        )
        same[task] = float((likeliest[0] == likeliest[1]).mean())
        apart[task] = abs(probes[0].measured.threshold - probes[1].measured.threshold)
    return Agreement(same, apart)


def describe_metrics(metrics: Mapping[str, Any]) -> str:
    """The metrics as a few lines for a person."""
    lines = ["style probes, measured on clips they never saw"]
    for task, of in metrics.items():
        lines.append(
            f"{task}: AUC {of['auc']:.3f} of matched against swapped prompts "
            f"({of['examples']} frames); at {of['threshold']:.4f} it rejects "
            f"{of['false_rejections']:.1%} of matched, {of['swapped_rejected']:.1%} of swapped"
        )
    return "\n".join(lines)


def _measured(
    painted: Sequence[Example],
    descriptions: Sequence[str],
    region: str,
    encoder: EmbeddedEncoder,
) -> StyleProbe:
    """The probe on all examples, with what probes that were not trained on a clip make of it."""
    ids = sorted({e.source_id for e in painted})
    scores = {held: _held_out(painted, held, descriptions, region, encoder) for held in ids}
    matched, swapped = (np.concatenate([scores[i][side] for i in ids]) for side in (0, 1))
    # A clip's rejections are counted at the threshold that the other clips give.
    rejected = rejected_swapped = 0
    for held in ids:
        others = np.concatenate([scores[i][0] for i in ids if i != held])
        threshold = np.quantile(others, FALSE_REJECTIONS)
        rejected += int((scores[held][0] < threshold).sum())
        rejected_swapped += int((scores[held][1] < threshold).sum())
    found = Measured(
        auc=auc(matched, swapped),
        threshold=float(np.quantile(matched, FALSE_REJECTIONS)),
        false_rejections=rejected / len(matched),
        swapped_rejected=rejected_swapped / len(swapped),
        examples=len(matched),
    )
    return _fit(painted, descriptions, region, found)


def _held_out(
    painted: Sequence[Example],
    held: str,
    descriptions: Sequence[str],
    region: str,
    encoder: EmbeddedEncoder,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of one clip's frames with the prompt they were painted to, and with all others."""
    probe = _fit([e for e in painted if e.source_id != held], descriptions, region, Measured())
    matched: list[float] = []
    swapped: list[float] = []
    for example in (e for e in painted if e.source_id == held):
        p = probe.probabilities(example.features[None])
        for style, description in enumerate(descriptions):
            prompt = description.format(label=example.label)
            match = probe.match(prompt, example.label, encoder)
            if match is not None:
                (matched if style == example.style else swapped).append(float(p @ match))
    return np.array(matched), np.array(swapped)


def _fit(
    painted: Sequence[Example], descriptions: Sequence[str], region: str, found: Measured
) -> StyleProbe:
    x = np.stack([e.features for e in painted])
    return fit(x, [e.style for e in painted], descriptions, region, found)
