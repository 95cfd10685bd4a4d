"""ai-toolkit: a folder of targets with a caption file each, and a folder of controls of the same
base names."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.export.files import ExportFile, Text
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.shapes import VideoNeeds


class AiToolkit(Format):
    """`target/<id>.mp4` with `target/<id>.txt`; `source/<id>.mp4` is the control."""

    name = "ai-toolkit"
    reader = "ai-toolkit"
    writes = "target/<id>.mp4 and .txt, source/<id>.mp4"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "In the job's `datasets`: `folder_path: DIR/train/target`, `control_path: "
        "DIR/train/source`, `caption_ext: txt`, `num_frames:` as many as you train on.",
        "Control videos are read by the models that take them; others read images alone.",
        "The caption is the instruction.",
    )

    def files(self, split: Split) -> Iterator[ExportFile]:
        for record in split:
            yield from record.videos(split.name)
            yield _caption(record, split)


def _caption(record: ExportRecord, split: Split) -> Text:
    text = record.text("instruction")
    return Text(f"{split.name}/target/{record.id}.txt", lambda: [text], "caption")
