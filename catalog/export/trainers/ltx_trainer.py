"""Lightricks' ltx-trainer (`process_dataset.py`): a JSON list; its column names say what to encode.

Paths are relative to the JSON. A column is read from every row, so pairs with masks are listed a
second time, in a file of their own. Only the first frames of a resolution bucket are taken; the
latents keep the file's rate.
"""

from __future__ import annotations

from typing import Any

from catalog.export.format import ExportRecord, JsonListed
from catalog.export.shapes import VideoNeeds

FPS = 24.0
"""Frames/s that LTX-Video and LTX-2 generate at by default."""


class LtxTrainer(JsonListed):
    """`video` is the target, `reference_video` the source."""

    name = "ltx-trainer"
    reader = "Lightricks LTX trainer"
    writes = "dataset.json, source/, target/"
    mask_writes = "dataset_masked.json, mask/"
    needs = VideoNeeds(alike=True, frame_step=8, fps=FPS, multiple=32)
    notes = (
        "Preprocess with `process_dataset.py DIR/train/dataset.json --resolution-buckets WxHxF` "
        "and train with `v2v_ic_lora.yaml`.",
        "`caption` is the instruction.",
    )
    mask_notes = (
        "`dataset_masked.json` lists the pairs that have a mask, with `video_mask`, for "
        "`video_inpainting_lora.yaml`.",
        "Masks are white where the video is kept and black where the edit is: the trainer holds "
        "what is above 0.5 fixed.",
    )

    listing = "dataset"
    mask_key = "video_mask"
    white = "kept"

    def entry(self, record: ExportRecord) -> dict[str, Any]:
        return {
            "caption": record.text("instruction"),
            "video": record.name("target"),
            "reference_video": record.name("source"),
        }
