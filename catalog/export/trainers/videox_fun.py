"""VideoX-Fun (`ImageVideoControlDataset`): a JSON list with a control video per row.

The loader draws frame numbers from the target and takes the same ones of the control video, so both
sides need the same frames.
"""

from __future__ import annotations

from typing import Any

from catalog.export.format import ExportRecord, JsonListed
from catalog.export.shapes import VideoNeeds


class VideoXFun(JsonListed):
    """`file_path` is the target, `control_file_path` the source."""

    name = "videox-fun"
    reader = "VideoX-Fun, control training"
    writes = "metadata.json, source/, target/"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "Train with `--train_data_dir DIR/train --train_data_meta DIR/train/metadata.json "
        "--video_sample_stride 1`; `--enable_bucket` keeps each video's own size.",
        "`text` is the instruction. There is no `object_file_path`: no pair has a subject image.",
    )

    def entry(self, record: ExportRecord) -> dict[str, Any]:
        return {
            "file_path": record.name("target"),
            "control_file_path": record.name("source"),
            "text": record.text("instruction"),
            "type": "video",
            "width": record.shapes["target"].width,
            "height": record.shapes["target"].height,
        }
