"""Rejects edits that nobody would see: source and target whose embeddings are too similar.

The embedded encoder sees the view of the pair (filters.encoder.views): a box around the mask if
there is one, because the edit of a small object hardly moves an embedding of the whole frame. An
embedding also reacts to what compression does to fine texture, which is no edit: a pair whose
coarse picture does not change is subtle whatever its similarity.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.policy import Threshold
from filters.base import ABSTAINED, NOT_MEASURED, PairFrames, Verdict
from filters.calibration import how_to_calibrate, thresholds_of
from filters.encoder.base import Encoder, Encoding
from filters.features import PairFeatures, describe

SUBTLE = "subtle"

COARSE_SIDE = 64
"""Long side, px, of the coarse picture: a cell averages compression away, not an edit."""

VISIBLE_SHARE = 0.005
"""Share of the coarse picture, over all frames, that must change for an edit to be visible: a
little less than the smallest object that is edited (recipe, plan.min_area)."""

VISIBLE_LEVELS = 20.0
"""Change of a cell, levels of 255, that is visible. At that share, on four clips at 256 and 480 px,
2 % brighter reached 5, encoded again at CRF 17 5–14, at CRF 28 11–14 (480 px) and 21–25 (256 px);
the weakest of 17 real edits reached 45 or more."""

MEASURED = frozenset(
    {
        "object_swap",
        "object_addition",
        "object_removal",
        "local_style_transfer",
        "global_style_transfer",
    }
)
"""Tasks whose sides must look different. Of what follows from footage by arithmetic
(filters.construction) it is known what is different, and whether that is worth anything."""


class SubtleFilter:
    """Keeps a pair whose similarity is at most `threshold` and whose change is `visible`.

    The score is the similarity, so a rejected pair may have one below the threshold: no threshold
    keeps what is not visible. `threshold` None: the one calibrated for the encoder; where there is
    none, it abstains from what is visible.
    """

    name = "subtle"

    def __init__(
        self,
        encoder: Encoder,
        threshold: float | None = None,
        *,
        visible_share: float = VISIBLE_SHARE,
        visible_levels: float = VISIBLE_LEVELS,
    ) -> None:
        self.encoder = encoder
        self.visible_share = visible_share
        self.visible_levels = visible_levels
        self._given = threshold

    @property
    def threshold(self) -> float | None:
        """The largest similarity that is kept; None where nobody calibrated the encoder."""
        known = thresholds_of(self.encoder.scale).subtle
        return known if self._given is None else self._given

    @property
    def uncalibrated(self) -> str:
        """Why it abstains and what to do about it, in one line; empty if it does not."""
        if self.threshold is not None:
            return ""
        return how_to_calibrate(self.name, self.encoder.scale, "filters.subtle")

    @property
    def version(self) -> str:
        """Changes with the encoder, and with whether it abstains, which no threshold decides."""
        abstains = "" if self.threshold is not None else "+uncalibrated"
        return f"5+{self.encoder.version}{abstains}"

    @property
    def cut(self) -> Threshold:
        """Where it cuts its score."""
        return Threshold(self.name, "at_most", SUBTLE, self.threshold)

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
        return [self._verdict(s, f) for s, f in zip(samples, features, strict=True)]

    def _verdict(self, sample: PairFrames, features: PairFeatures) -> Verdict:
        if sample.task not in MEASURED:
            return Verdict(True, None, NOT_MEASURED)
        score = similarity(features.source, features.target)
        if not visible(
            sample.source,
            sample.target,
            sample.mask,
            share=self.visible_share,
            levels=self.visible_levels,
        ):
            return Verdict(False, score, SUBTLE, final=True)
        if self.threshold is None:
            return Verdict(True, score, ABSTAINED)
        keep = score <= self.threshold
        return Verdict(keep, score, "" if keep else SUBTLE)


def similarity(source: Encoding, target: Encoding) -> float:
    """Mean over frames of the cosine of the two sides' embeddings, −1…1."""
    return float(np.mean(_cosine(source.embedding, target.embedding)))


def visible(
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    mask: NDArray[np.bool_] | None,
    *,
    share: float = VISIBLE_SHARE,
    levels: float = VISIBLE_LEVELS,
) -> bool:
    """Whether the coarse pictures of the two sides [T, h, w, 3] differ by `levels` in `share` of
    their cells, inside the mask if there is one."""
    before, after, inside = _coarse_pair(source, target, mask)
    change = np.abs(before - after).max(axis=-1)[inside]
    return bool(np.quantile(change, 1 - share) >= levels)


def _coarse_pair(
    source: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Both sides' coarse pictures [T, h, w, 3], and which of their cells [T, h, w] count."""
    height, width = target.shape[1:3]
    scale = COARSE_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    before, after = _coarse(source, size), _coarse(target, size)
    if mask is None or not mask.any():
        return before, after, np.ones(before.shape[:3], bool)
    inside = _coarse(mask.astype(np.float32), size)
    return before, after, inside >= min(0.5, float(inside.max()))


def _coarse(
    frames: NDArray[np.uint8] | NDArray[np.float32], size: tuple[int, int]
) -> NDArray[np.float32]:
    small = [cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]
    return np.stack(small).astype(np.float32)


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.maximum(norms, 1e-8)
