"""What can be set about the swap. Defaults are set by hand: no bench measures swaps, beyond the
filters' verdicts on them (`infra/bench/results/embedded.md`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapSettings:
    """Settings of :class:`~experts.edit.swap.Swap`. Lightness and colour are in CIELAB, levels are
    of 255."""

    sampled_frames: int = 5
    """Frames, evenly over the clip, in which colours, blur and noise are measured; what follows
    from them holds for all frames, so that nothing flickers."""

    edge_px: float = 1.5
    """px of the edit over which the cut-out's alpha falls from 1 to 0."""

    inset_px: float = 0.8
    """px of its own clip by which the donor's outline is drawn in: segmenters draw it too wide."""

    light_transfer: float = 0.6
    """Share of the way from the colours around the donor to those around its new place."""

    max_lightness_shift: float = 14.0
    """Of L; more would change the object's own colour."""

    max_colour_shift: float = 7.0
    """Of a and of b, likewise."""

    contrast: tuple[float, float] = (0.8, 1.2)
    """Least and most by which the donor's lightness is scaled around its mean."""

    max_lift: float = 12.0
    """Of L, by which the donor's darkest parts are lifted at most: haze does so with distance."""

    max_blur: float = 2.5
    """px, the deviation of the Gaussian that is added at most."""

    max_noise: float = 4.0
    """Levels, the deviation of the noise that is added at most."""

    max_enlargement: float = 1.3
    """Of the donor's pixels; above it the donor is refused (`donor_small`)."""

    max_softness: float = 1.5
    """Ratio of the donor's blur to its new place's; above it the donor is refused (`donor_soft`),
    as what was lost cannot be restored."""

    max_outside: float = 0.05
    """Share of the cut-out's box outside the picture; above it the donor is refused
    (`out_of_picture`)."""

    min_difference: float = 14.0
    """Levels, mean over the cut-out; below it both sides practically show the same object, and the
    donor is refused (`alike`)."""

    narrow_px: int = 8
    """Inpainting is not noticed in strips up to twice this wide between the cut-out and the
    footage: looking at eight swaps, nobody found any."""

    opaque: float = 0.95
    """Alpha from which on the cut-out covers what is behind it."""
