"""Hugging Face `datasets`: a video folder, that is Parquet beside the media, loaded without a
script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.export.files import ExportFile, Parquet
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.pairs.facts import COLUMNS
from catalog.export.shapes import VideoNeeds

FIGURES = ("frames", "fps", "width", "height")


class HuggingFace(Format):
    """Columns `source_video`, `target_video` and `mask` are of the feature type Video."""

    name = "huggingface"
    reader = "Hugging Face datasets"
    writes = "metadata.parquet, source/, target/"
    mask_writes = "mask/"
    hub = "**"
    needs = VideoNeeds()
    notes = (
        '`datasets.load_dataset("DIR")` gives the splits; decoding needs `torchcodec`, or '
        "`cast_column(…, Video(decode=False))` for paths.",
        "`mask` is null where a task has none, and white where the edit is (FFV1, lossless).",
    )

    def files(self, split: Split) -> Iterator[ExportFile]:
        for record in split:
            yield from record.videos(split.name)
            if record.has_mask:
                yield record.mask(split.name)
        yield Parquet(f"{split.name}/metadata.parquet", lambda: map(_row, split))


def _row(record: ExportRecord) -> dict[str, Any]:
    """Every row has every column, so that all splits have one schema; `*_file_name` is what a
    video folder calls a path."""
    row = record.row
    return {
        "source_video_file_name": record.name("source"),
        "target_video_file_name": record.name("target"),
        "mask_file_name": record.mask_name if record.has_mask else None,
        **{column: row[column] for column in COLUMNS if column in row},
        **{f"{side}_{n}": row[f"{side}_{n}"] for side in ("source", "target") for n in FIGURES},
    }
