"""Trains the style probes and measures how well alignment tells matched from swapped prompts.

    python infra/bench/alignment.py [--seed 0] [--write]

Looks are painted on frames of the sample clips by the stylizers. Each clip is judged by a probe
trained on the other clips; AUC and threshold come from those scores, the probe that is written from
all clips. Objects are judged by ConSE, which is trained on none of this: real objects, found by the
detector, with their label against the labels of things that are not in the clip.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from catalog.errors import BadInput
from catalog.media import sample_frames
from experts.annotate.detect import Detector
from experts.base import EditRequest
from experts.edit.adjectives import LOCAL_STYLES
from experts.edit.local_stylizer import LocalStylizer
from experts.edit.materials import MATERIALS
from experts.edit.painters import Painter
from experts.edit.recolor import COLOURS
from experts.edit.styles import STYLES
from experts.weights import fetch
from filters.alignment import auc, object_score
from filters.encoder import Encoder, Encoding
from filters.features import encode_view
from filters.probe import PROBES, Probe, probe_features, save_probes
from flows.quality_set import moving_masks

CLIPS = ("clip_motorway", "clip_city", "clip_bikes", "clip_squirrel", "clip_bigbuckbunny")
FRAMES = 3  # of each clip
LONG_SIDE = 320
PENALTY = 0.02  # logistic regression's C: a thousand examples for some 190 columns and 24 looks
FALSE_REJECTIONS = 0.05  # of matched prompts, where thresholds are put

MISNAMED = {  # what the detector, which knows 80 things, calls these clips' animals
    "clip_squirrel": "squirrel",
    "clip_bigbuckbunny": "rabbit",
}
ABSENT = ("dog", "cat", "bird", "horse", "boat", "airplane", "chair", "umbrella")


@dataclass(frozen=True)
class Example:
    clip: str
    look: int
    label: str
    encoding: Encoding


def global_examples(encoder: Encoder) -> Iterator[Example]:
    """Every style on frames of every clip."""
    painter = Painter(threads=2)
    painter.load()
    for clip in CLIPS:
        for frame, (index, style) in itertools.product(
            sample_frames(fetch(clip), FRAMES, LONG_SIDE), enumerate(STYLES)
        ):
            painted = np.clip(np.rint(painter.paint(frame, style)), 0, 255).astype(np.uint8)
            yield Example(clip, index, "", encoder.images([painted]))


def local_looks() -> list[tuple[str, dict[str, str]]]:
    """Description and the local stylizer's params."""
    looks = [(f"a {c} {{label}}", {"kind": "color", "color": c}) for c in COLOURS]
    looks += [
        (f"a {m} statue of a {{label}}", {"kind": "material", "material": m}) for m in MATERIALS
    ]
    looks += [
        (f"a {{label}} drawn like {s.prompt}", {"kind": "style", "style": s.name})
        for s in LOCAL_STYLES
    ]
    return looks


def local_examples(encoder: Encoder, rng: np.random.Generator) -> Iterator[Example]:
    """Every look on a random region of frames of every clip."""
    stylizer = LocalStylizer()
    stylizer.load()
    labels = ("car", "bird", "bus", "dog", "chair", "bicycle")
    for clip in CLIPS:
        for frame, (index, (_, params)) in itertools.product(
            sample_frames(fetch(clip), FRAMES, LONG_SIDE), enumerate(local_looks())
        ):
            mask = moving_masks((1, *frame.shape[:2]), rng)
            label = labels[int(rng.integers(len(labels)))]
            request = EditRequest(
                "local_style_transfer", frame[None], mask, label=label, params=params
            )
            try:
                made = stylizer.edit(request).frames
            except BadInput:  # the region has that colour already
                continue
            yield Example(clip, index, label, encode_view(made, mask, encoder))


def fit(examples: Sequence[Example], looks: Sequence[str], region: str) -> Probe:
    """A probe on these examples."""
    x = np.concatenate([probe_features(e.encoding, region) for e in examples])
    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-4)
    y = np.array([e.look for e in examples])
    model = LogisticRegression(C=PENALTY, max_iter=500)
    model.fit(np.clip((x - mean) / scale, -5, 5), y)
    return Probe(
        tuple(looks),
        model.coef_.T.astype(np.float32),
        model.intercept_.astype(np.float32),
        mean,
        scale,
        region,
        0.0,
        0.0,
    )


