"""Judges that are asked about finished edits (VEFX-Reward): a CSV of both videos and the
instruction."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.export.files import File, csv_table
from catalog.export.format import Format, Split
from catalog.export.shapes import Needs


class Vefx(Format):
    name = "vefx"
    reader = "judges such as VEFX-Reward"
    writes = "edits.csv, source/, target/"
    needs = Needs()
    notes = (
        "Paths are relative to the folder that the CSV lies in.",
        'To have rejected pairs judged too, name `keep` in the condition: `--where "keep or not '
        'keep"`.',
    )

    def files(self, split: Split) -> Iterator[File]:
        for record in split:
            yield from record.videos(split.name)
        yield csv_table(
            f"{split.name}/edits.csv",
            ("original_video", "edited_video", "instruction"),
            lambda: (
                (record.name("source"), record.name("target"), record.text("instruction"))
                for record in split
            ),
        )
