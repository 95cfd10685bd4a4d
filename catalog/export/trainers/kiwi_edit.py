"""Kiwi-Edit and the sets that reuse its loader: a CSV of both videos and the prompt.

The loader compares width, height and frame count of the two sides; where they differ it prints an
error and silently trains on another row drawn at random. Both sides are therefore made alike.
"""

from __future__ import annotations

from catalog.export.format import CsvListed, ExportRecord
from catalog.export.shapes import VideoNeeds


class KiwiEdit(CsvListed):
    name = "kiwi-edit"
    reader = "Kiwi-Edit"
    writes = "metadata.csv, source/, target/"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "Train with `--dataset_base_path DIR/train --dataset_metadata_path "
        "DIR/train/metadata.csv --data_file_keys src_video,tgt_video`.",
        "`prompt` is the instruction. There is no column `ref_image`: no pair has one, and the "
        "loader reads an empty cell as NaN.",
    )

    header = ("prompt", "src_video", "tgt_video")

    def cells(self, record: ExportRecord) -> tuple[str, ...]:
        return record.text("instruction"), record.name("source"), record.name("target")
