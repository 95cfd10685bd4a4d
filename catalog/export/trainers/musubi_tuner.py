"""musubi-tuner: JSON Lines of absolute paths, and a TOML with one data set per frame count.

`target_frames` cuts a video from its head and passes over shorter ones, so the pairs are listed by
their frame count: each is used whole. Every data set has a cache folder of its own, as the loader
demands. Relative paths would depend on the folder that the trainer is started in.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from catalog.export.files import ExportFile, Text, json_lines
from catalog.export.format import Format, Split
from catalog.export.shapes import VideoNeeds


class MusubiTuner(Format):
    """`video_path` is the target, `control_path` the source."""

    name = "musubi-tuner"
    reader = "musubi-tuner"
    writes = "dataset.toml, pairs_<frames>f.jsonl, source/, target/"
    needs = VideoNeeds(alike=True, frame_step=4)
    notes = (
        "Train with `--dataset_config DIR/train/dataset.toml`.",
        "The files hold absolute paths: move the folder, and they need replacing.",
        "`caption` is the instruction; `resolution` in the TOML is the area that buckets are made "
        "for, here the commonest size.",
    )

    def files(self, split: Split) -> Iterator[ExportFile]:
        sizes: Counter[tuple[int, int]] = Counter()
        lengths: set[int] = set()
        for record in split:
            shape = record.shapes["target"]
            sizes[shape.width, shape.height] += 1
            lengths.add(shape.frames)
            yield from record.videos(split.name)
        folder = split.folder
        for frames in sorted(lengths):
            yield _listed(split, frames)
        size = min(sizes, key=lambda wh: (-sizes[wh], wh))
        yield Text(f"{split.name}/dataset.toml", lambda: _toml(folder, sorted(lengths), size))


def _listed(split: Split, frames: int) -> ExportFile:
    return json_lines(
        f"{split.name}/pairs_{frames}f.jsonl",
        lambda: (
            {
                "video_path": str(split.folder / record.name("target")),
                "control_path": str(split.folder / record.name("source")),
                "caption": record.text("instruction"),
            }
            for record in split
            if record.shapes["target"].frames == frames
        ),
    )


def _toml(folder: Path, lengths: list[int], size: tuple[int, int]) -> Iterator[str]:
    yield (
        "[general]\n"
        f"resolution = [{size[0]}, {size[1]}]\n"
        "batch_size = 1\n"
        "enable_bucket = true\n"
        "bucket_no_upscale = true\n"
    )
    for frames in lengths:
        yield (
            "\n[[datasets]]\n"
            f"video_jsonl_file = {json.dumps(str(folder / f'pairs_{frames}f.jsonl'))}\n"
            f"cache_directory = {json.dumps(str(folder / f'cache_{frames}f'))}\n"
            f"target_frames = [{frames}]\n"
            'frame_extraction = "head"\n'
        )
