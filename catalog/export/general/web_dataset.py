"""WebDataset: tar shards whose members `<key>.src.mp4`, `<key>.tgt.mp4`, `<key>.mask.mkv` and
`<key>.json` are one sample."""

from __future__ import annotations

from collections.abc import Iterator

from catalog.export.files import ExportFile, Original
from catalog.export.format import ExportRecord, Format, Split
from catalog.export.pairs.facts import facts_json
from catalog.export.shapes import Side, VideoNeeds
from catalog.export.shard import Member, Tar

SIDES: dict[Side, str] = {"source": "src", "target": "tgt"}
"""What a sample calls the two videos."""


class WebDataset(Format):
    """A shard holds at most `records_per_shard` records, of one or two megabytes each: some
    hundreds of megabytes, which is what its authors advise."""

    name = "webdataset"
    reader = "WebDataset"
    writes = "<split>-<number>.tar"
    hub = "*.tar"
    needs = VideoNeeds()
    notes = (
        '`webdataset.WebDataset(sorted(glob.glob("DIR/train/*.tar")), shardshuffle=False)`; a '
        "sample has `src.mp4`, `tgt.mp4`, `json`, and `mask.mkv` where the task has a mask, white "
        "where the edit is.",
    )

    def __init__(self, records_per_shard: int = 250) -> None:
        self.records_per_shard = records_per_shard

    def files(self, split: Split) -> Iterator[ExportFile]:
        members: list[Member] = []
        shard = held = 0
        for record in split:
            if held == self.records_per_shard:
                yield Tar(_name(split, shard), members)
                members, shard, held = [], shard + 1, 0
            members += _sample(record)
            held += 1
        if held:
            yield Tar(_name(split, shard), members)


def _name(split: Split, shard: int) -> str:
    return f"{split.name}/{split.name}-{shard:06d}.tar"


def _sample(record: ExportRecord) -> Iterator[Member]:
    row = record.row
    figures = {
        f"{side}_{name}": row[f"{side}_{name}"]
        for side in SIDES
        for name in ("frames", "fps", "width", "height")
    }
    for side, short in SIDES.items():
        ref = row[f"{side}_video"]
        name = f"{record.id}.{short}.{_suffix(ref)}"
        yield Original(name, ref, signed_for=record.signed_for(side))
    if record.has_mask:
        yield Original(f"{record.id}.mask.{_suffix(row['mask'])}", row["mask"], "mask")
    yield f"{record.id}.json", facts_json(row, figures)


def _suffix(ref: str) -> str:
    return ref.rpartition(".")[2]
