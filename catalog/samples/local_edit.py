"""Reading local-editing records: x, m, x̃ and y of one row, as a trainer wants them.

dataset = catalog.open("my-dataset", ref="v1")
for row in dataset.local_edits().collect().iter_rows(named=True):
    sample = read(dataset, row)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.keeping.erased import kept_path
from catalog.media import read_masks, read_video
from catalog.media.geometry import crop_resize
from catalog.query import Queries


@dataclass(frozen=True, slots=True)
class LocalSample:
    """`x` uint8 [T, H, W, 3] RGB and `m` bool [T, H, W], True where to edit; an image has T = 1.

    `captions` are short, medium and long; a deletion has one sentence in all three.
    """

    x: NDArray[np.uint8]
    m: NDArray[np.bool_]
    captions: tuple[str, str, str]

    @property
    def masked(self) -> NDArray[np.uint8]:
        """x̃ = x · (1 − m): black where to edit."""
        return np.where(self.m[..., None], np.uint8(0), self.x)


def read(catalog: Queries, row: Mapping[str, Any]) -> LocalSample:
    """The sample of a row of `local_edits`. Raises BadInput where its media cannot be read."""
    path = kept_path(catalog.media)
    first, count, size = row["first_frame"], row["frames"], (row["height"], row["width"])
    frames = read_video(path(row["video"]), first=first, count=count)
    return LocalSample(
        x=shown(frames, row["crop"], size),
        m=read_masks(path(row["mask"])),
        captions=(row["caption_short"], row["caption_medium"], row["caption_long"]),
    )


def shown(frames: NDArray[Any], crop: list[int], size: tuple[int, int]) -> NDArray[Any]:
    """What `crop` (x, y, width, height) shows of frames or masks, at `size` (height, width)."""
    x, y, width, height = crop
    return crop_resize(frames[:, y : y + height, x : x + width], size)
