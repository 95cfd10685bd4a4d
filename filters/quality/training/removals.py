"""Removals and swaps with known truth: an object is pasted onto footage, which is behind it.

A right one shows the footage. Others are the remover's own results, labelled by how far they are
from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from experts.base import EditRequest, Frames, Masks
from experts.edit.tasks import expert_for
from filters.base import PairFrames
from filters.quality.training.synthetic_masks import object_masks, translated_masks

RIGHT_DB, WRONG_DB = 24.0, 17.0
"""PSNR within the mask from which a remover's result counts as right, and up to which as wrong. In
between nobody could say; such results are left out. Choices."""

POOR_FILL = "poor_fill"
"""Kind of a remover's result that is far from the truth."""


@dataclass(frozen=True, slots=True)
class Composites:
    """Makes them from footage uint8 [T, h, w, 3]. All figures are choices.

    - `static_share` are of a scene in which nothing else moves, as fixed cameras see it: there a
      static fill is right
    - `camera_noise`, levels of 255: least and greatest standard deviation of such a camera's noise
    - `slight_noise`, levels of 255: standard deviation of harmless noise laid on half the fills
    - `areas`: shares of the frame that objects cover, up to a person close to the camera
    """

    static_share: float = 0.2
    camera_noise: tuple[float, float] = (0.5, 2.5)
    slight_noise: float = 1.2
    areas: tuple[float, float] = (0.008, 0.2)

    def removal(
        self, frames: Frames, turn: int, rng: np.random.Generator
    ) -> tuple[PairFrames, PairFrames]:
        """The footage as the removal of an object pasted onto it, and the same as an addition."""
        static = rng.random() < self.static_share
        scene = frames[:1]
        if static:
            frames = self._as_fixed_camera(frames, rng)
        masks = self._masks(frames, rng)
        pasted = paste(frames, masks, rng)
        masks = widened(masks, rng)
        clean = frames if turn % 2 else self._slightly_off(frames, masks, rng)
        if static:  # a remover takes the mean of many frames there: no noise is left
            clean = np.where(masks[..., None], scene, frames)
        removal = PairFrames("object_removal", pasted, clean, masks, made="target")
        return removal, PairFrames("object_addition", clean, pasted, masks, made="source")

    def swap(self, frames: Frames, rng: np.random.Generator) -> PairFrames:
        """One pasted object for another, as a swap makes it: the other one has its own outline,
        which sways, and stands in the first one's place; around it shows what is behind both."""
        masks = self._masks(frames, rng)
        real = paste(frames, masks, rng, tracked=True)
        outline = object_masks(frames[:1], rng, areas=self.areas)[0]
        others = in_place_of(masks, outline, rng)
        behind = frames if rng.random() < 0.5 else self._slightly_off(frames, masks, rng)
        made = paste(behind, others, rng, tracked=True)
        return PairFrames("object_swap", made, real, widened(masks | others, rng), made="source")

    def removed(self, frames: Frames, rng: np.random.Generator) -> tuple[PairFrames, bool | None]:
        """A remover's result, and whether it is right; None where nobody could say."""
        first = object_masks(frames[:1], rng, areas=self.areas)[0]
        masks = translated_masks(first, len(frames), rng, static=0)  # what is behind can be known
        pasted = paste(frames, masks, rng)
        expert = expert_for("object_removal")
        expert.load()
        result = expert.edit(EditRequest("object_removal", pasted, widened(masks, rng)))
        holes = masks if result.masks is None else result.masks
        pair = PairFrames("object_removal", pasted, result.frames, holes, made="target")
        error = float(((result.frames[masks].astype(np.float32) - frames[masks]) ** 2).mean())
        psnr = 10 * np.log10(255**2 / max(error, 1e-6))
        right = True if psnr >= RIGHT_DB else False if psnr <= WRONG_DB else None
        return pair, right

    def _masks(self, frames: Frames, rng: np.random.Generator) -> Masks:
        first = object_masks(frames[:1], rng, areas=self.areas)[0]
        return translated_masks(first, len(frames), rng)

    def _as_fixed_camera(self, frames: Frames, rng: np.random.Generator) -> Frames:
        """The first frame for all time, under a camera's own noise."""
        deviation = rng.uniform(*self.camera_noise)
        noise = rng.normal(0, deviation, frames.shape).astype(np.float32)
        return np.clip(np.rint(frames[:1] + noise), 0, 255).astype(np.uint8)

    def _slightly_off(self, frames: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
        """As imperfect inside the masks as a good result is: a little soft and noisy, above
        30 dB PSNR."""
        soft = np.stack([cv2.GaussianBlur(f, (0, 0), 0.6) for f in frames])
        noisy = soft + rng.normal(0, self.slight_noise, frames.shape)
        changed = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        return np.where(masks[..., None], changed, frames)


def widened(masks: Masks, rng: np.random.Generator) -> Masks:
    """A mask is wider than its object, whose outline is seldom found exactly."""
    brush = np.ones([2 * int(rng.integers(1, 6)) + 1] * 2, np.uint8)
    return np.stack([cv2.dilate(m.astype(np.uint8), brush) for m in masks]) > 0


def in_place_of(masks: Masks, outline: NDArray[np.bool_], rng: np.random.Generator) -> Masks:
    """The object of `outline` [h, w] where that of `masks` [T, h, w] is, foot on foot, as high and
    wide within 15 %. It leans to and fro as what walks does, by up to a sixth of its width."""
    ys, xs = np.nonzero(outline)
    piece = outline[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].astype(np.float32)
    height, width = np.ptp(np.argwhere(masks[0]), axis=0) + 1
    scale_y, scale_x = rng.uniform(0.85, 1.15, 2) * (height, width) / piece.shape
    lean, phase = rng.uniform(0, 0.16) * width, rng.uniform(0, 2 * np.pi)
    pace = 2 * np.pi / rng.uniform(5, 12)  # frames
    out = np.zeros_like(masks)
    for t, mask in enumerate(masks):
        rows, columns = np.nonzero(mask)
        shear = lean * np.sin(pace * t + phase) / piece.shape[0]
        middle = (columns.min() + columns.max()) / 2 - scale_x * piece.shape[1] / 2
        bottom = rows.max() + 1 - scale_y * piece.shape[0]
        matrix = np.array([[scale_x, shear, middle], [0, scale_y, bottom]], np.float32)
        out[t] = cv2.warpAffine(piece, matrix, masks.shape[:0:-1]) > 0.5
    return out if out.any((1, 2)).all() else masks


def paste(
    frames: Frames, masks: Masks, rng: np.random.Generator, *, tracked: bool = False
) -> Frames:
    """Frames [T, h, w, 3] with an object laid over them inside the masks, with a soft edge.

    The object is the footage itself upside down, enlarged, backwards in time and in other colours,
    now and then dark as clothes are. If `tracked`, it moves along with the masks, and two of three
    keep the footage's colours, as the objects of a swap do. Another clip's pixels would tie the two
    clips, and one might be trained on, the other tested.
    """
    gain, order = rng.uniform(0.7, 1.3, 3), rng.permutation(3)
    gain *= rng.choice([1.0, 1.0, 0.4])
    if tracked and rng.random() < 2 / 3:
        gain, order = np.full(3, gain.mean()), np.arange(3)
    size = frames.shape[2], frames.shape[1]
    steps = _steps(masks) if tracked else None
    out = []
    for t, (frame, mask, other) in enumerate(zip(frames, masks, frames[::-1], strict=True)):
        middle = other[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4]
        piece = cv2.resize(middle[::-1, :, order], size).astype(np.float32) * gain
        if steps is not None:
            piece = np.roll(piece, steps[t], (0, 1))
        soft = (cv2.blur(mask.astype(np.float32), (3, 3)) * mask)[..., None]
        out.append(np.clip(np.rint(frame + soft * (piece - frame)), 0, 255).astype(np.uint8))
    return np.stack(out)


def _steps(masks: Masks) -> NDArray[np.int64]:
    """[T, 2], px down and across: how far masks [T, h, w] have moved since the first."""
    middles = np.array([np.argwhere(m).mean(0) for m in masks])
    return np.rint(middles - middles[0]).astype(np.int64)
