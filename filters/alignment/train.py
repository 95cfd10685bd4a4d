"""Training the style probes: sample clips in every style of the stylizers, about a minute.

Each clip is judged by probes that were not trained on it, which gives AUC and threshold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experts import weights
from experts.edit.style.global_stylizer import GlobalStylizer
from experts.edit.style.local_stylizer import LocalStylizer
from filters.alignment.style_examples import StyleExample, StyleExamples, styles
from filters.alignment.style_probe import REGION, ProbeDiscrimination, StyleProbe, StyleProbes, fit
from filters.encoder.embedded import EmbeddedEncoder
from filters.roc import auc

SAMPLES = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")
"""Footage that the styles are painted on, by slot of experts/weights/weights.toml. Every clip is
held out once."""

FALSE_REJECTIONS = 0.05
"""Share of matched prompts that a threshold may reject: a choice."""

SWAPPED_KEPT = 0.01
"""Share of swapped prompts that it may let through to reject fewer of the matched: a choice. Where
the two are far apart, a threshold right below the matched rejects right styles on other footage."""


def train(
    encoder: EmbeddedEncoder,
    samples: Sequence[str] = SAMPLES,
    seed: int = 0,
    *,
    footage: Sequence[tuple[str, Path]] = (),
    frames: int = 3,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[StyleProbes, dict[str, list[StyleExample]]]:
    """The probes of every task, with what was measured, and the examples they were trained on.

    `frames` of each sample clip, and of more `footage` (source ids and video files), are painted in
    every style. `tell` gets a line now and then; what it
    raises ends the work. Raises EditmillError where a sample or a stylizer cannot be had.
    """
    clips = [(weights.entry(name).sha256, weights.fetch(name)) for name in samples]
    own = {source for source, _ in clips}
    clips += [video for video in footage if video[0] not in own]
    painted = StyleExamples(encoder, frames=frames).of(clips, seed, tell)
    probes = {
        task: _measured(painted[task], descriptions, REGION[task], encoder)
        for task, descriptions in styles().items()
    }
    made_of = trained_with(samples, seed)
    if footage:
        made_of["footage"] = sorted(source[:12] for source, _ in footage)
    return StyleProbes(probes, encoder.version, made_of), painted


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
class ProbeAgreement:
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


@dataclass(frozen=True, slots=True)
class Unseen:
    """AUC of matched against swapped prompts, the mean over the tasks, of new probes and of others
    on the frames of `sources` clips that neither of them was trained on. NaN where there are none.
    """

    auc: float
    other_auc: float
    sources: int


def on_unseen(
    other: StyleProbes, painted: Mapping[str, Sequence[StyleExample]], encoder: EmbeddedEncoder
) -> Unseen:
    """How probes trained on the painted frames and `other` ones judge the same unseen frames: of
    the new probes each clip is held out in turn, and the `other` ones were trained without it.

    A style that the `other` ones do not know scores 0 with them.
    """
    made_of = other.trained_with
    seen = {*made_of.get("samples", {}).values(), *made_of.get("footage", ())}
    known = styles()
    aucs: list[tuple[float, float]] = []
    unseen: set[str] = set()
    for task, examples in painted.items():
        held = {e.source_id for e in examples if e.source_id[:12] not in seen}
        unseen |= held
        new = [_held_out(examples, each, known[task], REGION[task], encoder) for each in held]
        frames = [e for e in examples if e.source_id in held]
        old = _scores(other.by_task[task], frames, known[task], encoder, unknown=0.0)
        if new:
            matched, swapped = (np.concatenate([scores[side] for scores in new]) for side in (0, 1))
            aucs.append((auc(matched, swapped), auc(*old)))
    means = np.mean(aucs, axis=0) if aucs else (math.nan, math.nan)
    return Unseen(float(means[0]), float(means[1]), len(unseen))


def agreement(
    one: StyleProbes, other: StyleProbes, painted: Mapping[str, Sequence[StyleExample]]
) -> ProbeAgreement:
    """Of two tasks' probes on the painted frames."""
    same, apart = {}, {}
    for task, examples in painted.items():
        probes = one.by_task[task], other.by_task[task]
        likeliest = np.array(
            [[p.probabilities(e.features[None]).argmax() for e in examples] for p in probes]
        )
        same[task] = float((likeliest[0] == likeliest[1]).mean())
        apart[task] = abs(probes[0].measured.threshold - probes[1].measured.threshold)
    return ProbeAgreement(same, apart)


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
    painted: Sequence[StyleExample],
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
        others = [scores[i] for i in ids if i != held]
        threshold = _threshold(*(np.concatenate(side) for side in zip(*others, strict=True)))
        rejected += int((scores[held][0] < threshold).sum())
        rejected_swapped += int((scores[held][1] < threshold).sum())
    found = ProbeDiscrimination(
        auc=auc(matched, swapped),
        threshold=_threshold(matched, swapped),
        false_rejections=rejected / len(matched),
        swapped_rejected=rejected_swapped / len(swapped),
        examples=len(matched),
    )
    return _fit(painted, descriptions, region, found)


def _threshold(matched: NDArray[np.float64], swapped: NDArray[np.float64]) -> float:
    """The least score that is kept."""
    return float(
        min(np.quantile(matched, FALSE_REJECTIONS), np.quantile(swapped, 1 - SWAPPED_KEPT))
    )


def _held_out(
    painted: Sequence[StyleExample],
    held: str,
    descriptions: Sequence[str],
    region: str,
    encoder: EmbeddedEncoder,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of one clip's frames with the prompt they were painted to, and with all others."""
    probe = _fit(
        [e for e in painted if e.source_id != held], descriptions, region, ProbeDiscrimination()
    )
    return _scores(probe, [e for e in painted if e.source_id == held], descriptions, encoder)


def _scores(
    probe: StyleProbe,
    examples: Sequence[StyleExample],
    descriptions: Sequence[str],
    encoder: EmbeddedEncoder,
    unknown: float | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probe's scores of frames with the prompt they were painted to, and with all others.

    `unknown` is the score of a prompt that names no style of the probe; None leaves it out.
    """
    matched: list[float] = []
    swapped: list[float] = []
    for example in examples:
        p = probe.probabilities(example.features[None])
        for style, description in enumerate(descriptions):
            prompt = description.format(label=example.label)
            match = probe.match(prompt, example.label, encoder)
            score = unknown if match is None else float(p @ match)
            if score is not None:
                (matched if style == example.style else swapped).append(score)
    return np.array(matched), np.array(swapped)


def _fit(
    painted: Sequence[StyleExample],
    descriptions: Sequence[str],
    region: str,
    found: ProbeDiscrimination,
) -> StyleProbe:
    x = np.stack([e.features for e in painted])
    return fit(x, [e.style for e in painted], descriptions, region, found)
