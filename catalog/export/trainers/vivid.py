"""VIVID-style trainers: local-editing records (x, m, captions), listed as JSON Lines.

x̃ = x · (1 − m) is stored nowhere: a loader makes it of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.export.files import ExportFile, Media, Original, json_lines
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.shapes import VideoNeeds

COLUMNS = ("label", "mask_kind", "propagation", "licence", "source_uri")


class Vivid(Format):
    """Videos as MP4 with an FFV1 mask track, images as two PNGs."""

    name = "vivid"
    reader = "trainers of VIVID's local editing"
    writes = "metadata.jsonl, x/, m/"
    rows = "local_edits"
    needs = VideoNeeds()
    notes = (
        "x is `video`, m is `mask`, white where to edit; the masked input is x · (1 − m).",
        "`mask_kind` says which of the six kinds m is; a deletion has one sentence for all three "
        "captions.",
        "Paths are relative to the folder that the JSON Lines lie in.",
    )

    def files(self, split: Split) -> Iterator[ExportFile]:
        for record in split:
            row, (x, m) = record.row, _names(record)
            yield LocalEditWindow.of(row, f"{split.name}/{x}")
            if _is_image(record):
                yield MaskStill(f"{split.name}/{m}", row["mask"])
            else:
                yield Original(f"{split.name}/{m}", row["mask"], "mask")
        yield json_lines(f"{split.name}/metadata.jsonl", lambda: map(_entry, split))


def _names(record: ExportRecord) -> tuple[str, str]:
    suffixes = ("png", "png") if _is_image(record) else ("mp4", "mkv")
    return f"x/{record.id}.{suffixes[0]}", f"m/{record.id}.{suffixes[1]}"


def _is_image(record: ExportRecord) -> bool:
    return record.row["subset"] == "image"


def _entry(record: ExportRecord) -> dict[str, Any]:
    row, (x, m) = record.row, _names(record)
    entry = {
        "id": record.id,
        "video": x,
        "mask": m,
        "task": row["task"],
        "is_image": _is_image(record),
        **{f"caption_{length}": row[f"caption_{length}"] for length in ("short", "medium", "long")},
        **{column: row[column] for column in COLUMNS},
        "frames": row["frames"],
        "fps": row["fps"],
        "width": row["width"],
        "height": row["height"],
    }
    return {key: value for key, value in entry.items() if value not in ("", None)}


@dataclass(frozen=True, slots=True)
class LocalEditWindow:
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
    def of(cls, row: Mapping[str, Any], path: str) -> LocalEditWindow:
        return cls(
            path, row["video"], row["first_frame"], row["frames"], row["fps"],
            tuple(row["crop"]), (row["height"], row["width"]),
            "picture" if path.endswith(".png") else "re-encoded video",
        )  # fmt: skip

    def write(self, final: Path, media: Media) -> None:
        from catalog.media import iter_frames, write_video
        from catalog.media.image import write_png
        from catalog.samples.local_edit import shown

        frames = (
            shown(frame[None], list(self.crop), self.size)[0]
            for frame in iter_frames(media.find(self.ref), self.first, self.frames)
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

        (mask,) = read_masks(media.find(self.ref), count=1)
        write_png(final, np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2))
