"""Kiwi-Edit and the sets that reuse its loader: a CSV of both videos and the prompt.

The loader compares width, height and frame count of the two sides; where they differ it prints an
error and silently trains on another row drawn at random. Both sides are therefore made alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from catalog.export.files import File, csv_table
from catalog.export.format import Format, Split
from catalog.export.shapes import Needs


class KiwiEdit(Format):
    name = "kiwi-edit"
    reader = "Kiwi-Edit"
    writes = "metadata.csv, source/, target/"
    needs = Needs(alike=True, frame_step=4)
    notes = (
        "Train with `--dataset_base_path DIR/train --dataset_metadata_path "
        "DIR/train/metadata.csv --data_file_keys src_video,tgt_video`.",
        "`prompt` is the instruction. There is no column `ref_image`: no pair has one, and the "
        "loader reads an empty cell as NaN.",
    )

    def files(self, split: Split) -> Iterator[File]:
        for record in split:
            yield from record.videos(split.name)
        yield csv_table(
            f"{split.name}/metadata.csv",
            ("prompt", "src_video", "tgt_video"),
            lambda: (
                (record.text("instruction"), record.name("source"), record.name("target"))
                for record in split
            ),
        )
