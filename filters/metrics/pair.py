"""One pair measured: every metric of :data:`filters.metrics.METRICS`, in a few frames' memory.

Which side is looked at follows from the task. The *made* side, which an expert painted, is asked
whether it flickers; the target, whether it shows the prompt; both, whether they agree outside the
mask. What a task gives no meaning to is not measured, and the reason is kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog import media
from catalog.errors import EditmillError
from catalog.media import sides
from experts.annotate.motion.flow import DIS, FlowEstimator, consistent
from experts.base import Frames, Masks
from experts.edit.style.temporal import step_error
from experts.edit.tasks import TASKS, Side
from filters.metrics import METRICS, PerFrame, mean, outside
from filters.metrics.lpips import Lpips
from filters.metrics.similarity import (
    ImageTextEncoder,
    Vectors,
    clip_score,
    regions,
    temporal_consistency,
)

LONG_SIDE = 592
"""px; larger pairs are shrunk to it, so that a table's rows have one scale and a pair its price.
The papers' local edits have this size."""

BLOCK = 8
"""Frames in memory per side."""

OTHER_MOTION = frozenset({"object_removal", "object_addition", "object_swap"})
"""Tasks that change what moves: Ewarp there follows the made side's own motion."""

NOT_FOOTAGE: dict[str, Side] = {
    **{name: "source" for name in TASKS if name.endswith("_to_video")},
    **{name: "target" for name in TASKS if name.endswith("_detection")},
    "object_grounding": "target",
    "inpainting": "source",
    "outpainting": "source",
}
"""The side that shows maps, flat colours or a hole: no flow can be read off it."""

KEEPS_OUTSIDE = frozenset({*OTHER_MOTION, "local_style_transfer", "inpainting", "outpainting"})
"""Tasks whose mask bounds what may change."""

MaskReader = Callable[[int, int], Masks]
"""Masks of `count` frames from `first` on, at the measured size."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be measured. `task` is empty where it is not known; `mask_reader` gives, for a
    height and width in px, a function that reads masks."""

    source: Path
    target: Path
    task: str = ""
    made: Side = "target"
    prompt: str = ""
    mask_reader: Callable[[int, int, int], MaskReader] | None = None


@dataclass(frozen=True, slots=True)
class PairMetrics:
    """`values` per metric, None where not measured; `reasons` says why not."""

    values: dict[str, float | None]
    reasons: dict[str, str]
    frames: int
    height: int  # px, as measured
    width: int


class Instruments:
    """What measuring takes, loaded once: an image-text encoder, an estimator of optical flow (for
    Ewarp), and LPIPS if it can be had."""

    def __init__(self, encoder: ImageTextEncoder, flow: FlowEstimator = DIS) -> None:
        self.encoder = encoder
        self.flow = flow
        self.lpips: Lpips | None = Lpips()
        self.without_lpips = ""

    def load(self) -> None:
        """Opens all weights. Raises EditmillError for the encoder's and the flow's; LPIPS may be
        done without."""
        self.encoder.load()
        self.flow.load()
        try:
            if self.lpips is not None:
                self.lpips.load()
        except EditmillError as error:
            self.lpips, self.without_lpips = None, str(error)


def measure(subject: Subject, tools: Instruments) -> PairMetrics:
    """Every metric of one pair.

    Raises BadInput for videos that cannot be read or do not belong together: `length_mismatch`,
    `shape_mismatch`.
    """
    frames, height, width = _common(subject)
    why = _unmeasured(subject, tools, frames)
    meter = _Meter(subject, tools, frozenset(METRICS) - frozenset(why))
    if meter.wanted:
        masks = None
        if subject.mask_reader is not None:
            masks = subject.mask_reader(frames, height, width)
        for block in _blocks(subject, (height, width), masks, frames):
            meter.add(*block)
    values = {name: meter.mean(name) for name in METRICS}
    reasons = {
        name: why.get(name, "nothing to measure in any frame")
        for name, value in values.items()
        if value is None
    }
    return PairMetrics(values, reasons, frames, height, width)


