"""diffusers' `train_instruct_pix2pix.py`: pairs of frames as an image folder of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.export.files import ExportFile, Still, json_lines
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.shapes import VideoNeeds


class InstructPix2Pix(Format):
    """`frames_per_pair` frames of each video, evenly spaced from the first to the last. Frames of
    one video are much alike: three show what the edit does as its object moves."""

    name = "instruct-pix2pix"
    reader = "diffusers, instruct-pix2pix"
    writes = "metadata.jsonl, input/, edited/ (PNG)"
    has_videos = False
    hub = "**"
    needs = VideoNeeds(alike=True)
    notes = (
        "Train with `--dataset_name DIR --original_image_column input_image --edit_prompt_column "
        "edit_prompt --edited_image_column edited_image`.",
        "Each pair gives some of its frames, evenly spaced from the first to the last.",
    )

    def __init__(self, frames_per_pair: int = 3) -> None:
        self.frames_per_pair = frames_per_pair

    def files(self, split: Split) -> Iterator[ExportFile]:
        for record in split:
            for name, number in self.moments(record):
                for folder, side in (("input", "source"), ("edited", "target")):
                    ref, size = record.row[f"{side}_video"], record.shapes["target"].size
                    yield Still(f"{split.name}/{folder}/{name}", ref, number[side], size)
        yield json_lines(
            f"{split.name}/metadata.jsonl",
            lambda: (
                {
                    "input_image_file_name": f"input/{name}",
                    "edited_image_file_name": f"edited/{name}",
                    "edit_prompt": record.text("instruction"),
                    "pair_id": record.id,
                    "task": record.row["task"],
                }
                for record in split
                for name, _ in self.moments(record)
            ),
        )

    def moments(self, record: ExportRecord) -> Iterator[tuple[str, dict[str, int]]]:
        """File names, and the frame's number on either side."""
        from catalog.export.shapes import frame_shown, shape_of

        shape = record.shapes["target"]
        count = min(self.frames_per_pair, shape.frames)
        for k in range(count):
            number = round(k * (shape.frames - 1) / max(1, count - 1))
            shown = {
                side: frame_shown(shape_of(record.row, side), number / shape.fps)
                for side in ("source", "target")
            }
            yield f"{record.id}_{number:04d}.png", shown
