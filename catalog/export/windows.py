"""The files of a local-editing record: its x, cut out of the clip, and an image's mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.export.files import Media, found


@dataclass(frozen=True, slots=True)
class Window:
    """x of a local-editing record (`catalog.records.LocalEdit`) as an MP4, or as a PNG where the
    path says so."""

    path: str
    ref: str
    first: int
    frames: int
    fps: float
    crop: tuple[int, int, int, int]  # x, y, width, height, px of the clip
    size: tuple[int, int]
    what: str = "re-encoded video"

    @classmethod
    def of(cls, row: Mapping[str, Any], path: str) -> Window:
        return cls(
            path, row["video"], row["first_frame"], row["frames"], row["fps"],
            tuple(row["crop"]), (row["height"], row["width"]),
            "picture" if path.endswith(".png") else "re-encoded video",
        )  # fmt: skip

    def write(self, final: Path, media: Media) -> None:
        from catalog.local_edits import shown
        from catalog.media import iter_frames, write_video
        from catalog.media.image import write_png

        frames = (
            shown(frame[None], list(self.crop), self.size)[0]
            for frame in iter_frames(found(media(self.ref)), self.first, self.frames)
        )
        if self.what == "picture":
            write_png(final, next(frames))
        else:
            write_video(final, frames, self.fps)


@dataclass(frozen=True, slots=True)
class MaskStill:
    """The first mask of a track as a PNG, white where it is set."""

    path: str
    ref: str
    what: str = "mask"

    def write(self, final: Path, media: Media) -> None:
        import numpy as np

        from catalog.media import read_masks
        from catalog.media.image import write_png

        (mask,) = read_masks(found(media(self.ref)), count=1)
        write_png(final, np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2))
