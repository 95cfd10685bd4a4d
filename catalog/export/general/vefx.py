"""Judges that are asked about finished edits (VEFX-Reward): a CSV of both videos and the
instruction."""

from __future__ import annotations

from catalog.export.format import CsvListed, ExportRecord
from catalog.export.shapes import VideoNeeds


class Vefx(CsvListed):
    name = "vefx"
    reader = "judges such as VEFX-Reward"
    writes = "edits.csv, source/, target/"
    needs = VideoNeeds()
    notes = (
        "Paths are relative to the folder that the CSV lies in.",
        'To have rejected pairs judged too, name `keep` in the condition: `--where "keep or not '
        'keep"`.',
    )

    listing = "edits.csv"
    header = ("original_video", "edited_video", "instruction")

    def cells(self, record: ExportRecord) -> tuple[str, ...]:
        return record.name("source"), record.name("target"), record.text("instruction")
