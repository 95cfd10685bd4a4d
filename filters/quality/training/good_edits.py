"""Good edits with known truth, made from footage, for training the quality filter.

Removals and additions: an object is pasted onto footage, so that the footage itself is the truth of
its removal. Styles: what the stylizers make. What follows from footage by arithmetic is left out,
since filters.construction checks it. Pairs are made one at a time: together they would not fit into
memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from catalog.errors import BadInput
from catalog.media import probe, read_video
from experts.base import EditRequest, Frames, Masks
from experts.edit.style.materials import MATERIALS
from experts.edit.style.styles import STYLES
from experts.edit.tasks import expert_for
from filters.base import FRAMES, PairSample
from filters.quality.training.synthetic_masks import object_masks, translated_masks

MADE_BY_EXPERTS = ("global_style_transfer", "local_style_transfer")
"""Tasks whose good edits are made by their experts, and so change with them."""

_COLOURS = ("red", "blue", "green", "yellow", "purple", "turquoise")


@dataclass(frozen=True, slots=True)
class GoodEdits:
    """Makes good pairs from videos. All figures are choices, made so that the pairs resemble those
    of a build, unless another source is named.

    - `windows` clips are taken from each video, one from each of as many equal parts: none overlap
    - `strides`: frames between two that are taken, drawn per clip; 17 frames then cover the 33 of
      a local edit or the 65 of a longer one
    - `crops` of each clip, each at least `least_crop` of its sides, are edited: more scenes from
      few sources
    - `long_side`, px: size at which footage is read; features are taken at about 210
    - `slight_noise`, levels of 255: standard deviation of harmless noise laid on half the removals
    - `static_share` of the removals are from a scene in which nothing else moves, as fixed cameras
      see it: there a static fill is right
    - `camera_noise`, levels of 255: least and greatest standard deviation of such a camera's noise
    """

    windows: int = 6
    strides: tuple[int, ...] = (2, 4)
    crops: int = 2
    least_crop: float = 0.6
    long_side: int = 360
    slight_noise: float = 1.2
    static_share: float = 0.5
    camera_noise: tuple[float, float] = (0.5, 2.5)

    def pairs(
        self, videos: Sequence[tuple[str, Path]], seed: int
    ) -> Iterator[tuple[str, PairSample]]:
        """Good pairs of all task groups from videos (source id, path), each with its clip's id."""
        for number, (source_id, path) in enumerate(videos):
            for k in range(self.windows):
                rng = np.random.default_rng((seed, number, k))
                frames = self._window(path, k, rng)
                for part in range(self.crops):
                    turn = number + k + part
                    crop = self._crop(frames, rng)
                    for pair in self._edits(crop, k + part, turn, part == 0, rng):
                        yield f"{source_id}:{k}", dataclasses.replace(pair, source_id=source_id)

    def _edits(
        self, frames: Frames, window: int, turn: int, styled: bool, rng: np.random.Generator
    ) -> Iterator[PairSample]:
        """Edits of one crop. `turn` picks among tasks; painted styles, which are slow, are only
        made where `styled`."""
        yield self._removal(frames, window, rng)[turn % 2]
        yield from _local_styles(frames, turn, rng, painted=styled and turn % 2 == 1)
        if styled:
            style = str(rng.choice([s.name for s in STYLES]))
            made = _made("global_style_transfer", frames, None, rng, style=style).frames
            yield PairSample("global_style_transfer", frames, made, made="target")

    def _window(self, path: Path, k: int, rng: np.random.Generator) -> Frames:
        """FRAMES frames from the k-th part of the video."""
        info = probe(path)
        part = (info.frames or FRAMES * self.windows) // self.windows
        stride = max(1, min(int(rng.choice(self.strides)), (part - 1) // (FRAMES - 1)))
        first = k * part + int(rng.integers(max(1, part - (FRAMES - 1) * stride)))
        scale = min(1.0, self.long_side / max(info.width, info.height))
        size = round(info.height * scale) // 2 * 2, round(info.width * scale) // 2 * 2
        frames = read_video(path, first, FRAMES, stride, size)
        return frames[np.minimum(np.arange(FRAMES), len(frames) - 1)]

    def _crop(self, frames: Frames, rng: np.random.Generator) -> Frames:
        """A part of the picture, mirrored as often as not; its sides are multiples of 8 px."""
        height, width = frames.shape[1:3]
        h, w = (int(side * rng.uniform(self.least_crop, 1)) // 8 * 8 for side in (height, width))
        y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
        part = frames[:, y : y + h, x : x + w]
        return np.ascontiguousarray(part[:, :, ::-1] if rng.random() < 0.5 else part)

    def _removal(
        self, frames: Frames, turn: int, rng: np.random.Generator
    ) -> tuple[PairSample, PairSample]:
        """The footage as the removal of an object pasted onto it, and the same as an addition."""
        static = rng.random() < self.static_share
        scene = frames[:1]
        if static:
            frames = self._as_fixed_camera(frames, rng)
        masks = translated_masks(object_masks(scene, rng)[0], len(frames), rng)
        pasted = paste(frames, masks, rng)
        # A remover's mask is wider than its object, whose outline is seldom found exactly.
        brush = np.ones([2 * int(rng.integers(1, 5)) + 1] * 2, np.uint8)
        masks = np.stack([cv2.dilate(m.astype(np.uint8), brush) for m in masks]) > 0
        clean = frames if turn % 2 else self._slightly_off(frames, masks, rng)
        if static:  # a remover takes the mean of many frames there: no noise is left
            clean = np.where(masks[..., None], scene, frames)
        removal = PairSample("object_removal", pasted, clean, masks, made="target")
        return removal, PairSample("object_addition", clean, pasted, masks, made="source")

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


def _made(
    task: str, frames: Frames, masks: Masks | None, rng: np.random.Generator, **params: Any
) -> Any:
    expert = expert_for(task)
    expert.load()
    seed = int(rng.integers(2**31))
    return expert.edit(EditRequest(task, frames, masks, label="object", seed=seed, params=params))


def _local_styles(
    frames: Frames, turn: int, rng: np.random.Generator, painted: bool
) -> Iterator[PairSample]:
    """A new colour or material for a patch of the footage and, if `painted`, a style."""
    masks = object_masks(frames, rng)
    style = {"kind": "style", "style": str(rng.choice([s.name for s in STYLES]))}
    plain = [
        {"kind": "color", "color": str(rng.choice(_COLOURS))},
        {"kind": "material", "material": str(rng.choice(list(MATERIALS)))},
    ][turn % 2]
    for params in [plain] + [style] * painted:
        with contextlib.suppress(BadInput):  # the region has that colour already
            made = _made("local_style_transfer", frames, masks, rng, **params).frames
            yield PairSample("local_style_transfer", frames, made, masks, made="target")


def paste(frames: Frames, masks: Masks, rng: np.random.Generator) -> Frames:
    """Frames [T, h, w, 3] with an object laid over them inside the masks, with a soft edge.

    The object is the footage itself upside down, enlarged, backwards in time and in other colours.
    Another clip's pixels would tie the two clips, and one might be trained on, the other tested.
    """
    gain, order = rng.uniform(0.7, 1.3, 3), rng.permutation(3)
    size = frames.shape[2], frames.shape[1]
    out = []
    for frame, mask, other in zip(frames, masks, frames[::-1], strict=True):
        middle = other[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4]
        piece = cv2.resize(middle[::-1, :, order], size).astype(np.float32) * gain
        soft = (cv2.blur(mask.astype(np.float32), (3, 3)) * mask)[..., None]
        out.append(np.clip(np.rint(frame + soft * (piece - frame)), 0, 255).astype(np.uint8))
    return np.stack(out)
