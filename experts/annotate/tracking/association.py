"""Which detection continues which track: gated box overlap, greedily, best pair first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from experts.annotate.tracking.between import followed
from experts.annotate.tracking.propagate import Span
from experts.masks.geometry import Box, Mask, box_iou, box_of, iou

SIMILAR_LABELS = (
    frozenset({"car", "truck", "bus", "train"}),
    frozenset({"motorcycle", "bicycle"}),
    frozenset({"cat", "dog", "horse", "sheep", "cow", "bear"}),
    frozenset({"chair", "couch", "bed"}),
)
"""COCO labels between which detectors waver on one object."""


class Detected(Protocol):
    """What a detector says of one object; `box` is x0, y0, x1, y1 in px."""

    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def box(self) -> Box: ...


@dataclass(frozen=True, slots=True)
class DetectionCandidate:
    """A detection at working size."""

    label: str
    score: float
    box: Box

    @property
    def area(self) -> float:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


def candidates(
    detections: Sequence[Detected],
    scale: float,
    size: tuple[int, int],
    least_area: float,
    duplicate_iou: float,
) -> list[DetectionCandidate]:
    """Detections at working size (height, width), best first, of `least_area` px² or more, and of
    those that overlap by `duplicate_iou` or more only the best."""
    height, width = size
    kept: list[DetectionCandidate] = []
    for one in sorted(detections, key=lambda one: -one.score):
        x0, y0, x1, y1 = (float(value) * scale for value in one.box)
        box = (max(0.0, x0), max(0.0, y0), min(width, x1), min(height, y1))
        candidate = DetectionCandidate(one.label, float(one.score), box)
        if candidate.area < least_area or box[2] <= box[0]:
            continue
        if all(box_iou(box, other.box) < duplicate_iou for other in kept):
            kept.append(candidate)
    return kept


def similarity(a: str, b: str, similar_label_factor: float) -> float:
    """Of two labels: 1 if equal, `similar_label_factor` if similar, else 0."""
    if a == b:
        return 1.0
    return similar_label_factor if any({a, b} <= group for group in SIMILAR_LABELS) else 0.0


def associate(
    labels: Sequence[str],
    masks: Sequence[Mask],
    detections: Sequence[DetectionCandidate],
    gate_iou: float,
    similar_label_factor: float,
) -> dict[int, DetectionCandidate]:
    """Detections that continue tracks, by track number. `labels` and `masks` are the tracks', the
    masks propagated to the detections' frame."""
    pairs: list[tuple[float, int, int]] = []
    for i, (label, mask) in enumerate(zip(labels, masks, strict=True)):
        box = box_of(mask)
        for j, one in enumerate(detections):
            likeness = similarity(label, one.label, similar_label_factor)
            overlap = 0.0 if box is None else likeness * box_iou(box, one.box)
            if overlap >= gate_iou:
                pairs.append((overlap, i, j))
    matches: dict[int, DetectionCandidate] = {}
    taken: set[int] = set()
    for _, i, j in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if i not in matches and j not in taken:
            matches[i] = detections[j]
            taken.add(j)
    return matches


def reidentification(span: Span, lost: Mask, new: Mask, rim: int) -> float:
    """Best IoU of a lost track's mask at the span's first frame and a new one's at its last,
    propagated towards each other: at the first frame or half-way."""
    return max(
        iou(
            followed(*span.from_first(lost, index), rim) >= 0.5,
            followed(*span.from_last(new, index), rim) >= 0.5,
        )
        for index in (0, span.length // 2)
    )
