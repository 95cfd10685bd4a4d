"""A small catalog to export: every kind of pair a format meets, made of two sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.export.formats import format_named
from catalog.export.run import Exported, export
from catalog.media import write_masks, write_video
from catalog.records import Source
from catalog.releases import Catalog
from tests.editmill.small_catalog import (
    FPS,
    FRAMES,
    HEIGHT,
    WIDTH,
    bar,
    bar_masks,
    make_local_edit,
    make_pair,
)
from tests.parts import by_key

FIRST, SECOND = "source0", "source3"
"""Ids of the two sources; halves by source put them into different splits."""

Export = Callable[..., Exported]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Release `v1`: nine pairs, six of them kept, and two local edits. No test writes to it."""
    root = tmp_path_factory.mktemp("catalog") / "set"
    made = catalog.open(root, create=True)
    videos = {
        "bar": bar(),
        "ramp": bar(level=70),
        "bright": bar(level=250),
        "small": bar(HEIGHT // 2, WIDTH // 2),
        "wide": bar(HEIGHT + 8, WIDTH + 8),
    }
    refs: dict[str, str] = {}
    for name, frames in videos.items():
        with made.media.writing(".mp4") as video:
            write_video(video.path, frames, FPS)
        refs[name] = video.ref
    with made.media.writing(".mkv") as masks:
        write_masks(masks.path, bar_masks(), FPS)
    half = dict(source_width=WIDTH // 2, source_height=HEIGHT // 2)
    large = dict(
        source_width=WIDTH + 8, source_height=HEIGHT + 8,
        target_width=WIDTH + 8, target_height=HEIGHT + 8,
    )  # fmt: skip
    removal = dict(label="bar", track_id="track", plan_id="plan", mask=masks.ref)
    donor = {
        "donor": {
            "source_id": SECOND, "uri": "file:donor", "licence": "MIT", "clip_id": "clip2",
        }
    }  # fmt: skip
    pairs: list[Any] = [
        make_pair(
            "object_removal", refs["bar"], refs["ramp"], source_id=FIRST,
            instruction="Remove the bar, please.", **removal,
        ),
        make_pair(
            "object_removal", refs["bar"], refs["bright"], keep=False, source_id=FIRST,
            instruction="Take the bar away.", **removal,
        ),
        make_pair(
            "object_removal", refs["bar"], refs["bar"], keep=False, source_id=FIRST,
            instruction="Remove the bar, please.", **(removal | {"plan_id": "another"}),
        ),
        make_pair(
            "object_swap", refs["bright"], refs["bar"], source_id=FIRST, params=donor,
            generated_side="source", mask=masks.ref, instruction='Say "bar", twice',
        ),
        make_pair("upscaling", refs["small"], refs["bar"], source_id=FIRST, **half),
        make_pair("global_style_transfer", refs["ramp"], refs["bright"], source_id=SECOND),
        make_pair(
            "global_style_transfer", refs["ramp"], refs["bar"], source_id=SECOND,
            licence="CC-BY-4.0", enhanced_instruction="Change the bar, and nothing else.",
            output_licence="Apache-2.0", may_train=True,
        ),
        make_pair(
            "global_style_transfer", refs["ramp"], refs["ramp"], source_id=SECOND, keep=False,
            target_prompt="a painting",
        ),
        make_pair("local_style_transfer", refs["wide"], refs["wide"], source_id=SECOND, **large),
    ]  # fmt: skip
    made.tables.put("pairs", by_key(pairs))
    edit = make_local_edit(refs["wide"], masks.ref)
    image = dataclasses.replace(
        edit, edit_id="image", subset="image", frames=1, crop=[8, 8, WIDTH, HEIGHT], first_frame=3
    )
    made.tables.put("local_edits", by_key([edit, image]))
    sources = [
        Source(id_, f"{id_}.mp4", f"file:{id_}", "CC0-1.0", WIDTH, HEIGHT, FPS, FRAMES, "h264")
        for id_ in (FIRST, SECOND)
    ]
    made.tables.put("sources", by_key(sources))
    recipe = '{"name": "tiny", "filters": {"quality": 0.6, "subtle": null}}'
    made.release("v1", recipe, notes="the first")
    return catalog.open(root, ref="v1")


@pytest.fixture
def run(dataset: Catalog) -> Export:
    """`run("webdataset", out, …)`: the export of release v1."""

    def do(name: str, out: Path, **options: Any) -> Exported:
        return export(dataset, format_named(name), out, **options)

    return do
