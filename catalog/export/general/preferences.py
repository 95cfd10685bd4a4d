"""Preference pairs: the kept and a rejected target of one edit, as a Hugging Face video folder.

Which rejected pair belongs to a kept one is the rule of :mod:`catalog.export.pairs.preferred`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from catalog.export.files import ExportFile, Original, Parquet
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.pairs.facts import COLUMNS, REJECTED
from catalog.export.shapes import VideoNeeds


class Preferences(Format):
    name = "preferences"
    reader = "preference trainers (DPO)"
    writes = "metadata.parquet, source/, chosen/, rejected/"
    hub = "**"
    rows = "preferences"
    needs = VideoNeeds()
    notes = (
        '`datasets.load_dataset("DIR")` gives `prompt` (the instruction), `source`, `chosen` and '
        "`rejected`; `rejected_reason` says what its filters found.",
        "A kept and a rejected pair belong together where they show the same edit of the same "
        "video: the same source file, task, object (track) and wanted content (`target_prompt`), "
        "the target being the side that was made. Of several rejected ones another version of the "
        "same plan comes first, then the one with the most similar instruction. A kept pair "
        "without such a rejected one is left out.",
    )

    def files(self, split: Split) -> Iterator[ExportFile]:
        for record in split:
            generated: dict[str, str] = {}  # both are targets (catalog.export.pairs.preferred)
            if record.signed:
                rejected_id = record.row["rejected_pair_id"]
                generated = {"target_video": record.id, "rejected_video": rejected_id}
            for column, path in _paths(record).items():
                pair_id = generated.get(column, "")
                yield Original(f"{split.name}/{path}", record.row[column], signed_for=pair_id)
        yield Parquet(f"{split.name}/metadata.parquet", lambda: map(_row, split))


def _paths(record: ExportRecord) -> dict[str, str]:
    """Where the media of these columns lie."""
    places = {"source_video": "source", "target_video": "chosen", "rejected_video": "rejected"}
    return {
        column: f"{folder}/{record.id}.{record.row[column].rpartition('.')[2]}"
        for column, folder in places.items()
    }


def _row(record: ExportRecord) -> dict[str, Any]:
    row, paths = record.row, _paths(record)
    columns = [c for c in (*COLUMNS, *REJECTED.values()) if c in row and c != "rejected_video"]
    return {
        "prompt": record.text("instruction"),
        "source_file_name": paths["source_video"],
        "chosen_file_name": paths["target_video"],
        "rejected_file_name": paths["rejected_video"],
        **{column: row[column] for column in columns if column not in ("keep", "reason")},
    }
