"""Drops edits whose result is not what the target prompt says.

With a CLIP this is one cosine. The embedded encoder has none, so each task has its own way: ConSE
for objects (is the thing named by the prompt in the target's view?), a style probe for looks. How
well a way tells matched from swapped prompts, on clips it was not tuned on, is measured per task
and stored; where the AUC is below ABSTAIN_BELOW the filter keeps, says "abstained" and records the
score only for the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.keys import file_digest
from filters.alignment.probe import Probe, load_probes, missing
from filters.base import ABSTAINED, NOT_MEASURED, PairSample, Verdict
from filters.encoder.embedded import EmbeddedEncoder
from filters.features import PairFeatures, describe

TEXT_MISMATCH = "text_mismatch"

CLIP_THRESHOLDS: Mapping[str, float] = {
    # Señorita-2M, text-alignment filter; removal has no target prompt and is not measured
    "object_swap": 0.22,
    "local_style_transfer": 0.22,
    "global_style_transfer": 0.20,
    "object_addition": 0.20,
}
"""Least CLIP similarity of edited video and target prompt. Another encoder's scale is another."""

ABSTAIN_BELOW = 0.7
"""AUC of matched against swapped prompts under which a task's scores decide nothing."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A task's measure on an encoder: `auc` as above, `threshold` the least score that is kept."""

    auc: float
    threshold: float


REACH = 0.6
"""Cosine of a prompt with the class name nearest to it, below which ConSE cannot speak of it: a
person (.52) is no ImageNet class, a bicycle (.62), a car (.73), a squirrel (.81) nearly is."""

OBJECTS: Mapping[str, Calibration] = {
    "object_addition": Calibration(auc=0.868, threshold=-0.07),
    "object_swap": Calibration(auc=0.868, threshold=-0.07),
}
"""ConSE on efficientnet_lite0+minilm, by infra/bench/alignment.py: 47 real objects of the sample
clips, their labels against those of absent things; the threshold keeps 95 % of the former and drops
22 % of the latter. Both tasks ask the same: does the real target show the thing?"""

MEASURED = frozenset(CLIP_THRESHOLDS)


class AlignmentFilter:
    """Keeps a pair whose score reaches its task's threshold; `thresholds` overrides per task.

    `probes` is the style probes' file, opened by `load`. A pair without a prompt falls back on its
    label; with neither it is not measured.
    """

    name = "alignment"

    def __init__(
        self, encoder: EmbeddedEncoder, probes: Path, thresholds: Mapping[str, float] | None = None
    ) -> None:
        self.encoder = encoder
        self.probes = probes
        self.thresholds = dict(thresholds or {})
        self._probes: dict[str, Probe] | None = None

    @property
    def version(self) -> str:
        """Changes with the encoder's weights and with the probes' content."""
        if not self.probes.is_file():
            raise missing(self.probes)
        return f"1+{self.encoder.version}+{file_digest(self.probes)[:8]}"

    def load(self) -> None:
        """Opens the encoder and the style probes; EditmillError if either cannot be had."""
        self.encoder.load()
        self._styles()

    def close(self) -> None:
        """The encoder is shared: whoever made it closes it."""
        self._probes = None

    def _styles(self) -> dict[str, Probe]:
        if self._probes is None:
            self._probes = load_probes(self.probes)
        return self._probes

    def calibrations(self) -> dict[str, Calibration]:
        """Per task its AUC and the threshold in force."""
        known = dict(OBJECTS)
        known |= {
            task: Calibration(p.measured.auc, p.measured.threshold)
            for task, p in self._styles().items()
        }
        return {
            task: Calibration(found.auc, self.thresholds.get(task, found.threshold))
            for task, found in known.items()
        }

    def judge(self, samples: Sequence[PairSample]) -> list[Verdict]:
        """One verdict per sample, in order."""
        return self.verdicts(samples, describe(samples, self.encoder))

    def verdicts(
        self, samples: Sequence[PairSample], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        calibrations = self.calibrations()
        return [
            self._verdict(s, f, calibrations.get(s.task))
            for s, f in zip(samples, features, strict=True)
        ]

    def _verdict(
        self, sample: PairSample, features: PairFeatures, calibration: Calibration | None
    ) -> Verdict:
        if calibration is None or not (sample.prompt or sample.label):
            return Verdict(True, None, NOT_MEASURED)
        score = self.score(sample, features)
        if score is None or calibration.auc < ABSTAIN_BELOW:
            return Verdict(True, score, ABSTAINED)
        keep = score >= calibration.threshold
        return Verdict(keep, score, "" if keep else TEXT_MISMATCH)

    def score(self, sample: PairSample, features: PairFeatures) -> float | None:
        """How well the target fits the prompt; None if the prompt is beyond the probe's looks."""
        self.encoder.load()
        prompt = sample.prompt or sample.label
        if sample.task in OBJECTS:
            return object_score(features.target.classes, prompt, self.encoder)
        probe = self._styles()[sample.task]
        return probe.score(features.target, prompt, sample.label, self.encoder)


def object_score(
    classes: NDArray[np.float32], prompt: str, encoder: EmbeddedEncoder
) -> float | None:
    """How much nearer the frames [T, 1000] are to the prompt than images at large, in deviations.

    The cosine of ConSE embedding and prompt, less the prompt's mean cosine with all classes, over
    its deviation: some prompts are near to everything. None if no class comes near the prompt.
    """
    phrase = prompt if " " in prompt else f"a {prompt}"
    vector = encoder.texts([phrase])[0]
    known = encoder.class_texts() @ vector
    if known.max() < REACH:
        return None
    cosine = encoder.conse(classes.mean(0, keepdims=True))[0] @ vector
    return float((cosine - known.mean()) / known.std())


def auc(matched: Sequence[float], swapped: Sequence[float]) -> float:
    """Area under the ROC curve: how often a matched score exceeds a swapped one, ties half."""
    a, b = np.asarray(matched)[:, None], np.asarray(swapped)[None]
    return float((a > b).mean() + 0.5 * (a == b).mean())