def measured(
    examples: Sequence[Example], looks: Sequence[str], region: str, encoder: Encoder
) -> tuple[Probe, float]:
    """The probe on all examples with its held-out AUC and threshold; and its held-out accuracy."""
    matched: list[float] = []
    swapped: list[float] = []
    hits = 0
    for clip in CLIPS:
        probe = fit([e for e in examples if e.clip != clip], looks, region)
        matches: dict[tuple[int, str], NDArray | None] = {}
        for example in (e for e in examples if e.clip == clip):
            p = probe.probabilities(example.encoding)
            hits += int(p.argmax() == example.look)
            for look in range(len(looks)):
                key = look, example.label
                if key not in matches:
                    prompt = looks[look].format(label=example.label)
                    matches[key] = probe.match(prompt, example.label, encoder)
                match = matches[key]
                if match is not None:
                    (matched if look == example.look else swapped).append(float(p @ match))
    threshold = float(np.quantile(matched, FALSE_REJECTIONS))
    final = fit(examples, looks, region)
    caught = float((np.array(swapped) < threshold).mean())
    area = auc(matched, swapped)
    print(
        f"{region:8s} {len(looks)} looks: AUC {area:.3f}, top-1 {hits / len(examples):.2f}, "
        f"threshold {threshold:.4f} keeps {1 - FALSE_REJECTIONS:.0%}, drops {caught:.0%} swapped"
    )
    probe = Probe(
        final.looks, final.weight, final.bias, final.mean, final.scale, region, area, threshold
    )
    return probe, hits / len(examples)


def objects(encoder: Encoder) -> None:
    """ConSE's AUC on real objects against absent ones, and the threshold."""
    detector = Detector()
    detector.load()
    seen: list[tuple[str, str, Encoding]] = []
    for clip in CLIPS:
        frames = sample_frames(fetch(clip), 8, 640)
        counts: dict[str, int] = {}
        for frame, found in zip(frames, detector.detect(list(frames)), strict=True):
            for thing in found:
                x0, y0, x1, y1 = (int(v) for v in thing.box)
                label = MISNAMED.get(clip, thing.label)
                counts[label] = counts.get(label, 0) + 1
                small = (x1 - x0) * (y1 - y0) < 0.004 * frame.shape[0] * frame.shape[1]
                if thing.score < 0.45 or small or counts[label] > 8:
                    continue
                mask = np.zeros((1, *frame.shape[:2]), np.uint8)
                cv2.rectangle(mask[0], (x0, y0), (x1, y1), 1, -1)
                seen.append((clip, label, encode_view(frame[None], mask > 0, encoder)))
    labels = sorted({label for _, label, _ in seen} | set(ABSENT))
    matched, swapped, mute = [], [], set()
    for clip, label, encoding in seen:
        present = {other for c, other, _ in seen if c == clip}
        for prompt in labels:
            if prompt in present and prompt != label:
                continue
            score = object_score(encoding.classes, prompt, encoder)
            if score is None:
                mute.add(prompt)
            else:
                (matched if prompt == label else swapped).append(score)
    threshold = float(np.quantile(matched, FALSE_REJECTIONS))
    caught = float((np.array(swapped) < threshold).mean())
    print(
        f"objects  {len(matched)} objects: AUC {auc(matched, swapped):.3f}, threshold "
        f"{threshold:.2f} drops {caught:.0%} swapped; no word on: {', '.join(sorted(mute))}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {PROBES.name}")
    options = parser.parse_args()
    encoder = Encoder()
    encoder.load()
    objects(encoder)
    rng = np.random.default_rng(options.seed)
    styles = [style.prompt for style in STYLES]
    whole, _ = measured(list(global_examples(encoder)), styles, "view", encoder)
    looks = [description for description, _ in local_looks()]
    local, _ = measured(list(local_examples(encoder, rng)), looks, "inside", encoder)
    if options.write:
        probes = {"global_style_transfer": whole, "local_style_transfer": local}
        save_probes(PROBES, probes, encoder)


if __name__ == "__main__":
    main()
