"""Whole builds from links: each night adds what is new; what was fetched outlives its link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import catalog
from catalog import media
from flows.cli import app
from tests.flows.sources.lists.file_server import serving

pytestmark = pytest.mark.weights

RECIPE = """
name: nightly
sources: [{{kind: urls, files: [{links}], hosts: [127.0.0.1], licence: CC-BY-4.0}}]
annotate: {{keyframe_seconds: 1.5}}  # there is nothing to detect
plan: {{edits_per_clip: 1, frames: 8, long_side: 128, weights: {{deblur: 1}}}}
run: {{workers: 1}}
"""


def noise(path: Path, seed: int) -> bytes:
    """A video of noise that drifts: sharp enough to be blurred, with nothing that a detector
    knows."""
    rng = np.random.default_rng(seed)
    wide = rng.integers(0, 255, (12, 40, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    media.write_video(path, np.stack([wide[:96, 2 * t : 2 * t + 160] for t in range(36)]), 25.0)
    return path.read_bytes()


def build(folder: Path, links: list[tuple[str, str]]) -> str:
    """One night's build of these links with their authors; what the command printed."""
    (folder / "links.csv").write_text(
        "\n".join(["url,author", *(f"{url},{author}" for url, author in links)])
    )
    (folder / "r.yaml").write_text(RECIPE.format(links=folder / "links.csv"))
    command = ["build", str(folder / "r.yaml"), "--out", str(folder / "data")]
    ended = CliRunner().invoke(app, command, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def held(folder: Path, tag: str) -> dict[str, str]:
    """The authors of a release's pairs, by pair id."""
    pairs = catalog.open(folder / "data", ref=tag).pairs().select("pair_id", "author").collect()
    return dict(pairs.rows())


def test_every_night_adds_what_is_new_and_keeps_what_there_was(tmp_path: Path) -> None:
    with serving() as server:
        server.files["/a.mp4"] = noise(tmp_path / "a.mp4", 1)
        links = [(f"{server.url}/a.mp4", "Ann"), (f"{server.url}/gone.mp4", "Nobody")]
        build(tmp_path, links)
        first = held(tmp_path, "v1")
        assert set(first.values()) == {"Ann"}
        failures = catalog.open(tmp_path / "data").failures().collect()
        assert failures.select("stage", "reason").rows() == [("fetch", "gone")]

        del server.files["/a.mp4"]  # its link is dead by the next night
        server.files["/b.mp4"] = noise(tmp_path / "b.mp4", 2)
        build(tmp_path, [*links, (f"{server.url}/b.mp4", "Bob")])
        second = held(tmp_path, "v2")
        assert first.items() < second.items()
        assert set(second.values()) == {"Ann", "Bob"}

        # A third night with nothing new makes no other release, though another failure is told.
        said = build(tmp_path, [*links[:1], (f"{server.url}/b.mp4", "Bob")])
        assert "No pair or record changed: v2 is still the release." in said
        assert [each.tag for each in catalog.open(tmp_path / "data").releases()] == ["v1", "v2"]
        assert catalog.open(tmp_path / "data").failures().collect().is_empty()
        for path in ("/a.mp4", "/b.mp4", "/gone.mp4"):  # what is gone is not asked for again, too
            assert server.requests.count(path) == 1
