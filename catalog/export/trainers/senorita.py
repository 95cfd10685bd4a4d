"""Señorita-2M's own layout: a JSON list per task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from catalog.errors import EditmillError
from catalog.export.files import ExportFile, json_list
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.shapes import VideoNeeds

_TASK = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Senorita(Format):
    name = "senorita"
    reader = "readers of Señorita-2M"
    writes = "<task>.json, source/, target/"
    needs = VideoNeeds()
    notes = (
        "Paths are relative to the folder that the JSON lies in.",
        "`enhanced_instruction` is left out where the pair has none.",
    )

    def files(self, split: Split) -> Iterator[ExportFile]:
        tasks: set[str] = set()
        for record in split:
            tasks.add(record.row["task"])
            yield from record.videos(split.name)
        for task in sorted(tasks):
            if not _TASK.fullmatch(task):
                raise EditmillError(f"{task!r}: is no task; leave its pairs out with --where")
            yield _listed(split, task)


def _listed(split: Split, task: str) -> ExportFile:
    return json_list(
        f"{split.name}/{task}.json",
        lambda: (_entry(record) for record in split if record.row["task"] == task),
    )


def _entry(record: ExportRecord) -> dict[str, Any]:
    entry = {
        "source_video_path": record.name("source"),
        "target_video_path": record.name("target"),
        "instruction": record.text("instruction"),
        "enhanced_instruction": record.text("enhanced_instruction"),
    }
    return {key: value for key, value in entry.items() if value}