class _Meter:
    """Gathers the `wanted` metrics of one pair, block by block."""

    def __init__(self, subject: Subject, tools: Instruments, wanted: frozenset[str]) -> None:
        self.wanted = wanted
        self._subject = subject
        self._tools = tools
        self._text = tools.encoder.texts([subject.prompt])[0] if "clip_score" in wanted else None
        self._pieces: dict[str, list[PerFrame]] = {}
        self._last_visual: Vectors | None = None
        self._last: tuple[Frames, Frames] | None = None

    def add(self, source: Frames, target: Frames, masks: Masks | None) -> None:
        """The next frames [n, H, W, 3] of both sides, with their masks [n, H, W]."""
        made, other = (source, target) if self._subject.made == "source" else (target, source)
        if "mse" in self.wanted:
            self._compare(source, target, masks)
        if "ewarp" in self.wanted:
            self._follow(made, made if _own_motion(self._subject) else other)
        if self.wanted & {"temporal_consistency", "clip_score"}:
            self._encode(made, target, masks)

    def mean(self, name: str) -> float | None:
        """The metric so far; None if it is not wanted or no frame had it."""
        parts = self._pieces.get("temporal_consistency" if name == "tc" else name)
        found = mean(np.concatenate(parts)) if parts else None
        return 100 * found if found is not None and name in {"ta", "tc"} else found

    def _keep(self, name: str, values: PerFrame) -> None:
        self._pieces.setdefault(name, []).append(values)

    def _compare(self, source: Frames, target: Frames, masks: Masks | None) -> None:
        self._keep("mse", outside.mse(source, target, masks))
        self._keep("psnr", outside.psnr(source, target, masks))
        self._keep("bp", outside.l1(source, target, masks))
        self._keep("ssim", outside.ssim(source, target, masks))
        if self._tools.lpips is not None:
            self._keep("lpips", self._tools.lpips.distance(source, target, masks))

    def _follow(self, made: Frames, along: Frames) -> None:
        if self._last is not None:  # the step from the block before
            made, along = (
                np.concatenate([before, now])
                for before, now in zip(self._last, (made, along), strict=True)
            )
        self._last = made[-1:], along[-1:]
        self._keep("ewarp", _warp_errors(made, along, self._tools.flow))

    def _encode(self, made: Frames, target: Frames, masks: Masks | None) -> None:
        encoder = self._tools.encoder
        seen = encoder.images(list(made)) if made is target or self._wants_consistency else None
        if seen is not None and self._wants_consistency:
            visual = seen.visual
            if self._last_visual is not None:
                visual = np.concatenate([self._last_visual, visual])
            self._last_visual = visual[-1:]
            self._keep("temporal_consistency", temporal_consistency(visual))
        if self._text is None:
            return
        if seen is None or made is not target:
            seen = encoder.images(list(target))
        self._keep("clip_score", clip_score(seen.textual, self._text))
        if "ta" in self.wanted and masks is not None:
            for crop in regions(target, masks):  # of sizes of their own
                self._keep("ta", clip_score(encoder.images([crop]).textual, self._text))

    @property
    def _wants_consistency(self) -> bool:
        return "temporal_consistency" in self.wanted


def _common(subject: Subject) -> tuple[int, int, int]:
    """Frames, height and width at which the two sides are compared: the target's, shrunk."""
    _, target = sides.probe(subject.source, subject.target)
    scale = min(1.0, LONG_SIDE / max(target.height, target.width))
    return target.frames, round(target.height * scale), round(target.width * scale)


def _unmeasured(subject: Subject, tools: Instruments, frames: int) -> dict[str, str]:
    """Per metric that this pair cannot have, the reason."""
    why: dict[str, str] = {}
    if NOT_FOOTAGE.get(subject.task) == subject.made:
        for name in ("ewarp", "temporal_consistency", "tc"):
            why[name] = f"the made side of {subject.task} is no footage"
    elif frames < 2:
        for name in ("ewarp", "temporal_consistency", "tc"):
            why[name] = "a single frame"
    changes_all = subject.task and subject.task not in KEEPS_OUTSIDE
    if changes_all or subject.mask_reader is None:
        reason = f"{subject.task} may change every pixel" if changes_all else "no mask"
        for name in ("psnr", "ssim", "lpips", "mse", "bp", "ta"):
            why[name] = reason
    elif tools.lpips is None:
        why["lpips"] = tools.without_lpips
    if not subject.prompt:
        why["clip_score"] = why["ta"] = "no target prompt"
    return why


def _own_motion(subject: Subject) -> bool:
    """Whether Ewarp follows the made side's motion and not the other side's."""
    other = NOT_FOOTAGE.get(subject.task) == _other(subject.made)
    return other or subject.task in OTHER_MOTION


def _other(side: Side) -> Side:
    return "source" if side == "target" else "target"


def _blocks(
    subject: Subject, size: tuple[int, int], masks: MaskReader | None, frames: int
) -> Iterator[tuple[Frames, Frames, Masks | None]]:
    """Source, target and masks of BLOCK frames after another."""
    sides = [media.iter_frames(path, size=size) for path in (subject.source, subject.target)]
    for first in range(0, frames, BLOCK):
        count = min(BLOCK, frames - first)
        source, target = (np.stack(list(itertools.islice(side, count))) for side in sides)
        yield source, target, None if masks is None else masks(first, count)


def _warp_errors(made: Frames, along: Frames, estimator: FlowEstimator) -> PerFrame:
    """Ewarp of each step of `made`, along the motion of `along`."""
    errors = []
    steps = list(itertools.pairwise(along))
    forward = estimator.flows(steps)
    backward = estimator.flows([(y, x) for x, y in steps])
    for (a, b), ahead, back in zip(itertools.pairwise(made), forward, backward, strict=True):
        error = step_error(a, b, ahead, consistent(ahead, back))
        errors.append(np.nan if error is None else error)
    return np.array(errors, np.float64)
