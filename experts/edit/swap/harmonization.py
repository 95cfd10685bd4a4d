"""Image harmonization: makes a cut-out match its new surroundings in colour, blur and noise.

Mean and contrast of CIELAB are transferred as by Reinhard et al. ("Color Transfer between Images",
IEEE CG&A 2001), from the donor's surroundings to the place's, so that the object keeps its own
colours; only part of the way, since surroundings differ in more than light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.base import Frames, Masks
from experts.edit.image_statistics import (
    ColourStatistics,
    blur_of,
    colour_statistics,
    lab,
    noise_of,
    rgb,
    surroundings,
)
from experts.edit.matte import Image
from experts.edit.swap.compositing import Layer, cut_out, occupied
from experts.edit.swap.settings import SwapSettings
from experts.edit.swap.trajectory import Placement
from experts.masks.geometry import Mask


@dataclass(frozen=True, slots=True)
class Harmonization:
    """What is done to the cut-out in every frame; CIELAB, px and levels of 255."""

    shift: NDArray[np.float32]  # [3], added to L, a and b
    middle: float  # L around which lightness is scaled
    contrast: float  # factor of that
    dark: float  # L of the darkest parts after shift and contrast
    lift: float  # L added to them, less to lighter ones
    blur: float
    noise: float

    def apply(self, layer: Layer) -> Layer:
        """The layer in the place's light and as blurred as it; noise is added after compositing."""
        lit = np.where(layer.alpha[..., None] > 0, layer.colours, 0.0)
        top, bottom, left, right = occupied(layer.alpha, 8)
        part = self._relit(lit[top:bottom, left:right])
        weight = layer.alpha[top:bottom, left:right]
        if self.blur > 0.3:  # less is not visible
            soft = cv2.GaussianBlur(
                np.dstack([part * weight[..., None], weight]), (0, 0), self.blur
            )
            part, weight = soft[..., :3] / np.maximum(soft[..., 3:], 1e-3), soft[..., 3]
            weight[weight < 1 / 255] = 0.0
        colours, alpha = np.zeros_like(layer.colours), np.zeros_like(layer.alpha)
        colours[top:bottom, left:right], alpha[top:bottom, left:right] = part, weight
        return Layer(colours, alpha)

    def _relit(self, colours: Image) -> Image:
        values = lab(np.clip(np.rint(colours), 0, 255).astype(np.uint8))
        lightness = self.middle + self.contrast * (values[..., 0] - self.middle) + self.shift[0]
        headroom = max(100.0 - self.dark, 1.0)
        lift = self.lift * np.clip((100.0 - lightness) / headroom, 0, 1)
        values[..., 0] = np.clip(lightness + lift, 0, 100)
        values[..., 1:] += self.shift[1:]
        return rgb(values)


UNCHANGED = Harmonization(np.zeros(3, np.float32), 50.0, 1.0, 0.0, 0.0, 0.0, 0.0)
"""What suits a donor that the same camera filmed: its light and sharpness are the place's. Measured
they would differ by what happens to be around the two, a lawn and a road."""


def harmonization(
    frames: Frames,
    masks: Masks,
    donor_frames: Frames,
    donor_masks: Masks,
    placements: Sequence[Placement],
    settings: SwapSettings,
) -> Harmonization:
    """What fits another camera's donor to the place of the object of `masks` [T, H, W] in `frames`
    [T, H, W, 3], measured over some of the frames. Raises BadInput (`donor_soft`)."""
    count = len(frames)
    spaced = np.linspace(0, count - 1, settings.sampled_frames).round().astype(int)
    sampled = sorted(set(spaced.tolist()))

    def measured(
        pictures: Frames, objects: Masks, region: Callable[[Mask], Mask]
    ) -> ColourStatistics | None:
        pixels = [lab(pictures[t])[region(objects[t])] for t in sampled]
        return colour_statistics(np.concatenate(pixels))

    def itself(mask: Mask) -> Mask:
        return mask

    place_around = measured(frames, masks, surroundings)
    donor_around = measured(donor_frames, donor_masks, surroundings)
    replaced, donor = measured(frames, masks, itself), measured(donor_frames, donor_masks, itself)
    blur, noise = _texture(frames, masks, donor_frames, donor_masks, placements, sampled, settings)
    if place_around is None or donor_around is None or replaced is None or donor is None:
        return Harmonization(np.zeros(3, np.float32), 50.0, 1.0, 0.0, 0.0, blur, noise)
    limits = np.array(
        [settings.max_lightness_shift, settings.max_colour_shift, settings.max_colour_shift],
        np.float32,
    )
    shift = settings.light_transfer * (place_around.mean - donor_around.mean)
    shift = np.clip(shift, -limits, limits)
    deviations = (max(float(around.deviation[0]), 1.0) for around in (place_around, donor_around))
    contrast = float(np.clip(np.sqrt(next(deviations) / next(deviations)), *settings.contrast))
    middle = float(donor.mean[0])
    dark = middle + contrast * (donor.dark - middle) + float(shift[0])
    lift = float(np.clip(min(place_around.dark, replaced.dark) - dark, 0.0, settings.max_lift))
    return Harmonization(shift, middle, contrast, dark, lift, blur, noise)


def _texture(
    frames: Frames,
    masks: Masks,
    donor_frames: Frames,
    donor_masks: Masks,
    placements: Sequence[Placement],
    sampled: Sequence[int],
    settings: SwapSettings,
) -> tuple[float, float]:
    """Blur (px) and noise (levels) that the cut-out lacks in its new place."""
    figures = []
    for t in sampled:
        layer = cut_out(donor_frames[t], donor_masks[t], placements[t], frames.shape[1:3], settings)
        placed = frames[t] + layer.alpha[..., None] * (layer.colours - frames[t])
        patch, inside = np.rint(placed).astype(np.uint8), layer.alpha > settings.opaque
        around = masks[t] | surroundings(masks[t])
        figures.append(
            (
                blur_of(frames[t], around),
                blur_of(patch, inside),
                noise_of(frames[t], around),
                noise_of(patch, inside),
            )
        )
    place_blur, donor_blur, place_noise, donor_noise = np.median(figures, axis=0)
    if donor_blur > settings.max_softness * place_blur:
        raise BadInput(
            "donor_soft",
            f"the donor is softer ({donor_blur:.1f} px) than its new place ({place_blur:.1f} px); "
            "choose one that was filmed larger or sharper",
        )
    blur = np.sqrt(max(place_blur**2 - donor_blur**2, 0.0))
    noise = np.sqrt(max(place_noise**2 - donor_noise**2, 0.0))
    return float(min(blur, settings.max_blur)), float(min(noise, settings.max_noise))
