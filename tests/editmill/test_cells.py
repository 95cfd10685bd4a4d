"""What a notebook shows: the pair's video and facts, the catalog's numbers, and never a trace."""

import base64
import dataclasses
import re

import numpy as np
import pytest

import catalog
from catalog.media import probe, read_video, write_video
from catalog.notebook.cells import pair_cell
from catalog.notebook.player import GAP, player
from catalog.samples import PairSample
from tests.editmill.small_catalog import FPS, FRAMES, HEIGHT, WIDTH, write_small_catalog

HOSTILE = "<script>alert(1)</script> & \"quotes\" 'single' <img src=x onerror=alert(2)>"


def video_of(cell, folder):
    (encoded,) = re.findall(r'src="data:video/mp4;base64,([A-Za-z0-9+/=]+)"', cell)
    path = folder / "cell.mp4"
    path.write_bytes(base64.b64decode(encoded))
    return path


def test_a_pair_plays_its_panels_side_by_side(dataset, tmp_path):
    pair = dataset.sample(task="object_removal", n=1)[0]
    video = video_of(pair._repr_html_(), tmp_path)
    info = probe(video)
    assert (info.width, info.height) == (3 * WIDTH + 2 * GAP, HEIGHT)
    assert (info.frames, info.fps) == (FRAMES, pytest.approx(FPS))
    frames = read_video(video).astype(float)
    for k, (panel, most) in enumerate(
        ((pair.source, 4), (pair.target, 4), (np.repeat(pair.mask[..., None] * 255.0, 3, 3), 12))
    ):
        left = k * (WIDTH + GAP)
        assert np.abs(frames[:, :, left : left + WIDTH] - panel).mean() < most, k


def test_a_pair_without_a_mask_has_two_panels_of_one_size(dataset, tmp_path):
    pair = dataset.sample(task="upscaling", n=1)[0]
    cell = pair._repr_html_()
    info = probe(video_of(cell, tmp_path))
    assert (info.width, info.height) == (2 * WIDTH + GAP, HEIGHT)
    assert "source, footage" in cell
    assert "target, generated" in cell
    assert ">mask<" not in cell
    assert f"{WIDTH // 2}×{HEIGHT // 2} px, 12 frames at 12 fps → {WIDTH}×{HEIGHT}" in cell


def test_the_facts_stand_below(dataset):
    cell = dataset.sample(keep=False)[0]._repr_html_()
    for told in ("rejected: subtle", "quality 0.75, subtle 0.50", "CC0-1.0", "tiny 1"):
        assert told in cell


def test_all_text_is_escaped(dataset):
    record = dataset.sample(n=1)[0].record
    words = {
        field.name: HOSTILE
        for field in dataclasses.fields(record)
        if isinstance(getattr(record, field.name), str) and "_video" not in field.name
    }
    hostile = dataclasses.replace(record, **words | {"mask": ""})
    for broken in (hostile, dataclasses.replace(hostile, source_video=HOSTILE)):
        cell = pair_cell(broken, dataset.media)
        assert "&lt;script&gt;" in cell
        assert "<script" not in cell
        assert "<img" not in cell


def test_a_missing_video_is_said_in_the_cell(tmp_path):
    dataset = write_small_catalog(tmp_path / "set")
    pair = dataset.sample(task="object_removal", n=1)[0]
    path = dataset.path(pair.record.target_video)
    path.write_bytes(path.read_bytes()[:500])
    assert "no video: " in pair._repr_html_()
    path.unlink()
    cell = pair._repr_html_()
    assert f"no video: {path}: cannot be found" in cell
    assert "<video" not in cell
    assert pair.id in cell  # the facts are there all the same


@pytest.mark.parametrize("field", ["instruction", "target_fps", "target_frames", "quality_score"])
def test_a_broken_row_does_not_raise(dataset, field):
    record = dataclasses.replace(dataset.sample(n=1)[0].record, **{field: "broken"})
    assert pair_cell(record, dataset.media).startswith("<div>")


def test_noise_stays_below_two_megabytes(tmp_path):
    """The worst there is for an encoder: at the first attempt it takes several megabytes."""
    dataset = write_small_catalog(tmp_path / "set")
    noise = np.random.default_rng(0).integers(0, 256, (40, 180, 320, 3), np.uint8)
    with dataset.media.writing(".mp4") as video:
        write_video(video.path, noise, 24.0)
    size = dict(width=320, height=180, frames=40, fps=24.0)
    record = dataclasses.replace(
        dataset.sample(n=1)[0].record,
        mask="",
        source_video=video.ref,
        target_video=video.ref,
        **{
            f"{side}_{name}": value for side in ("source", "target") for name, value in size.items()
        },
    )
    made = player(record, dataset.media)
    assert made.panel_width < 320
    cell = PairSample(record, dataset.media)._repr_html_()
    assert "<video" in cell
    assert len(cell) < 2_000_000
    shown = probe(video_of(cell, tmp_path))
    assert shown.duration == pytest.approx(40 / 24, rel=0.01)  # fewer frames, the same speed


def test_a_catalog_shows_tables_tasks_and_releases(dataset):
    cell = dataset._repr_html_()
    text = re.sub(r"<[^>]+>", " ", cell).split()
    for line in (
        "global_style_transfer 2 1",  # made, kept
        "object_removal 1 1",
        "pairs 4",
        "local_edits 1",
        "clips 0",
    ):
        assert line in " ".join(text)
    (release,) = dataset.releases()
    assert release.created_at[:19] in cell
    assert "the first" in cell
    assert f"at <b>{dataset.ref}</b>" in cell


def test_an_empty_or_broken_catalog_does_not_raise(tmp_path):
    empty = catalog.open(tmp_path / "empty <b>", create=True)
    assert "none yet" in empty._repr_html_()
    assert "&lt;b&gt;" in empty._repr_html_()
    dataset = write_small_catalog(tmp_path / "set")
    for file in (dataset.root / "tables" / "pairs").rglob("*.parquet"):
        file.unlink()
    cell = dataset._repr_html_()
    assert "color:#c0392b" in cell
    assert "the first" in cell  # the releases can still be read
