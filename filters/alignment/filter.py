"""Rejects edits whose target does not show what the target prompt says.

With a CLIP this is one cosine (filters.alignment.clip). The embedded encoder has no image-text
space, so each task has its own measure: ConSE for objects (does the target's view show the thing
that the prompt names?), a style probe for styles. How well a measure tells matched from swapped
prompts, on clips it was not tuned on, is known per task. Where its AUC is below ABSTAIN_BELOW the
filter keeps the pair and answers "abstained"; the score is then for the record only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.errors import EditmillError
from catalog.policy import Threshold
from filters.alignment.style_probe import SHIPPED, StyleProbes
from filters.base import ABSTAINED, NOT_MEASURED, PairFrames, Verdict
from filters.encoder.embedded import EmbeddedEncoder, EmbeddedEncoding
from filters.features import PairFeatures, describe

TEXT_MISMATCH = "text_mismatch"

MEASURED = frozenset(
    {"object_swap", "object_addition", "local_style_transfer", "global_style_transfer"}
)
"""Tasks with a target prompt (Señorita-2M, text-alignment filter: removal has none)."""

ABSTAIN_BELOW = 0.7
"""AUC of matched against swapped prompts below which a task's scores decide nothing: a choice; at
it a threshold that keeps 95 % of matched prompts rejects fewer than one swapped in five."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A task's measure on an encoder: `auc` as above, `threshold` the least score that is kept."""

    auc: float
    threshold: float


LEAST_COSINE = 0.6
"""Cosine of a prompt with the class name nearest to it, below which ConSE cannot judge it: a
person (.52) is no ImageNet class, a bicycle (.62), a car (.73), a squirrel (.81) nearly is."""

OBJECTS: Mapping[str, Calibration] = {
    "object_addition": Calibration(auc=0.868, threshold=-0.07),
    "object_swap": Calibration(auc=0.868, threshold=-0.07),
}
"""ConSE on efficientnet_lite0+minilm, by infra/bench/judging/alignment.py: 47 real objects of the
sample clips, their labels against those of absent things; the threshold keeps 95 % of the former
and rejects 22 % of the latter. Both tasks ask the same: does the real target show the thing?"""


class AlignmentFilter:
    """Keeps a pair whose score reaches its task's threshold; `thresholds` overrides per task.

    `probes` are the style probes or the path of their file, read when first needed. A pair without
    a prompt is judged by its label; with neither it is not measured.
    """

    name = "alignment"

    def __init__(
        self,
        encoder: EmbeddedEncoder,
        probes: StyleProbes | Path = SHIPPED,
        thresholds: Mapping[str, float] | None = None,
        abstain_below: float = ABSTAIN_BELOW,
    ) -> None:
        self.encoder = encoder
        self.thresholds = dict(thresholds or {})
        self.abstain_below = abstain_below
        self._path = probes if isinstance(probes, Path) else None
        self._probes = None if isinstance(probes, Path) else probes

    @property
    def model_version(self) -> str:
        """8 hex characters of the probes' SHA-256."""
        return sha256(self._loaded().to_bytes()).hexdigest()[:8]

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What the probes' training measured (filters.alignment.style_probe.StyleProbes)."""
        return self._loaded().metrics

    @property
    def version(self) -> str:
        """Changes with the encoder's weights and with the probes."""
        return f"2+{self.encoder.version}+{self.model_version}"

    @property
    def cut(self) -> Threshold:
        """Where it cuts its score; a task without calibration is cut nowhere."""
        values = {task: found.threshold for task, found in self.calibrations().items()}
        return Threshold(self.name, "at_least", TEXT_MISMATCH, None, values)

    def load(self) -> None:
        """Opens the encoder and the style probes. Raises EditmillError if either cannot be had, or
        if the probes were trained on another encoder's features."""
        self.encoder.load()
        probes = self._loaded()
        if probes.encoder != self.encoder.version:
            raise EditmillError(
                f"the style probes were trained on features of encoder {probes.encoder}, not "
                f"{self.encoder.version}; train them again: "
                "editmill train alignment --out style_probes.safetensors"
            )

    def close(self) -> None:
        """Frees the probes. The encoder is shared: whoever made it closes it."""
        if self._path is not None:
            self._probes = None

    def _loaded(self) -> StyleProbes:
        if self._probes is None:
            assert self._path is not None
            self._probes = StyleProbes.load(self._path)
        return self._probes

    def calibrations(self) -> dict[str, Calibration]:
        """Per task its AUC and the threshold in force."""
        known = dict(OBJECTS)
        known |= {
            task: Calibration(probe.measured.auc, probe.measured.threshold)
            for task, probe in self._loaded().by_task.items()
        }
        return {
            task: Calibration(found.auc, self.thresholds.get(task, found.threshold))
            for task, found in known.items()
        }

    def judge(self, samples: Sequence[PairFrames]) -> list[Verdict]:
        """One verdict per sample, in order."""
        return self.verdicts(samples, describe(samples, self.encoder))

    def verdicts(
        self, samples: Sequence[PairFrames], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        calibrations = self.calibrations()
        return [
            self._verdict(s, f, calibrations.get(s.task))
            for s, f in zip(samples, features, strict=True)
        ]

    def _verdict(
        self, sample: PairFrames, features: PairFeatures, calibration: Calibration | None
    ) -> Verdict:
        if calibration is None or not (sample.prompt or sample.label):
            return Verdict(True, None, NOT_MEASURED)
        score = self.score(sample, features)
        if score is None or calibration.auc < self.abstain_below:
            return Verdict(True, score, ABSTAINED)
        keep = score >= calibration.threshold
        return Verdict(keep, score, "" if keep else TEXT_MISMATCH)

    def score(self, sample: PairFrames, features: PairFeatures) -> float | None:
        """How well the target fits the prompt; None if the prompt names nothing that the task's
        measure knows."""
        self.encoder.load()
        prompt = sample.prompt or sample.label
        target = features.target
        assert isinstance(target, EmbeddedEncoding)
        if sample.task in OBJECTS:
            return object_score(target.classes, prompt, self.encoder)
        probe = self._loaded().by_task[sample.task]
        return probe.score(target, prompt, sample.label, self.encoder)


def object_score(
    classes: NDArray[np.float32],
    prompt: str,
    encoder: EmbeddedEncoder,
    least_cosine: float = LEAST_COSINE,
) -> float | None:
    """How much nearer the frames' class probabilities [T, 1000] are to the prompt than images at
    large, in standard deviations; None if no class name comes within `least_cosine` of it.

    The cosine of ConSE embedding and prompt, less the prompt's mean cosine with all classes, over
    its standard deviation: some prompts are near to everything.
    """
    phrase = prompt if " " in prompt else f"a {prompt}"
    vector = encoder.texts([phrase])[0]
    known = encoder.class_texts() @ vector
    if known.max() < least_cosine:
        return None
    cosine = encoder.conse(classes.mean(0, keepdims=True))[0] @ vector
    return float((cosine - known.mean()) / known.std())
