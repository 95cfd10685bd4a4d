"""Exports that Hugging Face `datasets` loads, read back by `datasets` itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.media import read_masks, read_video
from catalog.releases import Catalog
from tests.catalog.export.conftest import Export
from tests.editmill.small_catalog import FRAMES, HEIGHT, WIDTH, bar, bar_masks


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`load(folder)`: `datasets.load_dataset`, with no network and a cache of this test's own."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return lambda folder: datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


def undecoded(part: Any, *columns: str) -> Any:
    from datasets import Video

    for column in columns:
        part = part.cast_column(column, Video(decode=False))
    return part


def test_pairs_load_with_videos_masks_and_facts(
    run: Export, dataset: Catalog, load: Any, tmp_path: Path
) -> None:
    from datasets import Video

    run("huggingface", tmp_path / "out")
    loaded = load(tmp_path / "out")
    assert set(loaded) == {"train"} and len(loaded["train"]) == 6
    features = loaded["train"].features
    for column in ("source_video", "target_video", "mask"):
        assert isinstance(features[column], Video)
    for row in undecoded(loaded["train"], "source_video", "target_video", "mask"):
        record = dataset.pair(row["pair_id"]).record
        assert row["instruction"] == record.instruction and row["licence"] == record.licence
        assert row["quality_score"] == 0.75 and row["target_frames"] == FRAMES
        footage = "target" if record.generated_side == "source" else "source"
        content = dataset.path(getattr(record, f"{footage}_video")).read_bytes()
        assert Path(row[f"{footage}_video"]["path"]).read_bytes() == content
        if record.mask:
            assert (read_masks(row["mask"]["path"]) == bar_masks()).all()
        else:
            assert row["mask"] is None


def test_splits_of_any_name_load_with_one_schema(run: Export, load: Any, tmp_path: Path) -> None:
    run("huggingface", tmp_path / "out", splits={"held_out": 0.5, "most": 0.5})
    loaded = load(tmp_path / "out")
    assert set(loaded) == {"held_out", "most"}
    assert loaded["held_out"].features == loaded["most"].features  # one of them has no mask at all
    sources = [set(part["source_id"]) for part in loaded.values()]
    assert sources[0] and sources[1] and not sources[0] & sources[1]


def test_another_export_in_a_folder_of_the_same_name_is_no_cached_one(
    run: Export, load: Any, tmp_path: Path
) -> None:
    run("huggingface", tmp_path / "a" / "pairs")
    run("huggingface", tmp_path / "b" / "pairs", where="licence = 'CC-BY-4.0'")
    every, some = (load(tmp_path / place / "pairs")["train"] for place in "ab")
    assert 0 < len(some) < len(every)


def test_the_head_of_the_card_is_the_hubs(run: Export, tmp_path: Path) -> None:
    run("huggingface", tmp_path / "out", where="licence = 'CC-BY-4.0'")
    head = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])
    assert head["license"] == "cc-by-4.0" and head["size_categories"] == ["n<1K"]
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "train/**"}]
    run("huggingface", tmp_path / "both")
    head = yaml.safe_load((tmp_path / "both" / "README.md").read_text().split("---\n")[1])
    assert head["license"] == "other"


def test_preferences_load_as_prompt_chosen_and_rejected(
    run: Export, dataset: Catalog, load: Any, tmp_path: Path
) -> None:
    run("preferences", tmp_path / "out")
    part = undecoded(load(tmp_path / "out")["train"], "source", "chosen", "rejected")
    (row,) = part
    chosen = dataset.pair(row["pair_id"]).record
    rejected = dataset.pair(row["rejected_pair_id"]).record
    assert row["prompt"] == chosen.instruction
    assert chosen.keep and not rejected.keep and row["rejected_reason"] == "subtle"
    assert chosen.source_video == rejected.source_video
    assert rejected.instruction == "Take the bar away."  # of the same plan, though said otherwise
    source = dataset.path(chosen.source_video).read_bytes()
    assert Path(row["source"]["path"]).read_bytes() == source
    for column, pair in (("chosen", chosen), ("rejected", rejected)):
        shown = read_video(Path(row[column]["path"]))  # signed: other bytes, the same pictures
        assert (shown == read_video(dataset.path(pair.target_video))).all()


def test_frames_load_as_the_images_of_instruct_pix2pix(
    run: Export, dataset: Catalog, load: Any, tmp_path: Path
) -> None:
    import numpy as np

    run("instruct-pix2pix", tmp_path / "out", where="task in ('object_removal', 'upscaling')")
    part = load(tmp_path / "out")["train"]
    assert len(part) == 2 * 3
    for row in part:
        assert row["input_image"].size == row["edited_image"].size == (WIDTH, HEIGHT)
        assert row["edit_prompt"]
    removal = [row for row in part if row["task"] == "object_removal"]
    for row, number in zip(removal, (0, 6, FRAMES - 1), strict=True):
        left = WIDTH * 7 // 8 * number // (FRAMES - 1)
        shown = np.asarray(row["input_image"])[:, left : left + WIDTH // 8]
        assert abs(shown.astype(int) - 200).max() < 12  # the bar is where it is in that frame
        decoded = read_video(dataset.path(dataset.pair(row["pair_id"]).record.source_video))
        assert (np.asarray(row["input_image"]) == decoded[number]).all()


def test_videos_are_those_of_the_catalog(run: Export, tmp_path: Path) -> None:
    run("huggingface", tmp_path / "out", where="task = 'upscaling'")
    (small,) = (tmp_path / "out" / "train" / "source").iterdir()
    assert read_video(small).shape == (FRAMES, HEIGHT // 2, WIDTH // 2, 3)
    (large,) = (tmp_path / "out" / "train" / "target").iterdir()
    assert abs(read_video(large).astype(int) - bar()).mean() < 3
