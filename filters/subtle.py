"""Drops edits nobody would see: source and target whose embeddings are too similar.

Similarity is taken over the view of the pair (see filters.features): a box around the mask if there
is one, because the edit of a small object hardly moves an embedding of the whole frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from filters.base import PairSample, Verdict
from filters.encoder import Encoder, Encoding
from filters.features import PairFeatures, describe

SUBTLE = "subtle"

THRESHOLDS: Mapping[str, float] = {
    "clip": 0.95,  # Señorita-2M, subtle-change filter: CLIP image similarity
    # Measured at 320 px on five clips, with and without a mask: encoded again at CRF 17 .962–.985,
    # at CRF 28 .865–.935, noise of 2 levels .949 and more, 2 % brighter .998 and more; 45 real
    # edits at most .946. At 256 px one clip encoded again at CRF 17 had .938 and would be kept.
    "efficientnet_lite0+minilm": 0.955,
}
"""Largest similarity that is kept, per encoder: another encoder's scale is another scale."""

MEASURED = frozenset(
    {
        "object_swap",
        "object_addition",
        "object_removal",
        "local_style_transfer",
        "global_style_transfer",
        "inpainting",
        "outpainting",
        "colorization",
        "object_grounding",
    }
)
"""Tasks whose sides must look different. Restoration (deblur, upscaling) changes little by design,
and maps (canny, HED) cannot come out similar."""


class SubtleChange:
    """Keeps a pair if its similarity is at most `threshold`; the score is the similarity."""

    name = "subtle"

    def __init__(self, encoder: Encoder, threshold: float | None = None) -> None:
        self.encoder = encoder
        self.threshold = THRESHOLDS[encoder.name] if threshold is None else threshold

    @property
    def version(self) -> str:
        return f"1+{self.encoder.version}"

    def load(self) -> None:
        """Opens the encoder."""
        self.encoder.load()

    def close(self) -> None:
        """The encoder is shared: whoever made it closes it."""

    def judge(self, samples: Sequence[PairSample]) -> list[Verdict]:
        """One verdict per sample, in order."""
        return self.verdicts(samples, describe(samples, self.encoder))

    def verdicts(
        self, samples: Sequence[PairSample], features: Sequence[PairFeatures]
    ) -> list[Verdict]:
        """The same from features already computed."""
        return [self._verdict(s, f) for s, f in zip(samples, features, strict=True)]

    def _verdict(self, sample: PairSample, features: PairFeatures) -> Verdict:
        if sample.task not in MEASURED:
            return Verdict(True, None, "not_measured")
        score = similarity(features.source, features.target)
        keep = score <= self.threshold
        return Verdict(keep, score, "" if keep else SUBTLE)


def similarity(source: Encoding, target: Encoding) -> float:
    """Mean over frames of the cosine of the two sides' embeddings, −1…1."""
    return float(np.mean(_cosine(source.embedding, target.embedding)))


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.maximum(norms, 1e-8)
