"""Edits made from footage for training the quality filter, each with what is known of it.

Removals, additions and swaps: an object is pasted onto footage, so that the footage itself is the
truth (filters.quality.training.removals). Styles: what the stylizers make. What follows from
footage by arithmetic is left out, since filters.construction checks it. Pairs are made one at a
time: together they would not fit into memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from catalog.errors import BadInput
from catalog.media import probe, read_video
from experts.base import EditRequest, Frames, Masks
from experts.edit.style.materials import MATERIALS
from experts.edit.style.styles import STYLES
from experts.edit.tasks import expert_for
from filters.base import FRAMES, PairFrames
from filters.quality.training.filming import filmed
from filters.quality.training.removals import POOR_FILL, Composites
from filters.quality.training.synthetic_masks import object_masks
from filters.quality.training.training_set import GOOD

MADE_BY_EXPERTS = ("global_style_transfer", "local_style_transfer", "object_removal")
"""Tasks whose edits, or some of them, are made by their experts, and so change with them."""

_COLOURS = ("red", "blue", "green", "yellow", "purple", "turquoise")


def expert_versions() -> dict[str, str]:
    """By task of MADE_BY_EXPERTS, its expert's version."""
    return {task: expert_for(task).version for task in MADE_BY_EXPERTS}


@dataclass(frozen=True, slots=True)
class GoodEdits:
    """Makes pairs from videos. All figures are choices, made so that the pairs resemble those of a
    build, unless another source is named.

    - `windows` clips are taken from each video, one from each of as many equal parts: none overlap
    - `strides`: frames between two that are taken, drawn per clip; 17 frames then cover the 33 of
      a local edit or the 65 of a longer one
    - `crops` of each clip, each at least `least_crop` of its sides, are edited: more scenes from
      few sources
    - `long_side`, px: size at which footage is read, as filters see it, but for what crops take
    - styles, which are slow, are painted on every `styled_every`-th clip, and the remover, which is
      slower, is asked on every `removed_every`-th
    - `composites`: how removals and swaps are made
    """

    windows: int = 6
    styled_every: int = 2
    removed_every: int = 3
    strides: tuple[int, ...] = (2, 4)
    crops: int = 2
    least_crop: float = 0.7
    long_side: int = 480
    composites: Composites = field(default_factory=Composites)

    def pairs(
        self, videos: Sequence[tuple[str, Path]], seed: int
    ) -> Iterator[tuple[str, str, PairFrames]]:
        """Pairs of all task groups from videos (source id, path): the clip's id, the kind (GOOD, or
        what is wrong with it), the pair."""
        for source_id, path in videos:
            number = zlib.crc32(source_id.encode())  # a source's pairs are the same in any company
            for k in range(self.windows):
                rng = np.random.default_rng((seed, number, k))
                frames = self._window(path, k, rng)
                for part in range(self.crops):
                    turn = number % 2 + k + part
                    crop = self._crop(frames, rng)
                    crop = filmed(crop, rng)
                    for kind, pair in self._edits(crop, k, turn, part == 0, rng):
                        pair = dataclasses.replace(pair, source_id=source_id)
                        yield f"{source_id}:{k}", kind, pair

    def _edits(
        self, frames: Frames, window: int, turn: int, first: bool, rng: np.random.Generator
    ) -> Iterator[tuple[str, PairFrames]]:
        """Edits of one crop. `turn` picks among tasks; what experts make is only made of the
        `first` crop of a clip."""
        yield GOOD, self.composites.removal(frames, window, rng)[turn % 2]
        if not first:
            yield GOOD, self.composites.swap(frames, rng)
            return
        if window % self.styled_every == 0:
            for pair in _local_styles(frames, turn, rng, painted=turn % 2 == 1):
                yield GOOD, pair
            style = str(rng.choice([s.name for s in STYLES]))
            made = _made("global_style_transfer", frames, None, rng, style=style).frames
            yield GOOD, PairFrames("global_style_transfer", frames, made, made="target")
        if window % self.removed_every == 0:
            removed, right = self.composites.removed(frames, rng)
            if right is not None:
                yield GOOD if right else POOR_FILL, removed

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


def _made(
    task: str, frames: Frames, masks: Masks | None, rng: np.random.Generator, **params: Any
) -> Any:
    expert = expert_for(task)
    expert.load()
    seed = int(rng.integers(2**31))
    return expert.edit(EditRequest(task, frames, masks, label="object", seed=seed, params=params))


def _local_styles(
    frames: Frames, turn: int, rng: np.random.Generator, painted: bool
) -> Iterator[PairFrames]:
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
            yield PairFrames("local_style_transfer", frames, made, masks, made="target")
