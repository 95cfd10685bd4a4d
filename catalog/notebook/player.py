"""A pair as one small video for a notebook's cell: source, target and mask side by side.

They are panels of one video, since two video elements do not stay in step in a browser. The video
is a part of the notebook, so its size is bounded: what is too large is made smaller and coarser.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.errors import EditmillError
from catalog.keeping.erased import kept_path
from catalog.media.decode import read_masks, sample_frames
from catalog.media.encode import write_video
from catalog.media.geometry import crop_resize
from catalog.records import Pair
from catalog.storage.media import MediaStore

MAX_BYTES = 1_400_000
"""Of the video; in base64 a third more, so that a cell stays below 2 MB."""

ATTEMPTS = ((320, 72, 24), (256, 72, 30), (192, 48, 36), (128, 24, 42))
"""px of a panel's longer side, frames at most, and libx264's constant rate factor. The first, as in
the report, takes about 1 kB per frame and panel of street footage; the last fits whatever is
shown."""

GAP = 8  # px between two panels


@dataclass(frozen=True, slots=True)
class Player:
    """An MP4 of `width` × `height` px; each panel is `panel_width` px wide, `GAP` px apart."""

    video: bytes
    panels: tuple[str, ...]  # `source`, `target`, and `mask` where the pair has one
    width: int
    height: int
    panel_width: int


def player(pair: Pair, media: MediaStore) -> Player:
    """The pair's video, at the pair's speed.

    Longer pairs are thinned out evenly; sides of different size are shown at one. Raises BadInput
    where a video is missing or damaged.
    """
    panels = _panels(pair, media)
    rate = pair.target_fps / pair.target_frames  # of a video of one frame that lasts as long
    for long_side, most, crf in ATTEMPTS:
        shown = _side_by_side(list(panels.values()), long_side, most)
        video = _encode(shown, rate * len(shown), crf)
        if len(video) <= MAX_BYTES:
            height, width = shown.shape[1:3]
            panel_width = (width - GAP * (len(panels) - 1)) // len(panels)
            return Player(video, tuple(panels), width, height, panel_width)
    raise EditmillError(f"pair {pair.pair_id}: its video does not fit into a cell; open the files")


def _panels(pair: Pair, media: MediaStore) -> dict[str, NDArray[np.uint8]]:
    """Each [T, H, W, 3] at the first attempt's size; all have the same T."""
    long_side, most, _ = ATTEMPTS[0]
    count = min(max(pair.source_frames, pair.target_frames), most)
    path = kept_path(media)
    panels = {
        "source": sample_frames(path(pair.source_video), count, long_side),
        "target": sample_frames(path(pair.target_video), count, long_side),
    }
    if pair.mask:
        masks = read_masks(path(pair.mask), size=panels["target"].shape[1:3])
        masks = masks[np.rint(np.linspace(0, len(masks) - 1, count)).astype(int)]
        panels["mask"] = np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=3)
    return panels


def _side_by_side(panels: list[NDArray[np.uint8]], long_side: int, most: int) -> NDArray[np.uint8]:
    """One [T, H, W, 3] of all panels, at the size of the largest or at `long_side` px."""
    count, height, width = max((panel.shape[:3] for panel in panels), key=lambda shape: shape[2])
    scale = min(1.0, long_side / max(height, width))
    size = _even(height * scale), _even(width * scale)
    picked = np.rint(np.linspace(0, count - 1, min(count, most))).astype(int)
    gap = np.zeros((len(picked), size[0], GAP, 3), np.uint8)
    row: list[NDArray[np.uint8]] = []
    for panel in panels:
        row += (
            [gap, crop_resize(panel[picked], size)] if row else [crop_resize(panel[picked], size)]
        )
    return np.concatenate(row, axis=2)


def _even(side: float) -> int:
    """What 4:2:0 can hold."""
    return max(2, int(side) // 2 * 2)


def _encode(frames: NDArray[np.uint8], fps: float, crf: int) -> bytes:
    with tempfile.TemporaryDirectory(prefix="editmill-") as folder:
        video = Path(folder) / "pair.mp4"
        write_video(video, frames, fps, crf)
        return video.read_bytes()
