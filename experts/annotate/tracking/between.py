"""A track's masks and confidence between two keyframes, from the decoded mask at one or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from experts.annotate.tracking.propagate import Soft, Span
from experts.annotate.tracking.settings import TrackerSettings
from experts.masks.geometry import Mask, clean, dilate, iou


@dataclass(frozen=True, slots=True)
class Keyed:
    """A decoded mask at one end of a span, and the confidence there, 0–1."""

    mask: Mask
    quality: float


def between(
    span: Span,
    first: Keyed | None,
    last: Keyed | None,
    settings: TrackerSettings,
    least_area: float,
) -> Iterator[tuple[int, Mask, float]]:
    """(index, mask, confidence) over a span from the ends that are known, outwards from one.

    A mask that became smaller than `least_area` px, or grew too much, has confidence 0.
    """
    indices = range(span.length)
    for index in indices if first is not None else reversed(indices):
        forward = None if first is None else span.from_first(first.mask, index)
        backward = None if last is None else span.from_last(last.mask, index)
        if first is not None and last is not None:
            assert forward is not None and backward is not None
            share = index / (span.length - 1)
            soft = span.fuse(index, forward, backward)
            agreement = iou(forward[0] >= 0.5, backward[0] >= 0.5)
            # At an end its own mask counts alone; half-way both must agree.
            doubt = (1 - agreement) * min(share, 1 - share)
            quality = ((1 - share) * first.quality + share * last.quality) * (1 - doubt)
            trust = np.maximum(forward[1], backward[1])
            area = max(first.mask.sum(), last.mask.sum())
        else:
            one, end = (forward, first) if first is not None else (backward, last)
            assert one is not None and end is not None
            soft, trust, quality, area = one[0], one[1], end.quality, end.mask.sum()
        # What could not be followed lowers the confidence, then goes, unless both ends fill it.
        confidence = float(quality * mean_trust(soft, trust))
        if forward is None or backward is None:
            soft = followed(soft, trust, settings.rim)
        mask = clean(soft >= 0.5)
        plausible = least_area <= mask.sum() <= settings.max_growth * area
        yield index, mask, confidence if plausible else 0.0


def followed(soft: Soft, trust: Soft, rim: int) -> Soft:
    """A propagated mask, kept only within `rim` px of what of it could be followed.

    Where an object has left the frame its mask would stick to the border. The thin rim of doubt
    every mask has, where object and background part, stays.
    """
    sure = dilate(dilate((soft >= 0.5) & (trust >= 0.5), -1), 1 + rim)
    return np.where(sure, soft, np.float32(0))


def mean_trust(soft: Soft, trust: Soft) -> float:
    """Mean trust inside a propagated mask, 0–1."""
    total = float(soft.sum())
    return float((soft * trust).sum()) / total if total else 0.0
