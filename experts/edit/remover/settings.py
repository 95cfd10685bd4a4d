"""What can be set about the remover. Defaults are set by hand and measured by
`infra/bench/removal/run.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

from experts.edit.remover.shadow import ShadowDetector
from experts.edit.remover.stacking import GridSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoverSettings:
    """Settings of :class:`~experts.edit.remover.Remover`; frame offsets count to both sides."""

    dilation: float = 0.008
    """How far masks are grown, share of the longer side (5 px at 592): an object's soft edge, its
    motion blur and codec ringing lie outside the mask a segmenter draws."""

    feather_px: int = 3
    """The fill reaches this far beyond its hole and fades into the frame there, so that what
    brightness, a soft shadow or the codec leave of a step shows no edge."""

    coarse_offsets: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 17, 24)
    """Frames sampled in the first pass, at half the size, which only serves to measure the flow
    again."""

    offsets: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 32, 42, 56, 75, 100)
    """Frames sampled in the second pass: near ones are the most alike, far ones see behind the
    object."""

    agreement_px: float = 2.0
    """Deviation of the Gaussian over which a pixel's variance is averaged before the flows are
    compared by it."""

    held_out: int = 2
    """Places beside the hole that are hidden on purpose, to learn which candidates to believe."""

    held_out_every: tuple[int, int] = (3, 2)
    """Of those places every third frame, and every second row and column of it, is predicted."""

    grid: GridSettings = field(default_factory=GridSettings)
    """Over which the candidates' errors are averaged."""

    painted_frames: int = 5
    """Most frames per clip that the inpainting network paints, at about a second each."""

    shadow: ShadowDetector = field(default_factory=ShadowDetector)
    """Finds the object's shadow, which is removed with it."""
