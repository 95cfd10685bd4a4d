"""InsViE's CogVideo-SAT trainer (`SFTDataset_edit`): a CSV, and one folder a side.

The loader finds both sides under one file name in the two folders of `train_video_root`, relative
to the CSV, takes the same frame numbers of both, and leaves out the first and last three frames.
"""

from __future__ import annotations

from catalog.export.format import CsvListed, ExportRecord
from catalog.export.shapes import VideoNeeds


class InsVie(CsvListed):
    name = "insvie"
    reader = "InsViE / CogVideo-SAT"
    writes = "train.csv, source/, target/"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "Give the CSV's absolute path as the data folder, `train_video_root: [source, target]` and "
        "`skip_frms_num: 0`, so that all 4n+1 frames are used.",
        "The column `folder` names the edited video's folder; captions are empty where a pair has "
        "none (the trainer reads the instruction).",
    )

    listing = "{split}.csv"
    header = ("source_video", "source_caption", "instruction", "edited_caption", "folder")

    def cells(self, record: ExportRecord) -> tuple[str, ...]:
        return (
            record.name("source").partition("/")[2],
            record.text("caption"),
            record.text("instruction"),
            record.text("target_prompt"),
            "target",
        )
