"""A source that was taken out of a catalog does not come back under another name."""

from pathlib import Path

import pytest

from catalog.keeping.forget import Forgotten, remember
from catalog.keys import file_digest
from flows.recipe import parse
from flows.runtime.context import context
from flows.sources import local_files
from flows.stages.clips import ingest, look

pytestmark = pytest.mark.weights

RECIPE = """
name: forgetful
sources: [{{kind: folder, path: {folder}, licence: CC0-1.0}}]
clips: {{max_frames: 40}}
plan: {{weights: {{deblur: 1}}}}
"""


def test_what_was_forgotten_is_refused_by_its_content(write, scene, tmp_path: Path):
    folder = tmp_path / "footage"
    folder.mkdir()
    path = write("a.mp4", scene(40, 96, 128)).rename(folder / "a.mp4")
    write("b.mp4", scene(40, 96, 160)).rename(folder / "b.mp4")
    recipe = parse(RECIPE.format(folder=folder), "forgetful")

    def built():
        ctx = context(tmp_path / "catalog", recipe)
        clips = ingest.run(ctx, look.run(ctx, local_files(recipe.sources)))
        failed = [(f.record, f.reason) for f in ctx.catalog.tables.records("failures")]
        return sorted(clip.uri for clip in clips), failed, ctx

    assert built()[:2] == (["a.mp4", "b.mp4"], [])
    remember(built()[2].catalog.storage, Forgotten(file_digest(path), ["a.mp4"]))
    clips, failed, ctx = built()
    assert (clips, failed) == (["b.mp4"], [("a.mp4", "forgotten")])  # though it was cut before
    assert not ctx.worth_retrying
    path.rename(folder / "another-name.mp4")
    assert built()[0] == ["b.mp4"]
    assert ("another-name.mp4", "forgotten") in built()[1]
