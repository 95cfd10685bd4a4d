"""VIVID-style trainers: local-editing records (x, m, captions), listed as JSON Lines.

x̃ = x · (1 − m) is stored nowhere: a loader makes it of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.export.files import File, Original, json_lines
from catalog.export.format import Format, Record, Split
from catalog.export.shapes import Needs
from catalog.export.windows import MaskStill, Window

COLUMNS = ("label", "mask_kind", "propagation", "licence", "source_uri")


class Vivid(Format):
    """Videos as MP4 with an FFV1 mask track, images as two PNGs."""

    name = "vivid"
    reader = "trainers of VIVID's local editing"
    writes = "metadata.jsonl, x/, m/"
    rows = "local_edits"
    needs = Needs()
    notes = (
        "x is `video`, m is `mask`, white where to edit; the masked input is x · (1 − m).",
        "`mask_kind` says which of the six kinds m is; a deletion has one sentence for all three "
        "captions.",
        "Paths are relative to the folder that the JSON Lines lie in.",
    )

    def files(self, split: Split) -> Iterator[File]:
        for record in split:
            row, (x, m) = record.row, _names(record)
            yield Window.of(row, f"{split.name}/{x}")
            if _is_image(record):
                yield MaskStill(f"{split.name}/{m}", row["mask"])
            else:
                yield Original(f"{split.name}/{m}", row["mask"], "mask")
        yield json_lines(f"{split.name}/metadata.jsonl", lambda: map(_entry, split))


def _names(record: Record) -> tuple[str, str]:
    suffixes = ("png", "png") if _is_image(record) else ("mp4", "mkv")
    return f"x/{record.id}.{suffixes[0]}", f"m/{record.id}.{suffixes[1]}"


def _is_image(record: Record) -> bool:
    return record.row["subset"] == "image"


def _entry(record: Record) -> dict[str, Any]:
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
