"""The alignment filter on a CLIP: rejects edits whose target is too far from the target prompt.

The similarity is the mean over the frames of the cosine of frame and prompt (Señorita-2M,
text-alignment filter).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.policy import Threshold
from filters.alignment.filter import MEASURED, TEXT_MISMATCH
from filters.base import ABSTAINED, NOT_MEASURED, PairFrames, Verdict
from filters.calibration import how_to_calibrate, thresholds_of
from filters.encoder.base import Encoder, Encoding
from filters.features import PairFeatures, describe


class ClipAlignmentFilter:
    """Keeps a pair whose similarity reaches its task's threshold; `thresholds` comes before what
    is known for the encoder. A task with neither is measured, and abstained from."""

    name = "alignment"

    def __init__(self, encoder: Encoder, thresholds: Mapping[str, float] | None = None) -> None:
        self.encoder = encoder
        self._given = dict(thresholds or {})

    @property
    def thresholds(self) -> dict[str, float]:
        """The least similarity that is kept, by task."""
        return {**thresholds_of(self.encoder.scale).alignment, **self._given}

    @property
    def uncalibrated(self) -> str:
        """Why it abstains and what to do about it, in one line; empty if it does not."""
        missing = sorted(MEASURED - set(self.thresholds))
        if not missing:
            return ""
        name = f"{self.name} of {', '.join(missing)}"
        return how_to_calibrate(name, self.encoder.scale, "filters.alignment_per_task")

    @property
    def version(self) -> str:
        """Changes with the encoder, and with the tasks it abstains from: those are in its reasons,
        which no threshold decides."""
        return "+".join(["clip1", self.encoder.version, *sorted(MEASURED - set(self.thresholds))])

    @property
    def cut(self) -> Threshold:
        """Where it cuts its score; a task without a threshold is cut nowhere."""
        return Threshold(self.name, "at_least", TEXT_MISMATCH, None, self.thresholds)

    def load(self) -> None:
        """Opens the encoder."""
        self.encoder.load()

    def close(self) -> None:
        """The encoder is shared: whoever made it closes it."""

    def judge(self, samples: Sequence[PairFrames]) -> list[Verdict]:
        """One verdict per sample, in order."""
        return self.verdicts(samples, describe(samples, self.encoder))

    def verdicts(
        self, samples: Sequence[PairFrames], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        thresholds = self.thresholds
        return [
            self._verdict(s, f.target, thresholds.get(s.task))
            for s, f in zip(samples, features, strict=True)
        ]

    def _verdict(self, sample: PairFrames, target: Encoding, least: float | None) -> Verdict:
        prompt = sample.prompt or sample.label
        if sample.task not in MEASURED or not prompt:
            return Verdict(True, None, NOT_MEASURED)
        score = text_similarity(target, prompt, self.encoder)
        if least is None:
            return Verdict(True, score, ABSTAINED)
        keep = score >= least
        return Verdict(keep, score, "" if keep else TEXT_MISMATCH)


def text_similarity(frames: Encoding, prompt: str, encoder: Encoder) -> float:
    """Mean cosine of the frames and the prompt, −1…1."""
    return float((frames.embedding @ encoder.texts([prompt])[0]).mean())
