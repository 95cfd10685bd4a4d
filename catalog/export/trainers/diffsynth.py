"""DiffSynth-Studio (`diffsynth.core.UnifiedDataset`): a JSON list beside folders of videos.

The loader takes the first N frames of every file by their index, whatever its rate, and cuts N to
4n+1 (Wan) or 8n+1 (LTX-2) for each file by itself; it indexes a row by every key of
`--extra_inputs`, so a key is either in all rows of a file or in none.
"""

from __future__ import annotations

from typing import Any

from catalog.export.format import ExportRecord, JsonListed
from catalog.export.shapes import VideoNeeds

LTX_FPS = 24.0
"""Frames/s that the trainer resamples to (`--frame_rate` of examples/ltx2/model_training)."""


class WanVace(JsonListed):
    """`vace_video` is the source; pairs with masks are listed a second time, with the mask."""

    name = "diffsynth-vace"
    reader = "DiffSynth-Studio, Wan VACE"
    writes = "metadata.json, source/, target/"
    mask_writes = "metadata_masked.json, mask/"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "Train with `--dataset_base_path DIR/train --dataset_metadata_path "
        "DIR/train/metadata.json --data_file_keys video,vace_video --extra_inputs vace_video`.",
        "`prompt` is the instruction. There is no `vace_reference_image`: no pair has one.",
    )
    mask_notes = (
        "`metadata_masked.json` lists the pairs that have a mask, with it: then "
        "`--data_file_keys video,vace_video,vace_video_mask --extra_inputs "
        "vace_video,vace_video_mask`.",
        "Masks are white where VACE generates: where the edit is.",
    )

    mask_key = "vace_video_mask"

    def entry(self, record: ExportRecord) -> dict[str, Any]:
        return {
            "video": record.name("target"),
            "prompt": record.text("instruction"),
            "vace_video": record.name("source"),
        }


class WanFunControl(JsonListed):
    """`control_video` is the source."""

    name = "diffsynth-fun-control"
    reader = "DiffSynth-Studio, Wan-Fun control"
    writes = "metadata.json, source/, target/"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "Train with `--dataset_base_path DIR/train --dataset_metadata_path "
        "DIR/train/metadata.json --data_file_keys video,control_video --extra_inputs "
        "control_video`.",
        "`prompt` is the instruction. There is no `reference_image`: no pair has one.",
    )

    def entry(self, record: ExportRecord) -> dict[str, Any]:
        return {
            "video": record.name("target"),
            "prompt": record.text("instruction"),
            "control_video": record.name("source"),
        }


class Ltx2InContext(JsonListed):
    """`in_context_videos` is the source, at the target's own size (a factor of 1)."""

    name = "diffsynth-ltx2"
    reader = "DiffSynth-Studio, LTX-2 in-context LoRA"
    writes = "metadata.json, source/, target/"
    needs = VideoNeeds(alike=True, frame_step=8, fps=LTX_FPS, multiple=32)
    notes = (
        "Train with `--dataset_base_path DIR/train --dataset_metadata_path "
        "DIR/train/metadata.json --data_file_keys video,in_context_videos --extra_inputs "
        "in_context_videos,in_context_downsample_factor,frame_rate`.",
        "`in_context_videos` is a list of one: the pipeline takes several contexts.",
        "`prompt` is the instruction.",
    )

    def entry(self, record: ExportRecord) -> dict[str, Any]:
        return {
            "video": record.name("target"),
            "prompt": record.text("instruction"),
            "in_context_videos": [record.name("source")],
            "in_context_downsample_factor": 1,
            "frame_rate": record.shapes["target"].fps,
        }
