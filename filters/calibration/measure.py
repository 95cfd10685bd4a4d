"""Measures the thresholds of the alignment and subtle-change filters on an encoder.

Alignment: frames of sample clips painted in known styles, and frames in which a detector found an
object; each is compared with its own prompt and with the others'. Subtle change: the similarity of
the two sides of good edits, against that of footage with itself, encoded again and with noise. A
threshold is where it loses LOST of what is right; the AUC says whether it rejects any of the rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from catalog.errors import EditmillError
from catalog.media import sample_frames
from experts import weights
from experts.annotate.detection.detect import Detector
from filters.alignment.clip import text_similarity
from filters.alignment.filter import ABSTAIN_BELOW
from filters.alignment.style_examples import StyleExamples, styles
from filters.alignment.train import FALSE_REJECTIONS, SAMPLES
from filters.base import PairFrames
from filters.encoder.base import Encoder, Encoding
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import describe
from filters.quality.training.good_edits import GoodEdits
from filters.quality.training.training_set import GOOD, encoded
from filters.roc import auc
from filters.subtle import MEASURED, similarity

LOST = FALSE_REJECTIONS

MISNAMED = {"clip_squirrel": "squirrel", "clip_bigbuckbunny": "rabbit"}
"""What the detector, which knows 80 kinds, has no name for."""

ABSENT = ("dog", "cat", "bird", "horse", "boat", "airplane", "chair", "umbrella")
"""Objects that are in no sample clip."""

LOOKED_AT = 8
"""Frames of each sample in which the detector looks for objects."""

LEAST_SCORE = 0.45
"""Of a detection that is taken for true."""

LEAST_AREA = 0.01
"""Of an object, as a share of the frame: a smaller one does not decide what a whole frame shows."""

NOISE = 2.0
"""Levels of 255, standard deviation: invisible in a video."""


@dataclass(frozen=True, slots=True)
class CalibratedThreshold:
    """A threshold, the AUC of right against wrong pairs, and how many of each were seen."""

    threshold: float
    auc: float
    right: int
    wrong: int

    @property
    def decides(self) -> bool:
        """Whether it tells right from wrong well enough to reject anything."""
        return self.auc >= ABSTAIN_BELOW


Told = Callable[[str], None]


def measure(
    encoder: Encoder,
    samples: Sequence[str] = SAMPLES,
    seed: int = 0,
    *,
    frames: int = 3,
    tell: Told = lambda line: None,
) -> dict[str, CalibratedThreshold]:
    """Per task of the alignment filter, and for `subtle`, the threshold on this encoder.

    `samples` are slots of experts/weights/weights.toml, `frames` those of each clip that are
    painted. Takes some minutes of one core beside the encoder's own time. `tell` gets a line now
    and then. Raises EditmillError where a sample or a model cannot be had, and for the embedded
    encoder, whose filters have measures of their own.
    """
    if isinstance(encoder, EmbeddedEncoder):
        raise EditmillError(
            "the embedded encoder's thresholds are known; name another, such as `open_clip`, or "
            "train its style probes with: editmill train alignment --out FILE"
        )
    clips = [(name, weights.fetch(name)) for name in samples]
    encoder.load()
    found = _styles(encoder, clips, seed, frames, tell)
    tell("comparing frames with the names of what is in them")
    objects = _objects(encoder, clips)
    found |= {"object_swap": objects, "object_addition": objects}
    tell("comparing edits with their sources")
    found["subtle"] = _subtle(encoder, clips, seed)
    return found


def recipe_lines(found: dict[str, CalibratedThreshold]) -> str:
    """What to write into a recipe: the `filters` section with what decides."""
    least = {
        task: round(each.threshold, 4)
        for task, each in sorted(found.items())
        if task != "subtle" and each.decides
    }
    lines = ["filters:"]
    if found["subtle"].decides:
        lines.append(f"  subtle: {round(found['subtle'].threshold, 4)}")
    if least:
        lines += ["  alignment_per_task:", *(f"    {task}: {at}" for task, at in least.items())]
    return "\n".join(lines) if len(lines) > 1 else ""


def as_dict(found: dict[str, CalibratedThreshold]) -> dict[str, Any]:
    """JSON-able."""
    return {
        name: {**dataclasses.asdict(each), "decides": each.decides} for name, each in found.items()
    }


def _styles(
    encoder: Encoder, clips: Sequence[tuple[str, Path]], seed: int, frames: int, tell: Told
) -> dict[str, CalibratedThreshold]:
    painted = StyleExamples(encoder, frames=frames).of(clips, seed, tell)
    found = {}
    for task, descriptions in styles().items():
        right: list[float] = []
        wrong: list[float] = []
        for example in painted[task]:
            seen = Encoding(example.features[None])
            for style, description in enumerate(descriptions):
                score = text_similarity(seen, description.format(label=example.label), encoder)
                (right if style == example.style else wrong).append(score)
        found[task] = _at_least(right, wrong)
    return found


def _objects(encoder: Encoder, clips: Sequence[tuple[str, Path]]) -> CalibratedThreshold:
    seen = list(_labelled(encoder, clips))
    names = sorted({label for _, _, labels in seen for label in labels} | set(ABSENT))
    right, wrong = [], []
    for clip, frame, labels in seen:
        elsewhere = {name for other, _, found in seen if other == clip for name in found}
        for name in names:
            if name in labels:
                right.append(text_similarity(frame, f"a {name}", encoder))
            elif name not in elsewhere:
                wrong.append(text_similarity(frame, f"a {name}", encoder))
    return _at_least(right, wrong)


def _labelled(
    encoder: Encoder, clips: Sequence[tuple[str, Path]]
) -> Iterator[tuple[str, Encoding, set[str]]]:
    """Clip, a frame of it as the encoder sees it, and what is in that frame."""
    detector = Detector()
    detector.load()
    try:
        for clip, path in clips:
            frames = sample_frames(path, LOOKED_AT, 640)
            for frame, detections in zip(frames, detector.detect(list(frames)), strict=True):
                least = LEAST_AREA * frame.shape[0] * frame.shape[1]
                labels = set()
                for each in detections:
                    x0, y0, x1, y1 = each.box
                    if each.score >= LEAST_SCORE and (x1 - x0) * (y1 - y0) >= least:
                        labels.add(MISNAMED.get(clip, each.label))
                if labels:
                    yield clip, encoder.encode([(frame[None], None)])[0], labels
    finally:
        detector.close()


def _subtle(encoder: Encoder, clips: Sequence[tuple[str, Path]], seed: int) -> CalibratedThreshold:
    rng = np.random.default_rng(seed)
    real, same = [], []
    for _, kind, pair in GoodEdits(windows=1).pairs(clips, seed):
        if kind == GOOD and pair.task in MEASURED:
            real.append(_similarity(pair, encoder))
            noisy = pair.source + rng.normal(0, NOISE, pair.source.shape)
            for target in (encoded(pair.source), np.clip(np.rint(noisy), 0, 255).astype(np.uint8)):
                same.append(_similarity(dataclasses.replace(pair, target=target), encoder))
    above = auc(same, real)
    return CalibratedThreshold(float(np.quantile(real, 1 - LOST)), above, len(real), len(same))


def _similarity(pair: PairFrames, encoder: Encoder) -> float:
    (seen,) = describe([pair], encoder)
    return similarity(seen.source, seen.target)


def _at_least(right: Sequence[float], wrong: Sequence[float]) -> CalibratedThreshold:
    threshold = float(np.quantile(right, LOST))
    return CalibratedThreshold(threshold, auc(right, wrong), len(right), len(wrong))
